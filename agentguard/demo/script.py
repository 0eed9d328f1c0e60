"""What the crew's models say: a pure function of the conversation, so that every run is alike."""

import json

from agentguard.demo.provider import Answer, Conversation
from agentguard.demo.provider.conversation import tool_call

__all__ = ["CRITIC", "PLANNER", "RESEARCHER", "WRITER", "respond"]

_HOUSE_RULES = """
House rules for everybody on this crew:
1. Work from sources. A claim that no source supports is left out, however plausible it sounds.
2. Quote numbers as the source gives them, with their unit, and say what was measured and how.
3. Prefer primary sources: specifications, changelogs, the maintainers' own words.
4. Be brief. A reader has five minutes; a sentence that does not help the decision is cut.
5. When two sources disagree, say so and say which one you trust, and why.
"""
PLANNER = "You are the planner. Split the topic into two questions, as JSON." + _HOUSE_RULES
RESEARCHER = "You are a researcher. Search, read, then write notes." + _HOUSE_RULES
WRITER = "You are the writer. Turn notes into a short report." + _HOUSE_RULES
CRITIC = "You are the critic. Accept the report or say what to change." + _HOUSE_RULES


def respond(conversation: Conversation) -> Answer:
    """The answer of whichever crew member the system message addresses."""
    system = conversation.last("system")
    if system.startswith(PLANNER[:20]):
        return _plan(conversation)
    if system.startswith(RESEARCHER[:20]):
        return _research(conversation)
    if system.startswith(WRITER[:18]):
        return _write(conversation)
    return _criticise(conversation)


def _plan(conversation: Conversation) -> Answer:
    topic = conversation.last("user").removeprefix("Topic: ")
    questions = [f"How does {topic} work?", f"What does {topic} cost?"]
    return Answer(json.dumps(questions, ensure_ascii=False))


def _research(conversation: Conversation) -> Answer:
    question = conversation.last("user")
    match conversation.count("tool"):
        case 0:
            arguments = {"query": question}
            return Answer(tool_calls=(tool_call(conversation, "search_library", arguments),))
        case 1:
            best = json.loads(conversation.last("tool"))[0]
            arguments = {"title": best}
            said = f"'{best}' looks closest to the question; reading it."
            return Answer(said, (tool_call(conversation, "read_page", arguments),))
        case _:
            page = conversation.last("tool")
            return Answer(f"Notes on: {question}\n- {page}\n- One source; a second would help.")


def _write(conversation: Conversation) -> Answer:
    notes = next(m.text for m in conversation.messages if m.role == "user")
    if conversation.count("assistant") == 0:
        return Answer(f"# Report\n\n{notes}\n\nIn short: it depends on what is measured.")
    review = conversation.last("user")
    return Answer(f"# Report, revised\n\n{notes}\n\nAnswering the review ({review}): see above.")


def _criticise(conversation: Conversation) -> Answer:
    if "revised" in conversation.last("user"):
        return Answer("ACCEPT: every claim now has its source.")
    return Answer("REVISE: the closing sentence says nothing; name the source it rests on.")

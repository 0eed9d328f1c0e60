"""CrewAI: crews, flows, agents on their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.conftest import run_in
from tests.integrations.stopping import check_stopped, each_runaway

# The first test of each process waits for it; CrewAI alone takes ten seconds to be imported.
pytestmark = pytest.mark.timeout(320)

PACKAGE = "tests.integrations.crewai_crews"
FORMS = (
    "sync",
    "stream",
    "async",
    "native async",
    "async stream",
    "parallel",
    "parallel crews",
    "parallel native",
    "hierarchical",
    "again and again",
    "text",
    "alone",
    "flow",
    "async flow",
)
RAISED = {"loop": "LoopDetected", "budget": "BudgetExceeded", "deadline": "TimeoutExceeded"}

CREW = """
invoke_workflow otters
  task research
    invoke_agent Researcher
      chat {model}
      execute_tool search
      chat {model}
"""
QUICKSTART = """
invoke_workflow LatestAiFlow
  task prepare_topic
  task run_research
    invoke_workflow ResearchCrew
      task research_task
        invoke_agent AI Agents Senior Data Researcher
          chat gpt-4.1-mini
          execute_tool search_the_internet_with_serper
          chat gpt-4.1-mini
  task summarize
"""
MEMORY = """
invoke_workflow otters
  task research
    invoke_agent Researcher
      retrieval memory
        embeddings text-embedding-3-large
      chat gpt-4o-mini
      execute_tool search
      chat gpt-4o-mini
      chat gpt-4o-mini
      task remember
        embeddings text-embedding-3-large
        chat gpt-4o-mini
"""


@pytest.fixture(scope="module")
def outcomes(outcomes_of):
    """Of all forms, by form and guard; they run in one process, once."""
    return outcomes_of("crewai", f"{PACKAGE}.runaways")


@pytest.fixture(scope="module")
def scenario(python_with, tmp_path_factory):
    """`scenario("quickstart")`: what became of that one; all of them run in one process, once."""
    kept = {"CREWAI_STORAGE_DIR": str(tmp_path_factory.mktemp("crewai"))}
    done = run_in(python_with("crewai"), "-m", f"{PACKAGE}.scenarios", env=kept, bound=300)
    assert done.returncode == 0, done.stderr[-4000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line[:1] == "{"]
    return {line.pop("scenario"): line for line in lines}.__getitem__


def _check(said: dict[str, Any], tree: str) -> None:
    """One trace with that tree, and tokens as the provider billed."""
    assert "\n".join(said["tree"]) == tree.strip("\n")
    assert said["traces"] == 1
    assert said["orphans"] == []
    assert said["spans"] == said.get("log", said["spans"]) != []


@each_runaway(FORMS)
def test_a_runaway_is_stopped(outcomes, form, guard):
    """Each form is stopped by each guard, and its caller gets the exception that says so."""
    outcome = outcomes[form, guard]
    check_stopped(outcome)
    assert outcome.raised == RAISED[guard], outcome


def test_the_quick_start_is_one_trace(scenario):
    """The trace of CrewAI's quick start has its flow, crew, task, agent, tool and model calls."""
    said = scenario("quickstart")
    _check(said, QUICKSTART)
    assert said["report"].startswith("# AI Agents")


def test_the_page_shows_what_happens(scenario):
    """The page's example runs, is stopped by its guard, and its tree begins like the page's."""
    said = scenario("snippets")
    page = (Path(__file__).parents[3] / "docs" / "integrations" / "crewai.md").read_text()
    shown = page.partition("```text\n")[2].partition("```")[0].splitlines()
    assert said["snippets"] == 1
    assert said["tree"][: len(shown)] == shown
    assert said["tree"][-1].strip() == "guard loop"


def test_uninstrument_leaves_crewai_as_it_was(scenario):
    """Turned on twice it traces once; turned off, each class holds what it held, and is silent."""
    said = scenario("reversible")
    assert said["wrapped"] > 20
    assert said["left"] == []
    assert "\n".join(said["twice"]) == CREW.format(model="gpt-4o-mini").strip("\n")
    assert said["off"] == ["chat gpt-4o-mini"] * 2


def test_spans_say_who_did_what(scenario):
    """Agents and tools have names, ids and descriptions; content is there where it is captured."""
    said = scenario("parts")["said"]
    agent, tool = said["invoke_agent Researcher"], said["execute_tool search"]
    assert agent["gen_ai.agent.name"] == tool["gen_ai.agent.name"] == "Researcher"
    assert agent["gen_ai.agent.id"] == tool["gen_ai.agent.id"] != ""
    assert agent["gen_ai.agent.description"] == "Find out what is new"
    assert tool["gen_ai.tool.call.id"].startswith("call_")
    assert tool["gen_ai.tool.description"] == "Search the library."
    assert "query" in json.loads(tool["gen_ai.tool.call.arguments"])
    assert tool["gen_ai.tool.call.result"].startswith("Something about")
    assert "otters" in said["invoke_workflow otters"]["gen_ai.input.messages"]
    assert "Answer" in said["invoke_workflow otters"]["gen_ai.output.messages"]


def test_a_task_without_a_name_does_not_tell_its_description(scenario):
    """What a task is about is content: its span has the agent's role for a name."""
    assert scenario("parts")["tree"][1].strip() == "task Researcher"


def test_a_model_of_ones_own_is_traced_and_stopped(scenario):
    """A class of models without a client is counted as CrewAI says, and stopped like others."""
    said = scenario("own_model")
    _check(said, CREW.format(model="parrot-1"))
    assert said["spans"] == [["parrot-1", 7, 0, 3, 0]] * 2
    assert said["looped"]["raised"] == "agentguard.errors.LoopDetected"
    assert said["looped"]["calls"] == 3


def test_a_client_that_nobody_traces_has_its_spans_here(scenario):
    """With the client's instrumentor off, each model call is still one span with its tokens."""
    _check(scenario("untraced_client"), CREW.format(model="gpt-4o-mini"))


def test_an_agent_that_tries_again_is_one_agent(scenario):
    """CrewAI's own second attempt is part of the same invocation."""
    tree = scenario("tries_again")["tree"]
    assert [line.strip() for line in tree].count("invoke_agent Researcher") == 1
    assert [line.strip() for line in tree].count("chat parrot-1") == 3


def test_a_denied_tool_is_told_to_the_model(scenario):
    """A tool that may not be called does not run; the crew finds its answer without it."""
    said = scenario("denied")
    assert not said["stopped"]
    assert said["told"]
    assert said["answer"].startswith("Answer")
    assert [tuple(s) for s in said["spans"]] == [tuple(each) for each in said["log"]]


def test_attempts_at_a_failing_tool_are_one_call(scenario):
    """CrewAI invokes it six times for one call in text, which is no loop of the agent's."""
    said = scenario("in_text")
    _check(said, "invoke_workflow text\n" + _indented(CREW.format(model="o1-mini")))
    assert said["invoked"] == 6
    assert not said["stopped"]


def test_a_refusal_that_speaks_of_limits_is_not_waited_for(scenario):
    """CrewAI waits a second or more where an error says rate limit; not where a guard says so."""
    said = scenario("rate_limited")
    assert said["raised"] == "agentguard.errors.RateLimitExceeded"
    assert len(said["log"]) == 1
    assert said["seconds"] < 1


def test_memory_is_part_of_the_trace(scenario):
    """What is recalled and remembered, with its model calls, is inside of the agent."""
    _check(scenario("remembers"), MEMORY)


def test_knowledge_is_searched_inside_of_the_agent(scenario):
    """A search has its documents and scores; what is embedded when a crew is made is before it."""
    said = scenario("knows")
    assert said["tree"][0] == "embeddings text-embedding-3-small"
    assert "      retrieval crew" in said["tree"]
    assert said["orphans"] == []
    assert said["spans"] == said["log"] != []
    ((document,),) = said["found"]
    assert document["content"] == "Otters hold hands."
    assert 0 < document["score"] < 1


def test_what_memory_is_refused_takes_no_answer_away(scenario):
    """An agent that has its answer when the budget ends gives it, and remembers nothing."""
    said = scenario("forgets")
    assert said["stopped"]
    assert said["answer"].startswith("Answer")
    assert len(said["log"]) == 2


def _indented(tree: str) -> str:
    return "\n".join(f"  {line}" for line in tree.strip("\n").splitlines())

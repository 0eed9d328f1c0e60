"""Our decorators: an agent, its tools and its model calls as one run.

    export AGENTGUARD_API_KEY=YOUR_KEY
    python examples/decorators.py

Needs `openai`, with no instrumentor: the model call is recorded by hand, as it can be for any
client. The model is a local server that speaks OpenAI's protocol; with `OpenAI()` in its place,
and OPENAI_API_KEY set, it is the real one.
"""

from typing import Any

from openai import OpenAI

import agentguard
from agentguard.demo.provider import ProviderServer

MODEL = "gpt-4o-mini"
PAGES = {
    "Otters": "Sea otters hold hands while they sleep, so that they do not drift apart.",
    "Squids": "A squid has three hearts, and two of them stop while it swims.",
}


class PageMissingError(Exception):
    """There is no page of that title."""


@agentguard.tool
def search(query: str) -> list[str]:
    """Titles of the pages that share a word with the query."""
    return [title for title in PAGES if title.lower() in query.lower()]


@agentguard.tool
def read_page(title: str) -> str:
    """The text of a page; raises PageMissingError."""
    if title not in PAGES:
        raise PageMissingError(title)
    return PAGES[title]


@agentguard.task
def look_up(question: str) -> str:
    """All pages that may help."""
    notes = []
    for title in (*search(question), "Seals"):
        try:
            notes.append(read_page(title))
        except PageMissingError:
            notes.append(f"Nothing is known about {title}.")
    return "\n".join(notes)


@agentguard.agent(name="biologist")
def answer(client: OpenAI, question: str) -> str:
    """What the model makes of the pages."""
    messages: list[Any] = [
        {"role": "system", "content": "Answer from the notes alone, and say which one you used."},
        {"role": "user", "content": f"{question}\n\nNotes:\n{look_up(question)}"},
    ]
    with agentguard.chat_span(MODEL, provider="openai") as chat:
        reply = client.chat.completions.create(model=MODEL, messages=messages)
        said = reply.choices[0].message.content or ""
        chat.record_messages(input=messages, output=said)
        chat.record_response(model=reply.model, id=reply.id)
        if reply.usage:
            chat.record_usage(
                input_tokens=reply.usage.prompt_tokens, output_tokens=reply.usage.completion_tokens
            )
    return said


def main() -> None:
    """Ask one question, as a run of its own."""
    tracing = agentguard.init(service_name="decorators", capture_content=True)
    with (
        ProviderServer() as model,
        OpenAI(api_key=model.api_key, base_url=model.base_url) as client,
        agentguard.run("example", session="chat-1", user="ada"),
    ):
        print(answer(client, "Do otters hold hands?"))
    tracing.flush()


if __name__ == "__main__":
    main()

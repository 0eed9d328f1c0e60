"""The crew's tools: a small library that can be searched, ranked by embeddings, and read."""

import json
from collections.abc import Awaitable, Callable

import openai

import agentguard

__all__ = ["TOOL_SCHEMAS", "Library", "LibraryUnavailableError"]

_PAGES = {
    "Tracing agents": "A span is a timed operation; a trace is the tree of spans of one run.",
    "Counting tokens": "Cached tokens are part of the input, reasoning tokens part of the output.",
    "Stopping agents": "A budget that is checked after the call has already been overspent.",
    "Columnar stores": "Sorting rows by trace made the same messages compress 22 times.",
}


def _schema(
    name: str, description: str, argument: str
) -> openai.types.chat.ChatCompletionToolParam:
    properties = {argument: {"type": "string"}}
    parameters: dict[str, object] = {
        "type": "object",
        "properties": properties,
        "required": [argument],
    }
    function = openai.types.shared_params.FunctionDefinition(
        name=name, description=description, parameters=parameters
    )
    return {"type": "function", "function": function}


TOOL_SCHEMAS = [
    _schema("search_library", "Find titles that answer a question, best first.", "query"),
    _schema("read_page", "Read the page with that title.", "title"),
]


class LibraryUnavailableError(Exception):
    """The library did not answer; asking again may help."""


class Library:
    """Two tools over a handful of pages; the first search about costs fails, as networks do."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self._client = client
        self._outages = 1

    async def use(self, name: str, arguments: str, attempts: int = 2) -> str:
        """Runs a tool the model asked for, again when it fails.

        Raises LibraryUnavailableError after the last attempt, KeyError for a tool nobody offered.
        """
        tools: dict[str, Callable[..., Awaitable[str]]] = {
            "search_library": self.search_library,
            "read_page": self.read_page,
        }
        for _ in range(attempts - 1):
            try:
                return await tools[name](**json.loads(arguments))
            except LibraryUnavailableError:
                continue
        return await tools[name](**json.loads(arguments))

    @agentguard.tool
    async def search_library(self, query: str) -> str:
        """Titles as a JSON array, the most similar to the query first."""
        if "cost" in query and self._outages:
            self._outages -= 1
            raise LibraryUnavailableError("search timed out after 2 s")
        reply = await self._client.embeddings.create(
            model="text-embedding-3-small", input=[query, *_PAGES]
        )
        wanted, *pages = (item.embedding for item in reply.data)
        ranked = sorted(zip(pages, _PAGES, strict=True), key=lambda p: -_dot(wanted, p[0]))
        return json.dumps([title for _, title in ranked])

    @agentguard.tool
    async def read_page(self, title: str) -> str:
        """The text of a page."""
        return _PAGES[title]


def _dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))

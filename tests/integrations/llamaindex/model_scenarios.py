"""What becomes of calls of models: given up, hidden, never answered, failed."""

import asyncio
import gc
import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LLMMetadata,
)
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.mock import MockLLM
from llama_index.llms.openai import OpenAI
from pydantic import BaseModel

import agentguard
from agentguard.demo.provider import ProviderServer

__all__ = ["given_up", "model_of", "other_errors", "structured", "without_client"]

Said = dict[str, Any]


def model_of(server: ProviderServer) -> OpenAI:
    """OpenAI's, at that address."""
    return OpenAI(model="gpt-4o-mini", api_base=server.base_url, api_key=server.api_key)


def given_up(server: ProviderServer) -> Said:
    """Streams of which one piece is read, or none, and no more."""
    for pieces in (0, 1):
        stream = model_of(server).stream_chat([ChatMessage(role="user", content="Otters?")])
        for _ in range(pieces):
            next(stream)
        del stream
        gc.collect()
    return {}


class _Facts(BaseModel):
    words: str


async def structured(server: ProviderServer) -> Said:
    """An agent that is stopped where it hides what it fails with: its answer's structure."""
    async with agentguard.run("structured", guards=[agentguard.BudgetGuard(max_calls=1)]):
        agent = FunctionAgent(llm=model_of(server), output_cls=_Facts)
        try:
            result = await agent.run("Otters?")
        except agentguard.BudgetExceeded:
            return {"raised": "BudgetExceeded", "requests": len(server.requests())}
    return {"result": str(result)}


class _Slow(CustomLLM):
    """A model with no client at all, that takes its time."""

    @property
    def metadata(self) -> LLMMetadata:
        """What it is called."""
        return LLMMetadata(model_name="slow-1")

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Says what it used."""
        usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
        return CompletionResponse(text="Slowly.", raw={"usage": usage})

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        """Piece by piece, without end."""

        def pieces() -> Iterator[CompletionResponse]:
            while True:
                time.sleep(0.01)
                yield CompletionResponse(text="Slowly", delta="Slowly")

        return pieces()

    async def achat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        """Never."""
        await asyncio.sleep(60)
        raise AssertionError

    async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
        """Piece by piece, the second of which never comes."""

        async def pieces() -> AsyncIterator[ChatResponse]:
            yield ChatResponse(message=ChatMessage(content="S"), delta="S")
            await asyncio.sleep(60)

        return pieces()


async def without_client(server: ProviderServer) -> Said:
    """Models that nobody but LlamaIndex knows, stopped while they are waited for."""
    llm, asked = _Slow(), [ChatMessage(role="user", content="Otters?")]
    said: Said = {"took": 0.0, "raised": []}

    async def read() -> None:
        async for _ in await llm.astream_chat(asked):
            pass

    ways: list[Callable[[], Any]] = [
        lambda: llm.achat(asked), read, lambda: list(llm.stream_chat(asked))
    ]  # fmt: skip
    for way in ways:
        began = time.monotonic()
        try:
            with agentguard.run("slow", guards=[agentguard.TimeoutGuard(max_seconds=0.2)]):
                done = way()
                if inspect.isawaitable(done):
                    await done
        except agentguard.AgentGuardError as error:
            said["raised"].append(type(error).__name__)
        said["took"] = max(said["took"], time.monotonic() - began)
    llm.chat(asked)
    return said


def other_errors(server: ProviderServer) -> Said:
    """A model that fails by itself."""

    class Fails(MockLLM):
        def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
            """Always."""
            raise ConnectionError("no line")

    with suppress(ConnectionError):
        Fails().chat([ChatMessage(role="user", content="Otters?")])
    return {}

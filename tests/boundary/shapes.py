"""Every way in which the `openai` client calls a model."""

from collections.abc import Awaitable, Callable
from typing import Any

import pydantic

__all__ = ["ASYNC", "SYNC"]

MODEL = "gpt-4o-mini"


class Verdict(pydantic.BaseModel):
    """What `.parse` is asked for; the echo is no JSON, so nothing is parsed into it."""

    answer: str


def _messages(turn: object) -> list[Any]:
    return [{"role": "user", "content": f"question {turn}"}]


def _chat(client: Any, turn: object) -> Any:
    return client.chat.completions.create(model=MODEL, messages=_messages(turn))


def _stream(client: Any, turn: object) -> Any:
    return client.chat.completions.create(
        model=MODEL,
        messages=_messages(turn),
        stream=True,
        stream_options={"include_usage": True},
    )


def _parse(client: Any, turn: object) -> Any:
    return client.chat.completions.parse(model=MODEL, messages=_messages(turn))


def _raw(client: Any, turn: object) -> Any:
    return client.chat.completions.with_raw_response.create(model=MODEL, messages=_messages(turn))


def _raw_stream(client: Any, turn: object) -> Any:
    return client.chat.completions.with_raw_response.create(
        model=MODEL,
        messages=_messages(turn),
        stream=True,
        stream_options={"include_usage": True},
    )


def _responses(client: Any, turn: object) -> Any:
    return client.responses.create(model=MODEL, input=f"question {turn}", instructions="Be brief.")


def _responses_stream(client: Any, turn: object) -> Any:
    return client.responses.create(model=MODEL, input=f"question {turn}", stream=True)


def _embeddings(client: Any, turn: object) -> Any:
    return client.embeddings.create(model="text-embedding-3-small", input=[f"question {turn}"])


def _read(make: Callable[[Any, object], Any]) -> Callable[[Any, object], None]:
    def read(client: Any, turn: object) -> None:
        answer = make(client, turn)
        for _ in answer.parse() if hasattr(answer, "parse") else answer:
            pass

    return read


def _awaited(make: Callable[[Any, object], Any]) -> Callable[[Any, object], Awaitable[None]]:
    async def call(client: Any, turn: object) -> None:
        await make(client, turn)

    return call


def _read_async(make: Callable[[Any, object], Any]) -> Callable[[Any, object], Awaitable[None]]:
    async def read(client: Any, turn: object) -> None:
        answer = await make(client, turn)
        async for _ in answer.parse() if hasattr(answer, "parse") else answer:
            pass

    return read


def _helper(client: Any, turn: object) -> None:
    with client.chat.completions.stream(
        model=MODEL, messages=_messages(turn), stream_options={"include_usage": True}
    ) as stream:
        for _ in stream:
            pass


def _responses_helper(client: Any, turn: object) -> None:
    with client.responses.stream(model=MODEL, input=f"question {turn}") as stream:
        for _ in stream:
            pass


async def _helper_async(client: Any, turn: object) -> None:
    async with client.chat.completions.stream(
        model=MODEL, messages=_messages(turn), stream_options={"include_usage": True}
    ) as stream:
        async for _ in stream:
            pass


SYNC: dict[str, Callable[[Any, object], Any]] = {
    "chat": _chat,
    "stream": _read(_stream),
    "parse": _parse,
    "raw": _raw,
    "raw_stream": _read(_raw_stream),
    "responses": _responses,
    "responses_stream": _read(_responses_stream),
    "embeddings": _embeddings,
    "stream_helper": _helper,
    "responses_helper": _responses_helper,
}
ASYNC: dict[str, Callable[[Any, object], Awaitable[None]]] = {
    **{
        name: _awaited(make)
        for name, make in {
            "chat": _chat,
            "parse": _parse,
            "raw": _raw,
            "responses": _responses,
            "embeddings": _embeddings,
        }.items()
    },
    **{
        name: _read_async(make)
        for name, make in {
            "stream": _stream,
            "raw_stream": _raw_stream,
            "responses_stream": _responses_stream,
        }.items()
    },
    "stream_helper": _helper_async,
}

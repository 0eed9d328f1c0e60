"""A local model provider that counts what reaches it, and clients guarded at their edge."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing

import openai
import pytest

from agentguard.boundary import install, uninstall
from agentguard.demo.provider import ProviderServer
from agentguard.runtime import Runtime, runtime


def until(holds: Callable[[], bool], bound: float = 5.0) -> bool:
    """Waits until it holds, and no longer than that many seconds."""
    patience = threading.Event()
    ends = time.monotonic() + bound
    while not holds() and time.monotonic() < ends:
        patience.wait(0.01)
    return holds()


@pytest.fixture
def start_provider() -> Iterator[Callable[..., ProviderServer]]:
    """`start_provider(responder, pause_s=...)`, as often as wanted."""
    started: list[ProviderServer] = []

    def start(*arguments: object, **options: object) -> ProviderServer:
        server = ProviderServer(*arguments, **options)  # type: ignore[arg-type]
        started.append(server.__enter__())
        return server

    yield start
    for server in started:
        server.__exit__(None, None, None)


@pytest.fixture
def provider(start_provider) -> ProviderServer:
    """A provider that echoes."""
    return start_provider()


@pytest.fixture(autouse=True)
def guarded() -> Iterator[None]:
    """The boundary is there, and the process's state is that of its start."""
    install()
    yield
    uninstall()
    fresh = Runtime()
    for name in Runtime.__slots__:
        setattr(runtime, name, getattr(fresh, name))


@pytest.fixture
def client(provider) -> Iterator[openai.OpenAI]:
    """A client of the provider, without retries of its own."""
    made = openai.OpenAI(base_url=provider.base_url, api_key=provider.api_key, max_retries=0)
    with closing(made):
        yield made


@pytest.fixture
async def async_client(provider) -> AsyncIterator[openai.AsyncOpenAI]:
    """The same, async."""
    async with openai.AsyncOpenAI(
        base_url=provider.base_url, api_key=provider.api_key, max_retries=0
    ) as made:
        yield made

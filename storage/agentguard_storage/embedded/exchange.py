"""The bridge between one ASGI request on the event loop and the thread that serves it.

The thread reads the body and writes the response with plain blocking calls; both directions push
back, so neither a fast upload nor a slow download fills memory.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

__all__ = ["ClientGoneError", "Exchange"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_AHEAD: Final = 4 << 20
IDLE_SECONDS: Final = 60.0


class ClientGoneError(Exception):
    """The client hung up, or stood still for too long, before the exchange was over."""


class Exchange:
    """`pump` runs on the loop; `read`, `start` and `send` are called by the serving thread."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._changed = threading.Condition()
        self._parts: deque[bytes] = deque()
        self._buffered = 0
        self._ended = False
        self._head: Message | None = None
        self.started = False
        self.finished = False
        self.gone = False

    async def pump(self) -> None:
        """Take the body in until it ends, then wait for the client to hang up."""
        while True:
            message = await self._receive()
            with self._changed:
                if message["type"] == "http.disconnect":
                    self.gone = not self.finished
                else:
                    self._parts.append(message.get("body", b""))
                    self._buffered += len(self._parts[-1])
                    self._ended = not message.get("more_body", False)
                full = self._buffered > BODY_AHEAD
                self._room.clear()
                self._changed.notify()
            if message["type"] == "http.disconnect":
                return
            if full:
                await self._room.wait()

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes of the body, at most `size` of them; b"" at its end."""
        with self._changed:
            while not (self._parts and self._parts[0]):
                if self._parts:
                    self._parts.popleft()
                elif self.gone:
                    raise ClientGoneError
                elif self._ended:
                    return b""
                elif not self._changed.wait(IDLE_SECONDS):
                    raise ClientGoneError
            part = self._parts.popleft()
            if 0 <= size < len(part):
                self._parts.appendleft(part[size:])
                part = part[:size]
            self._buffered -= len(part)
            if self._buffered <= BODY_AHEAD // 2:
                self._loop.call_soon_threadsafe(self._room.set)
            return part

    def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Keep the response's head until its first part is sent."""
        self._head = {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        }

    def send(self, part: bytes, *, more: bool) -> None:
        """Send a part of the response; waits while the client is slower than we are."""
        asyncio.run_coroutine_threadsafe(self._forward(part, more), self._loop).result()
        if self.gone:
            raise ClientGoneError

    async def _forward(self, part: bytes, more: bool) -> None:
        if self._head is not None:
            head, self._head, self.started = self._head, None, True
            await self._send(head)
        self.finished = not more
        await self._send({"type": "http.response.body", "body": part, "more_body": more})

"""A process started with --exit-with-parent ends when its standard input is closed."""

from __future__ import annotations

import asyncio
import os

__all__ = ["stop_with_parent"]

_STDIN = 0


def stop_with_parent(stop: asyncio.Event) -> None:
    """Set `stop` when the parent is gone, however it went: the kernel closes its end."""
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if not os.read(_STDIN, 1024):
            loop.remove_reader(_STDIN)
            stop.set()

    loop.add_reader(_STDIN, readable)

"""Settling what the garbage collector finds.

It may run at any moment, also in a thread that holds a lock of a guard or a run. What has to take
such a lock then waits for a thread of its own.
"""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Mapping
from queue import SimpleQueue

__all__ = ["be_ready", "soon"]

log = logging.getLogger("agentguard")

# Putting something on a simple queue is safe in a finaliser, as nothing else here is.
_left: SimpleQueue[Callable[[], object]] = SimpleQueue()
_lock = threading.Lock()
_thread: threading.Thread | None = None
_collecting = 0


def be_ready() -> None:
    """Have the thread there before there is something to settle: also in a forked process."""
    global _thread
    if _thread is not None and _thread.is_alive():
        return
    with _lock:
        if _thread is None:
            gc.callbacks.append(_note)
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_settle, name="agentguard-abandoned", daemon=True)
            _thread.start()


def soon(settle: Callable[[], object]) -> None:
    """Call it: at once, or in the other thread where the collector runs in this one."""
    if _collecting == threading.get_ident():
        _left.put(settle)
    else:
        settle()


def _note(phase: str, info: Mapping[str, int]) -> None:
    global _collecting
    _collecting = threading.get_ident() if phase == "start" else 0


def _settle() -> None:
    while True:
        settle = _left.get()
        try:
            settle()
        except Exception:
            log.debug("An abandoned answer could not be settled", exc_info=True)
        del settle

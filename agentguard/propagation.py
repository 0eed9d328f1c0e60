"""Carrying the current span, run and agent into threads.

Async tasks inherit them by themselves, since they live in `contextvars`; threads do not.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial, wraps
from typing import ParamSpec, TypeVar

__all__ = ["ContextThreadPoolExecutor", "propagate"]

P = ParamSpec("P")
R = TypeVar("R")


def propagate(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which runs as part of what is current now, in whatever thread it is called.

    Threading: the result may be called many times and from many threads at once.
    """
    snapshot = copy_context()

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        # A context can be entered by one thread at a time, a copy of it costs nothing.
        return snapshot.copy().run(function, *args, **kwargs)

    return wrapper


class ContextThreadPoolExecutor(ThreadPoolExecutor):
    """A thread pool whose jobs run as part of what is current where they are submitted."""

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Schedule the call, with a copy of the submitter's context."""
        return super().submit(partial(copy_context().run, fn, *args, **kwargs))

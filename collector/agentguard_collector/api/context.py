"""What the handlers of the API stand on; one per collector process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from starlette.requests import Request

from agentguard_collector.api.rates import Rates
from agentguard_collector.api.readers import Readers
from agentguard_collector.api.turns import Turns
from agentguard_collector.settings import Settings
from agentguard_storage.control import ControlPlane

__all__ = ["ApiContext", "context_of"]


@dataclass(frozen=True, slots=True)
class ApiContext:
    """The control plane, and the ways to ClickHouse, with what bounds them.

    `is_open` says until when long requests may wait; `threads` are the readers' own, so that slow
    questions leave those alone that ingest and budgets need.
    """

    control: ControlPlane
    readers: Readers
    rates: Rates
    turns: Turns
    threads: ThreadPoolExecutor
    is_open: Callable[[], bool]

    @classmethod
    def of(
        cls, control: ControlPlane, settings: Settings, is_open: Callable[[], bool]
    ) -> ApiContext:
        """As the settings of a collector say."""
        dsn = settings.clickhouse_reader or settings.clickhouse
        # A reader that was abandoned may hold its thread a little longer than its turn.
        threads = settings.reads_at_once * 2
        return cls(
            control,
            Readers(dsn, settings.read_seconds, threads),
            Rates(
                {"read": settings.reads_per_minute, "control": settings.control_calls_per_minute}
            ),
            Turns(settings.reads_at_once, settings.reads_at_once_per_key, settings.read_wait),
            ThreadPoolExecutor(threads, "read"),
            is_open,
        )

    def close(self) -> None:
        """Let go of ClickHouse; questions that are under way fail."""
        self.threads.shutdown(wait=False, cancel_futures=True)
        self.readers.close()


def context_of(request: Request) -> ApiContext:
    """The context of the application that a request came to."""
    found: ApiContext = request.app.state.api
    return found

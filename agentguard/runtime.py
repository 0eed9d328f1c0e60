"""What the span helpers need to know at each call, kept in one place that is cheap to read."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING

from opentelemetry.trace import Tracer, TracerProvider, get_tracer

from agentguard.inheritance import TRACER

if TYPE_CHECKING:
    from agentguard.config import Settings
    from agentguard.guards.guard import Guard
    from agentguard.guards.state import RunState

__all__ = ["Runtime", "runtime"]


class Runtime:
    """The tracer that makes AgentGuard's spans, whether they carry content, who guards them.

    Before `agentguard.init` the tracer belongs to whatever provider the process has, no content
    is captured, and only runs that bring guards of their own are guarded.
    """

    __slots__ = (
        "bare_run",
        "before_init",
        "capture_content",
        "guards",
        "implies_runs",
        "max_content_length",
        "process_run",
        "service",
        "settings",
        "superseded",
        "traced_clients",
        "tracer",
    )

    def __init__(self) -> None:
        self.tracer: Tracer = get_tracer(TRACER, version("agentguard"))
        self.capture_content = False
        self.max_content_length = 65_536
        self.service = ""
        self.settings: Settings | None = None
        """What `init` was given, where it was called: budgets and stops are at its endpoint too."""
        self.guards: tuple[Guard, ...] = ()
        """What each outermost run is guarded by, beside its own guards."""
        self.implies_runs = False
        """Whether each root span of ours is a run, so that model calls inside find it."""
        self.before_init: list[Callable[[], object]] = []
        """What is to be called when the program calls `init`, which then does it itself."""
        self.superseded: set[str] = set()
        """Instrumentation scopes of others whose every model call has a span of ours inside."""
        self.traced_clients: set[str] = set()
        """The model clients, such as `openai`, whose calls get a span at their edge."""
        self.process_run: RunState | None = None
        """The run that every other is part of, in a program that is guarded as a whole."""
        self.bare_run: RunState | None = None
        """The run of model calls that are made outside of any run or span."""

    def use(self, provider: TracerProvider) -> None:
        """Make spans with this provider from now on."""
        self.tracer = provider.get_tracer(TRACER, version("agentguard"))


runtime = Runtime()

"""What the span helpers need to know at each call, kept in one place that is cheap to read."""

from importlib.metadata import version

from opentelemetry.trace import Tracer, TracerProvider, get_tracer

from agentguard.inheritance import TRACER

__all__ = ["Runtime", "runtime"]


class Runtime:
    """The tracer that makes AgentGuard's spans, and whether they carry content.

    Before `agentguard.init` the tracer belongs to whatever provider the process has, and no
    content is captured.
    """

    __slots__ = ("capture_content", "max_content_length", "tracer")

    def __init__(self) -> None:
        self.tracer: Tracer = get_tracer(TRACER, version("agentguard"))
        self.capture_content = False
        self.max_content_length = 65_536

    def use(self, provider: TracerProvider) -> None:
        """Make spans with this provider from now on."""
        self.tracer = provider.get_tracer(TRACER, version("agentguard"))


runtime = Runtime()

"""The instrumentors of other projects that the crew's model calls can be traced with."""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

__all__ = ["CONTENT_SETTINGS", "INSTRUMENTORS", "Instrumentor", "InstrumentorMissingError"]

# Where each of them is told to record message contents; the last two do so by default.
CONTENT_SETTINGS = {
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "span_only",
    "OPENINFERENCE_HIDE_INPUTS": "false",
    "TRACELOOP_TRACE_CONTENT": "true",
}


class InstrumentorMissingError(Exception):
    """A package the demo needs is not installed; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Instrumentor:
    """An instrumentor of the `openai` client: its package on PyPI and its module."""

    package: str
    module: str

    def check(self) -> None:
        """Raises InstrumentorMissingError unless the package and `openai` can be imported."""
        missing = [
            package
            for package, module in ((self.package, self.module), ("openai", "openai"))
            if not _is_installed(module)
        ]
        if missing:
            wanted = " ".join(missing)
            raise InstrumentorMissingError(
                f"not installed: {wanted}. Run: pip install --pre {wanted}"
            )

    def instrument(self) -> None:
        """Patches the client; its spans go to the global tracer provider from then on."""
        self.check()
        import_module(self.module).OpenAIInstrumentor().instrument()


INSTRUMENTORS = {
    "genai": Instrumentor(
        "opentelemetry-instrumentation-genai-openai", "opentelemetry.instrumentation.genai.openai"
    ),
    "openinference": Instrumentor(
        "openinference-instrumentation-openai", "openinference.instrumentation.openai"
    ),
    "traceloop": Instrumentor(
        "opentelemetry-instrumentation-openai", "opentelemetry.instrumentation.openai"
    ),
}


def _is_installed(module: str) -> bool:
    # Looking up a submodule imports its parents, which may be the part that is missing.
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False

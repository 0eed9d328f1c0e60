"""What AgentGuard adds to OpenTelemetry: microseconds per span, milliseconds per import.

    python tests/bench/sdk_overhead.py

Both sides of a comparison make the same span, same name and same attributes, on the same
provider with a batch processor, in rounds that take turns; medians of the CPU time
of the thread that makes the spans are compared.
"""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Tracer

import agentguard
from agentguard import BudgetGuard, Guard, LoopGuard, TimeoutGuard
from agentguard.guards.installation import watch_provider
from agentguard.inheritance import inherited
from agentguard.runtime import runtime

ROUNDS = 300
SPANS = 200
IMPORTS = 15

TOOL_ATTRIBUTES = {
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": "add",
    "gen_ai.tool.type": "function",
}


class _Discard(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


@agentguard.tool
def add(a: int, b: int) -> int:
    """The traced tool."""
    return a + b


def _bare(tracer: Tracer, attributes: dict[str, object]) -> Callable[[int, int], int]:
    """The same tool, traced by hand with OpenTelemetry alone."""

    def bare_add(a: int, b: int) -> int:
        with tracer.start_as_current_span("execute_tool add", attributes=attributes):
            return a + b

    return bare_add


def _provider(ours: bool) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    if ours:
        watch_provider(provider)
    # A queue that never fills: neither side may be slowed by the other's export.
    provider.add_span_processor(
        BatchSpanProcessor(_Discard(), max_queue_size=100_000, schedule_delay_millis=50)
    )
    return provider


def _microseconds(function: Callable[[int, int], int]) -> float:
    start = time.thread_time_ns()
    for number in range(SPANS):
        function(number, 1)
    return (time.thread_time_ns() - start) / SPANS / 1000


def _compare(attributes: dict[str, object], rounds: int) -> dict[str, float]:
    bare = _bare(_provider(ours=False).get_tracer("bare"), attributes)
    for function in (bare, add):
        _microseconds(function)
    bare_times, tool_times = [], []
    gc.disable()
    for number in range(rounds):
        pair = [(bare, bare_times), (add, tool_times)]
        for function, times in pair if number % 2 else reversed(pair):
            times.append(_microseconds(function))
        if number % 20 == 0:
            gc.collect()
    gc.enable()
    extra = median(ours - theirs for ours, theirs in zip(tool_times, bare_times, strict=True))
    bare_us, tool_us = median(bare_times), median(tool_times)
    ratio = tool_us / bare_us
    return {"bare_us": bare_us, "tool_us": tool_us, "extra_us": extra, "ratio": ratio}


def measure_spans(rounds: int = ROUNDS) -> dict[str, dict[str, float]]:
    """CPU microseconds per span, bare and with `@tool`, alone, inside a run, and under guards.

    The guards are a budget and a deadline, and a loop guard as well, none of them near its limit.

    `extra_us` is the median difference.
    """
    before = runtime.tracer
    runtime.use(_provider(ours=True))
    try:
        alone = _compare(dict(TOOL_ATTRIBUTES), rounds)
        with agentguard.run("bench", session="s", user="u"), agentguard.agent_span("bench"):
            in_run = _compare({**TOOL_ATTRIBUTES, **inherited()}, rounds)
        guards: list[Guard] = [BudgetGuard(max_calls=10**9), TimeoutGuard(max_seconds=10**6)]
        guarded = _under(guards, rounds)
        looped = _under([*guards, LoopGuard()], rounds)
    finally:
        runtime.tracer = before
    return {"alone": alone, "in_run": in_run, "guarded": guarded, "looped": looped}


def _under(guards: Sequence[Guard], rounds: int) -> dict[str, float]:
    run = agentguard.run("bench", session="s", user="u", guards=guards)
    with run, agentguard.agent_span("bench"):
        return _compare({**TOOL_ATTRIBUTES, **inherited()}, rounds)


def measure_imports(times: int = IMPORTS) -> dict[str, float]:
    """Milliseconds, median of fresh processes: `opentelemetry.sdk.trace`, and `agentguard`."""
    code = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
    taken: dict[str, list[float]] = {"opentelemetry.sdk.trace": [], "agentguard": []}
    for _ in range(times):
        for module, figures in taken.items():
            run = subprocess.run(
                [sys.executable, "-c", code.format(module)],
                capture_output=True,
                check=True,
                text=True,
            )
            figures.append(float(run.stdout) * 1000)
    otel, ours = (median(figures) for figures in taken.values())
    return {"otel_ms": otel, "agentguard_ms": ours, "extra_ms": ours - otel, "ratio": ours / otel}


def measure(rounds: int = ROUNDS, imports: int = IMPORTS) -> dict[str, dict[str, float]]:
    """All the figures."""
    return {**measure_spans(rounds), "import": measure_imports(imports)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(), indent=2) + "\n")

"""What tracing and guarding a call costs, beside instrumentors of others for the same call."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from statistics import median, quantiles

from tests.bench.figures import Figure
from tests.integrations.environments import ROOT, python_of

# The group whose Python is used, and who instruments: we, we with guards, others.
_LIBRARIES: dict[str, tuple[str | None, list[str]]] = {
    "openai": (None, ["ours", "guarded", "genai", "openinference", "traceloop"]),
    "anthropic": (None, ["ours", "guarded"]),
    "langchain": ("langchain", ["ours", "guarded", "openinference", "traceloop"]),
    "llamaindex": ("llamaindex", ["ours", "guarded", "openinference", "traceloop"]),
    "litellm": ("litellm", ["ours", "guarded", "openinference"]),
    "openai-agents": ("openai-agents", ["ours", "guarded", "openinference", "traceloop"]),
    "autogen": ("autogen", ["ours", "guarded", "openinference"]),
    "crewai": ("crewai", ["ours", "guarded", "openinference"]),
}
_OTHERS = ("genai", "openinference", "traceloop")
_SCRIPT = Path(__file__).with_name("instrumentor_overhead.py")


def instrumentors(calls: int, rounds: int) -> list[Figure]:
    """Microseconds that a call takes more, in the median and at the 99th percentile.

    Each who instruments a library has processes of its own, `rounds` of them, in turns with the
    others; what is bare and what is instrumented is measured in the same process.
    """
    figures: list[Figure] = []
    for library, (group, whose) in _LIBRARIES.items():
        taken: dict[str, list[_Times]] = {who: [] for who in whose}
        for _ in range(rounds):
            for who in whose:
                taken[who].append(_measure(group, library, who, calls))
        bare = median(median(times[0]) for each in taken.values() for times in each)
        figures.append(Figure(f"{library} call, not instrumented", bare, "us"))
        more = {who: _more(each) for who, each in taken.items()}
        others = [more[who] for who in _OTHERS if who in more]
        for who in whose:
            is_held = bool(others) and who == "guarded"
            peers = [min(column) for column in zip(*others, strict=True)] if is_held else None
            for place, name in enumerate((f"  more with {who}", "    at the 99th percentile")):
                figures.append(
                    Figure(
                        name,
                        more[who][place],
                        "us",
                        1.0 if is_held else None,
                        peer=peers[place] if peers else None,
                    )
                )
    return figures


_Times = tuple[list[float], list[float]]


def _more(each: list[_Times]) -> tuple[float, float]:
    """By how much the median and the 99th percentile rise: the median of the processes."""
    return (
        median(median(traced) - median(bare) for bare, traced in each),
        median(_high(traced) - _high(bare) for bare, traced in each),
    )


def _high(times: list[float]) -> float:
    return quantiles(times, n=100)[98]


def _measure(group: str | None, library: str, who: str, calls: int) -> _Times:
    done = subprocess.run(
        [str(python_of(group)), str(_SCRIPT), library, who, str(calls)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    found: _Times = json.loads(done.stdout.splitlines()[-1])
    return found

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

    Each who instruments a library has processes of its own, in turns with the others, and so has
    the library without any. What a busy machine adds is left out: the best process counts.
    """
    figures: list[Figure] = []
    for library, (group, whose) in _LIBRARIES.items():
        taken: dict[str, list[list[float]]] = {who: [] for who in ("none", *whose)}
        for _ in range(rounds * 2):
            for who, times in taken.items():
                times.append(_measure(group, library, who, calls))
        best = {who: (min(map(median, each)), min(map(_high, each))) for who, each in taken.items()}
        bare = best["none"]
        figures.append(Figure(f"{library} call, not instrumented", bare[0], "us"))
        others = [best[who] for who in _OTHERS if who in best]
        peer = [min(column) for column in zip(*others, strict=True)] if others else None
        for who in whose:
            is_held = peer is not None and who == "guarded"
            for place, name in enumerate((f"  more with {who}", "    at the 99th percentile")):
                figures.append(
                    Figure(
                        name,
                        best[who][place] - bare[place],
                        "us",
                        1.0 if is_held else None,
                        peer=peer[place] - bare[place] if peer and is_held else None,
                    )
                )
    return figures


def _high(times: list[float]) -> float:
    return quantiles(times, n=100)[98]


def _measure(group: str | None, library: str, who: str, calls: int) -> list[float]:
    done = subprocess.run(
        [str(python_of(group)), "-W", "ignore", str(_SCRIPT), library, who, str(calls)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found

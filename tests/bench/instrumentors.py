"""What tracing and guarding a call costs, beside instrumentors of others for the same call."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from statistics import median

from tests.bench.figures import Figure
from tests.integrations.environments import ROOT, python_of

# The group whose Python is used, and who instruments: nobody, we, we with guards, others.
_LIBRARIES: dict[str, tuple[str | None, list[str]]] = {
    "openai": (None, ["none", "ours", "guarded", "genai", "openinference", "traceloop"]),
    "anthropic": (None, ["none", "ours", "guarded"]),
    "langchain": ("langchain", ["none", "ours", "guarded", "openinference", "traceloop"]),
    "llamaindex": ("llamaindex", ["none", "ours", "guarded", "openinference", "traceloop"]),
    "litellm": ("litellm", ["none", "ours", "guarded", "openinference"]),
    "openai-agents": ("openai-agents", ["none", "ours", "guarded", "openinference", "traceloop"]),
    "autogen": ("autogen", ["none", "ours", "guarded", "openinference"]),
    "crewai": ("crewai", ["none", "ours", "guarded", "openinference"]),
}
_OTHERS = ("genai", "openinference", "traceloop")
_SCRIPT = Path(__file__).with_name("instrumentor_overhead.py")


def instrumentors(calls: int, rounds: int) -> list[Figure]:
    """Microseconds that a call takes more, in the median and at the 99th percentile.

    Each is measured in processes of its own, which take turns.
    """
    figures: list[Figure] = []
    for library, (group, whose) in _LIBRARIES.items():
        taken: dict[str, list[tuple[float, float]]] = {who: [] for who in whose}
        for _ in range(rounds):
            for who in whose:
                taken[who].append(_measure(group, library, who, calls))
        middle = {who: median(m for m, _ in times) for who, times in taken.items()}
        high = {who: median(p for _, p in times) for who, times in taken.items()}
        figures.append(Figure(f"{library} call, not instrumented", middle["none"], "us"))
        over = {who: middle[who] - middle["none"] for who in whose if who != "none"}
        late = {who: high[who] - high["none"] for who in whose if who != "none"}
        others = [over[who] for who in _OTHERS if who in over]
        for who in over:
            best = min(others) if others and who == "guarded" else None
            bound = 1.0 if best else None
            figures.append(Figure(f"  more with {who}", over[who], "us", bound, peer=best))
            figures.append(Figure("    at the 99th percentile", late[who], "us"))
    return figures


def _measure(group: str | None, library: str, who: str, calls: int) -> tuple[float, float]:
    done = subprocess.run(
        [str(python_of(group)), str(_SCRIPT), library, who, str(calls)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return found["median_us"], found["p99_us"]

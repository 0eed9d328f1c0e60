"""What tracing and guarding a call costs, beside instrumentors of others for the same call."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

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

    All who instrument one library do so in one process, in turns.
    """
    figures: list[Figure] = []
    for library, (group, whose) in _LIBRARIES.items():
        taken = _measure(group, library, whose, calls, rounds * 4)
        middle, high = taken["none"]
        figures.append(Figure(f"{library} call, not instrumented", middle, "us"))
        others = [taken[who] for who in _OTHERS if who in taken]
        for who in whose[1:]:
            best = [min(column) for column in zip(*others, strict=True)] if others else None
            is_held = best is not None and who == "guarded"
            peers = [best[0] - middle, best[1] - high] if best and is_held else [None, None]
            bound = 1.0 if is_held else None
            more = (taken[who][0] - middle, taken[who][1] - high)
            figures.append(Figure(f"  more with {who}", more[0], "us", bound, peer=peers[0]))
            figures.append(Figure("    at the 99th percentile", more[1], "us", peer=peers[1]))
    return figures


def _measure(
    group: str | None, library: str, whose: list[str], calls: int, rounds: int
) -> dict[str, tuple[float, float]]:
    done = subprocess.run(
        [str(python_of(group)), str(_SCRIPT), library, ",".join(whose), str(calls), str(rounds)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    found: dict[str, tuple[float, float]] = json.loads(done.stdout.splitlines()[-1])
    return found

"""What tracing and guarding a call costs, beside instrumentors of others for the same call."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from statistics import median, quantiles

from tests.bench.figures import Figure
from tests.integrations.environments import ROOT, python_of
from tests.integrations.others import OTHERS

# The group whose Python is used.
_LIBRARIES: dict[str, str | None] = {
    "openai": None,
    "anthropic": "clients",
    "google-genai": "clients",
    "mcp": "clients",
    "langchain": "langchain",
    "llamaindex": "llamaindex",
    "litellm": "litellm",
    "openai-agents": "openai-agents",
    "autogen": "autogen",
    "crewai": "crewai",
}
Times = list[list[float]]
"""Of each call, its microseconds and those of the yardstick after it."""

_AROUND = 4
"""Yardsticks before and after one that say with it how fast the machine is."""
_MODULE = "tests.bench.instrumentor_overhead"


def instrumentors(calls: int, rounds: int) -> list[Figure]:
    """Microseconds that a call takes more, in the median and at the 99th percentile.

    Each who instruments a library has processes of its own, in turns with the others, and so has
    the library without any. Times are as long as they would be on the machine at its fastest; of
    the processes' figures, the median counts.
    """
    figures: list[Figure] = []
    for library, group in _LIBRARIES.items():
        whose = ("none", "ours", "guarded", *OTHERS[library])
        taken: dict[str, list[Times]] = {who: [] for who in whose}
        for _ in range(rounds * 2):
            for who, times in taken.items():
                times.append(_measure(group, library, who, calls))
        fastest = min(median(yard for _, yard in run) for each in taken.values() for run in each)
        found = {
            who: [median(column) for column in zip(*(_typical(run) for run in runs), strict=True)]
            for who, runs in taken.items()
        }
        figures += _figures(library, {who: [t * fastest for t in f] for who, f in found.items()})
    return figures


def _figures(library: str, found: Mapping[str, Sequence[float]]) -> list[Figure]:
    bare = found["none"]
    figures = [Figure(f"{library} call, not instrumented", bare[0], "us")]
    others = [found[who] for who in OTHERS[library]]
    peer = [min(column) for column in zip(*others, strict=True)]
    for who in [who for who in found if who != "none"]:
        is_held = who == "guarded"
        for place, name in enumerate((f"  more with {who}", "    at the 99th percentile")):
            figures.append(
                Figure(
                    name,
                    found[who][place] - bare[place],
                    "us",
                    1.0 if is_held else None,
                    peer=peer[place] - bare[place] if is_held else None,
                )
            )
    return figures


def _typical(run: Times) -> tuple[float, float]:
    """The median and the 99th percentile of a process's calls, in yardsticks of their moment."""
    yards = [yard for _, yard in run]
    times = [
        time / median(yards[max(0, place - _AROUND) : place + _AROUND + 1])
        for place, (time, _) in enumerate(run)
    ]
    return median(times), quantiles(times, n=100)[98]


def _measure(group: str | None, library: str, who: str, calls: int) -> Times:
    done = subprocess.run(
        [str(python_of(group)), "-W", "ignore", "-m", _MODULE, library, who, str(calls)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    found: Times = json.loads(done.stdout.splitlines()[-1])
    return found

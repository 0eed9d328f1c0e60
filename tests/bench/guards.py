"""The cost of guard checks, beside two other libraries' on the same machine in the same minutes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.figures import Figure
from tests.bench.guard_checks import OURS, PEERS

PEER_VERSIONS = {"agentguard47": "2.0.0", "shekel": "1.2.0"}
BEHIND = 10_000
_SCRIPT = Path(__file__).parent / "guard_checks.py"

Taken = dict[str, float]
"""Microseconds: `start`, the check before a call; `end`, what is done after it."""


def run(spans: int, rounds: int) -> list[Figure]:
    """Microseconds a check, with 10,000 calls behind, and a call's both hooks beside the peers'.

    `spans` is not used: the calls of a round are fixed.
    """
    with TemporaryDirectory() as installed:
        for name, version in PEER_VERSIONS.items():
            _install(f"{name}=={version}", Path(installed, name))
        taken = _measure(Path(installed), rounds)
    figures = []
    for name in OURS:
        ours, fresh = taken[name, BEHIND], taken[name, 0]
        figures += [
            Figure(f"{name} check", ours["start"], "us", at_most=1.5),
            Figure("  over one with nothing behind", ours["start"], "us", 1.3, peer=fresh["start"]),
        ]
        if not name.startswith("BudgetGuard"):
            continue
        both = ours["start"] + ours["end"]
        for peer, version in PEER_VERSIONS.items():
            theirs = taken[peer, BEHIND]
            row = f"  check and settle, {peer} {version}"
            figures.append(Figure(row, both, "us", peer=theirs["start"] + theirs["end"]))
    return figures


def _install(requirement: str, target: Path) -> None:
    """Beside everything, not into it: one of them is imported by our name."""
    command = ["uv", "pip", "install", "--quiet", "--no-deps", "--target", target, requirement]
    bin_dir = Path(sys.executable).parent
    path = os.pathsep.join((str(bin_dir), os.environ.get("PATH", "")))
    subprocess.run(command, check=True, env={**os.environ, "PATH": path})


def _measure(installed: Path, rounds: int) -> dict[tuple[str, int], Taken]:
    """The quickest of the rounds, in which all subjects take turns."""
    subjects = [(name, behind) for name in (*OURS, *PEERS) for behind in (0, BEHIND)]
    found: dict[tuple[str, int], list[Taken]] = {subject: [] for subject in subjects}
    for _ in range(rounds):
        for name, behind in subjects:
            found[name, behind].append(_once(name, behind, installed / name))
    return {
        subject: {hook: min(each[hook] for each in taken) for hook in ("start", "end")}
        for subject, taken in found.items()
    }


def _once(name: str, behind: int, peer: Path) -> Taken:
    environment = {**os.environ, **({"PYTHONPATH": str(peer)} if peer.exists() else {})}
    command = [sys.executable, "-P", _SCRIPT, name, str(behind)]
    done = subprocess.run(command, check=True, capture_output=True, env=environment)
    taken: Taken = json.loads(done.stdout)
    return taken

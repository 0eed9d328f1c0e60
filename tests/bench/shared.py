"""The cost of a check against a shared budget, under lease, with a real collector behind it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from agentguard.budgets.client import ControlClient
from agentguard.budgets.lease import LeasedLedger
from agentguard.budgets.ledger import LocalLedger
from agentguard.budgets.spend import ONE_CALL, Limits
from agentguard.cli.launch import launched
from tests.bench.figures import Figure

CHECKS = 20_000


def shared(spans: int, rounds: int) -> list[Figure]:
    """Microseconds a check, beside one of a budget of this process; `spans` is not used."""
    with TemporaryDirectory() as folder, launched(Path(folder)) as at:
        command = [sys.executable, "-m", "agentguard.cli", "budgets", "set", "bench"]
        subprocess.run(
            [*command, "--calls", "100000000", "--data-dir", folder],
            check=True,
            capture_output=True,
            env=dict(os.environ),
        )
        leased = LeasedLedger("bench", client=ControlClient(at.otlp_http, at.api_key, {}))
        local = LocalLedger(Limits(calls=100_000_000))
        taken: dict[str, list[float]] = {"leased": [], "local": []}
        for _ in range(rounds):
            taken["leased"] += _checks(leased)
            taken["local"] += _checks(local)
        leased.close()
    ours, own = median(taken["leased"]), median(taken["local"])
    return [
        Figure("shared budget check under lease", ours, "us", at_most=5),
        Figure("  beside a budget of this process", ours, "us", peer=own),
    ]


def _checks(ledger: LeasedLedger | LocalLedger) -> list[float]:
    """Microseconds of each check; the clock's own time is in them."""
    found = []
    for _ in range(CHECKS):
        began = time.perf_counter_ns()
        ledger.reserve(ONE_CALL)
        found.append((time.perf_counter_ns() - began) / 1000)
        ledger.settle(ONE_CALL, ONE_CALL)
    return found

"""The SDK's overhead as figures; measured in an interpreter that has imported nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.bench.figures import Figure


def sdk(spans: int, rounds: int) -> list[Figure]:
    """Microseconds a span and milliseconds an import over the bare SDK; has its own rounds."""
    script = Path(__file__).parent / "sdk_overhead.py"
    measured = json.loads(
        subprocess.run([sys.executable, script], capture_output=True, check=True).stdout
    )
    alone, in_run, imports = measured["alone"], measured["in_run"], measured["import"]
    guarded, looped = measured["guarded"], measured["looped"]
    return [
        Figure("@tool span", alone["tool_us"], "us", peer=alone["bare_us"]),
        Figure("  more than a bare span", alone["extra_us"], "us", at_most=3),
        Figure("@tool span in a run", in_run["tool_us"], "us", peer=in_run["bare_us"]),
        Figure("  more than a bare span", in_run["extra_us"], "us", at_most=3),
        Figure("@tool span under two guards", guarded["tool_us"], "us", peer=guarded["bare_us"]),
        Figure("  more than a bare span", guarded["extra_us"], "us", at_most=5),
        Figure("  and with a loop guard", looped["extra_us"], "us", at_most=5),
        Figure("import agentguard", imports["agentguard_ms"], "ms", peer=imports["otel_ms"]),
        Figure("  more than the OTel SDK", imports["extra_ms"], "ms", at_most=40),
    ]

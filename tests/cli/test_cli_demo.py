"""`agentguard demo`: from nothing to traces on screen, and nothing left behind."""

import re
from pathlib import Path

from tests.stack import run_cli


def test_demo_shows_real_traces_and_cleans_up(tmp_path: Path):
    """The demo ends by itself after traces, a tree, tokens, cost and addresses."""
    result = run_cli("demo", TMPDIR=str(tmp_path))
    assert result.returncode == 0, result.stderr
    for expected in (
        "research-crew-genai",
        "research-crew-openinference",
        "gpt-4o-mini",
        "execute_tool",
        "invoke_agent researcher",
        "reasoning",
        "cache read",
        "guard loop",
        "comes 3 times in a row",
        "budget",
        "took longer than 1.5 s",
        "sent after the stop",
        "OTLP/HTTP",
        "http://127.0.0.1:",
    ):
        assert expected in result.stdout, expected
    assert re.search(r"\$0\.\d+", result.stdout)
    assert "\ntrace " in result.stdout
    assert list(tmp_path.iterdir()) == []

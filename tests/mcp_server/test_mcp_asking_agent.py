"""An agent of LangGraph that asks about its budget while it runs."""

from __future__ import annotations

import json
import subprocess

from tests.integrations.environments import ROOT, python_of
from tests.mcp_server.conftest import Served
from tests.stack import clean_environment

EXAMPLE = ROOT / "examples" / "asks_about_its_budget.py"
DEAR, CHEAP = "gpt-4o", "gpt-4o-mini"


def test_it_changes_to_the_cheaper_model(served: Served):
    """At 80% of its budget, as the MCP tool tells it, the agent goes on with the cheaper model."""
    made = served.stack.cli(
        "budgets", "set", "research", "--usd", "0.05", "--project", served.project
    )
    assert made.returncode == 0, made.stderr
    scopes = ("--scope", "ingest", "--scope", "read")
    key = served.stack.cli("keys", "create", *scopes, "--project", served.project, "--json")
    variables = {
        "AGENTGUARD_ENDPOINT": served.stack.ready["api"],
        "AGENTGUARD_API_KEY": json.loads(key.stdout)["api_key"],
    }
    done = subprocess.run(
        [str(python_of("langchain")), str(EXAMPLE)],
        env=clean_environment(variables),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    *advised, answer, last = done.stdout.strip().splitlines()
    assert answer.startswith("Answer")
    # What the provider was asked for, and not what the agent says it did.
    asked = json.loads(last)["models"]
    turns = asked.index(CHEAP)
    assert turns >= 3
    assert asked == [DEAR] * turns + [CHEAP] * (len(asked) - turns)
    shares = [float(line.split("research: ")[1].split("%")[0]) for line in advised]
    # Each turn but the last asks; the answer decides on the next turn's model.
    assert [share >= 80 for share in shares] == [model == CHEAP for model in asked[1:]]

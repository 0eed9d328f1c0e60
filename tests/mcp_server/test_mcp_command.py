"""`agentguard mcp`: the program that clients start, and what it tells them to put where."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.mcp_server.conftest import Served
from tests.stack import clean_environment, run_cli

COMMAND = [sys.executable, "-m", "agentguard.cli", "mcp"]
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}


def talk(*messages: Any, arguments: tuple[str, ...] = (), **variables: str) -> list[Any]:
    """What the program writes on stdout when these messages come on stdin, line by line."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=clean_environment(variables),
        text=True,
    ) as program:
        program.stdin.write("".join(json.dumps(message) + "\n" for message in messages))
        program.stdin.flush()
        # Once a client closes it, requests that are under way are not answered any more.
        answered = [program.stdout.readline() for each in messages if "id" in each]
        rest, _ = program.communicate(timeout=60)
    return [json.loads(line) for line in [*answered, *rest.splitlines()]]


def test_a_local_stack_needs_no_key(served: Served):
    """With the data directory of an `agentguard up`, it finds the collector and the key there."""
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    arguments = ("--data-dir", str(served.stack.data_dir))
    # Every line is JSON: nothing else is ever printed on stdout.
    hello, listing = talk(HELLO, ready, LIST, arguments=arguments)
    assert hello["result"]["serverInfo"]["name"] == "agentguard"
    assert "untrusted" in hello["result"]["instructions"]
    assert "check_budget" in {tool["name"] for tool in listing["result"]["tools"]}


def test_a_collector_that_is_away_is_told(served: Served):
    """Where nothing answers, each request is answered with what to do."""
    variables = {"AGENTGUARD_ENDPOINT": "http://127.0.0.1:9", "AGENTGUARD_API_KEY": served.reading}
    hello, listing = talk(HELLO, LIST, **variables)
    assert "result" in hello
    assert "does not answer" in listing["error"]["message"]
    assert served.reading not in json.dumps(listing)


def test_a_key_is_needed(tmp_path):
    """Without a key and a local stack it ends at once, and says what to set."""
    done = run_cli("mcp", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "AGENTGUARD_API_KEY" in done.stderr


def config(client: str, *more: str, **variables: str) -> dict[str, object]:
    """What is printed for a client."""
    done = run_cli("mcp", "--print-config", client, *more, **variables)
    assert done.returncode == 0, done.stderr
    assert "put this into" in done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("client", "servers", "reference"),
    [
        ("claude-desktop", "mcpServers", "agk_..."),
        ("claude-code", "mcpServers", "${AGENTGUARD_API_KEY}"),
        ("cursor", "mcpServers", "${env:AGENTGUARD_API_KEY}"),
        ("vscode", "servers", "${input:agentguard-api-key}"),
    ],
)
def test_a_remote_key_is_referred_to(served: Served, client: str, servers: str, reference: str):
    """The snippet refers to the key as the client can, and has it only where that is asked for."""
    variables = {
        "AGENTGUARD_ENDPOINT": "https://guard.example",
        "AGENTGUARD_API_KEY": served.reading,
    }
    found = config(client, **variables)
    assert served.reading not in json.dumps(found)
    entry = found[servers]["agentguard"]
    assert entry["env"] == {
        "AGENTGUARD_ENDPOINT": "https://guard.example",
        "AGENTGUARD_API_KEY": reference,
    }
    if client == "vscode":
        assert found["inputs"][0] == {
            "type": "promptString",
            "id": "agentguard-api-key",
            "description": "AgentGuard API key",
            "password": True,
        }
    told = config(client, "--with-key", **variables)
    assert told[servers]["agentguard"]["env"]["AGENTGUARD_API_KEY"] == served.reading


def test_the_printed_command_starts_it(served: Served):
    """What the snippet for a local stack names can be started as it is, and answers."""
    entry = config("claude-desktop", "--data-dir", str(served.stack.data_dir))
    server = entry["mcpServers"]["agentguard"]
    assert "env" not in server
    done = subprocess.run(
        [server["command"], *server["args"]],
        input=json.dumps(HELLO) + "\n",
        env=clean_environment({}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert json.loads(done.stdout)["result"]["serverInfo"]["name"] == "agentguard"

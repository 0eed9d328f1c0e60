"""MCP clients."""

import json

import pytest

from tests.integrations.conftest import run_in


@pytest.fixture(scope="module", params=["openai-agents", "crewai"])
def calls(request, python_with):
    """What became of an agent's calls, with mcp 2 and with mcp 1."""
    done = run_in(python_with(request.param), "-m", "tests.integrations.mcp_client.calls")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_tool_of_a_server_is_a_tool_of_the_agent(calls):
    """One tool span a call, with what was asked and answered, in the run's tally and its trace."""
    found, failed = calls["tools"]
    assert found["gen_ai.tool.name"] == "search"
    assert found["gen_ai.tool.call.arguments"] == '{"query":"otters"}'
    assert found["gen_ai.tool.call.result"] == calls["answer"]
    assert failed["error.type"] == "tool_error"
    assert calls["failed"] == ["execute_tool fail"]
    assert calls["calls"] == {"search": 1, "fail": 1}
    assert calls["tree"][0] == "invoke_workflow librarian"
    assert calls["tree"].count("  execute_tool search") == 1


def test_the_trace_reaches_the_server(calls):
    """The server is told which trace the call is part of."""
    _, trace_id, _, flags = calls["answer"].removeprefix("otters: ").split("-")
    assert trace_id == calls["trace"]
    assert flags != "00"


def test_an_agent_that_goes_in_circles_is_stopped(calls):
    """The loop guard sees the tools of a server as any others."""
    assert calls["stopped_by"] == "loop"
    assert calls["tried"] <= 4

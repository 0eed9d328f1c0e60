"""Real clients of both SDKs use every tool, resource and prompt, over stdio and over HTTP, with
servers of both."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mcp_server.conftest import Drive, Served

READING = {
    "check_budget", "query_traces", "search", "get_alerts", "get_trace", "get_span",
    "explain_stop", "compare_traces", "get_usage", "get_costs",
}  # fmt: skip
WRITING = {
    "reserve_budget", "report_usage", "set_budget", "stop_run", "share_trace", "annotate_trace",
}  # fmt: skip
WAYS = (
    pytest.param("2.x", "stdio", "legacy", marks=pytest.mark.soak),
    ("2.x", "http", "legacy"),
    ("1.x", "http", ""),
    pytest.param("1.x", "stdio", "", marks=pytest.mark.soak),
)


def calls(server: Served, budget: str) -> list[list[Any]]:
    """One call of each tool, in an order in which all of them work."""
    well, stopped = server.well.hex, server.stopped.hex
    return [
        ["set_budget", {"name": budget, "usd": 5, "period": "day"}],
        ["reserve_budget", {"name": budget, "usd": 1, "reservation_id": f"res-{budget}"}],
        ["report_usage", {"name": budget, "reservation_id": f"res-{budget}", "usd": 0.5}],
        ["check_budget", {"name": budget}],
        ["query_traces", {"order": "cost"}],
        ["search", {"filter": "tool:web_search"}],
        ["get_alerts", {}],
        ["get_trace", {"trace_id": stopped}],
        ["get_span", {"trace_id": well, "span_id": server.well.spans[1].span_id.hex()}],
        ["explain_stop", {"trace_id": stopped}],
        ["compare_traces", {"first": well, "second": stopped}],
        ["get_usage", {}],
        ["get_costs", {"by": ["model", "agent"], "months": 2}],
        ["annotate_trace", {"trace_id": well, "text": "as it should be", "score": 1}],
        ["share_trace", {"trace_id": well, "hours": 1}],
        ["stop_run", {"run": f"run-{budget}", "reason": "a test"}],
    ]


def others(server: Served) -> list[list[Any]]:
    """What there is beside tools."""
    beginning = {"name": "trace_id", "value": server.well.hex[:6]}
    return [
        ["list_resources"],
        ["list_resource_templates"],
        ["read_resource", f"agentguard://traces/{server.stopped.hex}"],
        ["list_prompts"],
        ["get_prompt", "why-did-this-run-fail", {"trace_id": server.stopped.hex}],
        ["get_prompt", "where-does-the-money-go", {}],
        ["complete", "agentguard://traces/{trace_id}", beginning],
        ["read_resource", f"agentguard://traces/{'0' * 32}"],
        ["get_prompt", "no-such-prompt", {}],
    ]


@pytest.mark.parametrize(("sdk", "transport", "mode"), WAYS)
def test_everything_answers(server: Served, drive: Drive, sdk: str, transport: str, mode: str):
    """Every tool that is listed answers as its schema says; resources and prompts can be had."""
    asked = calls(server, f"b-{sdk}-{transport}")
    # The SDK's client compares each answer with the tool's schema, which it has from the list.
    steps = [["list_tools"], *(["call_tool", *call] for call in asked), *others(server)]
    listing, *answers = drive(server, sdk, transport, steps, mode=mode)["answers"]
    assert {tool["name"] for tool in listing["tools"]} == READING | WRITING
    assert {call[0] for call in asked} == READING | WRITING
    for call, answer in zip(asked, answers, strict=False):
        assert not answer.get("isError", False), (call, answer)
        assert "structuredContent" in answer, (call, answer)
    checked = answers[3]["structuredContent"]
    assert checked["budgets"][0]["left"]["usd"] == 4.5
    assert checked["advice"] == "go_on"
    resources, templates, trace, prompts, why, money, ids, *missing = answers[len(asked) :]
    uri = f"agentguard://traces/{server.stopped.hex}"
    assert uri in {each["uri"] for each in resources["resources"]}
    assert len(templates["resourceTemplates"]) == 2
    assert "web_search" in trace["contents"][0]["text"]
    assert len(prompts["prompts"]) == 2
    assert server.stopped.hex in why["messages"][0]["content"]["text"]
    assert "get_costs" in money["messages"][0]["content"]["text"]
    assert ids["completion"]["values"] == [server.well.hex]
    assert "no trace with this id" in missing[0]["raised"]
    assert "there is no prompt" in missing[1]["raised"]


@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_everything_answers_without_a_handshake(served: Served, drive: Drive, transport: str):
    """So do all of them for a client of the protocol of 2026-07-28, which has no handshake."""
    asked = calls(served, f"m-{transport}")
    steps = [["list_tools"], *(["call_tool", *call] for call in asked), *others(served)]
    done = drive(served, "2.x", transport, steps, mode="2026-07-28")["answers"]
    assert {tool["name"] for tool in done[0]["tools"]} == READING | WRITING
    failed = [answer for answer in done[:-2] if answer.get("isError") or "raised" in answer]
    assert failed == []

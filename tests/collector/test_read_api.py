"""The read API on a running stack: what it answers."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from decimal import Decimal

import psutil
import pytest

from agentguard.budgets.spend import Limits
from agentguard_collector.api.span_models import SpanAndMessages, SpansOut
from agentguard_collector.api.trace_models import TraceDetail
from tests.collector.read_api import Api, Asked, asked
from tests.stack import RunningStack

TRACES = 7
CALL_USD = Decimal("0.0035")  # 1,000 tokens in and 100 out of gpt-4o


@pytest.fixture(scope="module")
def project(stack: RunningStack) -> Iterator[Asked]:
    """A project with seven traces; each has four spans, two of them model calls, one failed."""
    with asked(stack, TRACES) as made:
        yield made


def test_traces_have_the_names_of_agentguard47(project: Asked):
    """A trace in a list has the members that agentguard47's users know, and its exact cost."""
    answer = project.api("/traces", params={"limit": 1})
    assert answer.status_code == 200
    [trace] = answer.json()["traces"]
    assert trace["trace_id"] == project.trace_ids[0]
    assert trace["service"] == "service-0"
    assert trace["root_name"] == "invoke_agent Researcher"
    assert (trace["event_count"], trace["error_count"]) == (4, 1)
    assert trace["duration_ms"] == 900.0
    assert trace["started_at"].endswith("Z")
    assert Decimal(trace["total_cost_exact"]) == 2 * CALL_USD == Decimal(str(trace["total_cost"]))
    assert trace["tokens"]["total"] == 2_200


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("path", ["/traces", "/spans", "/sessions", "/alerts"])
def test_pages_show_everything_once(project: Asked, path: str, limit: int):
    """Following `next_cursor` shows what one long page shows, in its order."""
    name = path.strip("/")
    whole = project.api(path, params={"limit": 1_000}).json()
    assert whole["next_cursor"] is None
    rows, cursor = [], None
    while True:
        given = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        page = project.api(path, params=given).json()
        assert len(page[name]) <= limit
        rows += page[name]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert rows == whole[name]
    assert rows


def test_a_filter_selects(project: Asked):
    """`filter` is the filter language."""
    found = project.api("/traces", params={"filter": "service:service-1 trace.errors:>0"}).json()
    assert {trace["service"] for trace in found["traces"]} == {"service-1"}
    spans = project.api("/spans", params={"filter": "attr.customer.tier:gold"}).json()["spans"]
    assert [span["name"] for span in spans] == ["execute_tool search"] * TRACES


def test_a_trace_is_told_span_by_span(project: Asked):
    """A trace has its sums and its spans, with what they carried where that is asked for."""
    path = f"/traces/{project.trace_ids[0].upper()}"
    trace = project.api(path).json()
    assert trace["complete"] is True
    assert len(trace["spans"]) == trace["event_count"] == 4
    root, model, tool, _ = trace["spans"]
    assert root["attributes"]["gen_ai.agent.name"] == "Researcher"
    assert tool["attributes"]["customer.tier"] == "gold"
    assert tool["status_message"] == "no route to host"
    assert model["cost_exact"] == f"{CALL_USD:.12f}"
    assert model["parent_span_id"] == root["span_id"]
    brief = project.api(path, params={"contents": "false"}).json()
    assert [span["span_id"] for span in brief["spans"]] == [
        span["span_id"] for span in trace["spans"]
    ]
    assert all(span["attributes"] == {} for span in brief["spans"])


def test_answers_are_as_their_models_say(project: Asked):
    """Traces and spans are put together without their models, and are as these say all the same."""
    trace = project.api(f"/traces/{project.trace_ids[0]}").json()
    assert TraceDetail.model_validate(trace).model_dump(mode="json", by_alias=True) == trace
    span = project.api(f"/traces/{project.trace_ids[0]}/spans/{3:016x}").json()
    assert SpanAndMessages.model_validate(span).model_dump(mode="json") == span
    spans = project.api("/spans").json()
    assert SpansOut.model_validate(spans).model_dump(mode="json") == spans


def test_a_span_has_its_messages(project: Asked):
    """A span alone has all that it carried, and what was said in one form."""
    span = project.api(f"/traces/{project.trace_ids[0]}/spans/{2:016x}").json()
    [message] = span["messages"]["input"]
    assert message["role"] == "user"
    assert message["parts"][0]["text"].startswith("Where is Berlin?")
    assert span["resource"]["service.name"] == "service-0"


def test_a_graph_has_who_called_whom(project: Asked):
    """The graph of a trace has its agent, model and tool, and the calls between them."""
    graph = project.api(f"/traces/{project.trace_ids[0]}/graph").json()
    assert {node["id"] for node in graph["nodes"]} == {
        "agent:Researcher",
        "model:gpt-4o",
        "tool:search",
    }
    calls = {(edge["caller"], edge["callee"]): edge["calls"] for edge in graph["edges"]}
    assert calls["agent:Researcher", "model:gpt-4o"] == 2
    agents = project.api(f"/traces/{project.trace_ids[0]}/graph", params={"kind": "agent"}).json()
    assert [node["kind"] for node in agents["nodes"]] == ["agent"]


def test_two_traces_are_compared(project: Asked):
    """Two runs that did the same have no step that differs."""
    first, second = project.trace_ids[:2]
    difference = project.api(f"/traces/{first}/compare/{second}").json()
    assert (difference["equal_count"], difference["changed_count"]) == (4, 0)
    assert difference["first"]["trace_id"] == first


def test_a_stop_that_never_was_is_404(project: Asked):
    """A trace that no guard said anything of has no stop to explain."""
    answer = project.api(f"/traces/{project.trace_ids[0]}/stop")
    assert answer.status_code == 404
    assert "no guard" in answer.json()["detail"]


def test_a_session_sums_up_its_traces(project: Asked):
    """A session is found by its id, and is the one in the list."""
    listed = project.api("/sessions").json()["sessions"]
    assert {each["session"] for each in listed} == {"session-0", "session-1", "session-2"}
    alone = project.api("/sessions/session-0").json()
    assert alone == next(each for each in listed if each["session"] == "session-0")
    assert alone["trace_count"] == 3
    assert project.api("/sessions/none").status_code == 404


def test_alerts_count_what_is_alike(project: Asked):
    """An error that several traces had is one alert, at its latest."""
    alerts = project.api("/alerts", params={"filter": "service:service-0"}).json()["alerts"]
    [alert] = alerts
    assert (alert["kind"], alert["count"], alert["trace_count"]) == ("error", 4, 4)
    assert alert["trace_id"] == project.trace_ids[0]
    assert project.api("/alerts", params={"kind": "guard_stop"}).json()["alerts"] == []


def test_usage_has_the_names_of_agentguard47(project: Asked):
    """Usage is the month's, by day."""
    usage = project.api("/usage").json()
    assert usage["event_count"] == 4 * TRACES == sum(day["event_count"] for day in usage["by_day"])
    assert usage["plan"] == "self-hosted"
    assert usage["event_limit"] is usage["max_keys"] is usage["max_users"] is None
    assert usage["retention_days"] == 30
    assert project.api("/usage", params={"month": "2020-02"}).json()["event_count"] == 0


def test_costs_have_the_names_of_agentguard47(project: Asked):
    """Costs are this month's, by model, with what stops saved as an estimate."""
    costs = project.api("/costs", params={"months": 2}).json()
    whole = 2 * TRACES * CALL_USD
    assert Decimal(costs["monthly"]["total_cost_exact"]) == whole
    assert costs["monthly"]["trace_count"] == TRACES
    [model] = costs["by_model"]
    assert (model["model"], model["call_count"]) == ("gpt-4o", 2 * TRACES)
    assert model["total_cost"] == pytest.approx(float(whole))
    assert costs["savings"]["guard_events"] == 0
    assert costs["savings"]["estimated_savings"] is None
    assert costs["savings"]["method"].startswith("estimate")
    assert len(costs["by_month"]) == 2


def test_metrics_measure_by_dimensions_and_over_time(project: Asked):
    """Any measure, by dimensions, in intervals."""
    given = {"measure": ["cost", "count", "duration_max"], "by": ["kind"], "filter": "kind:llm"}
    [row] = project.api("/metrics", params=given).json()["rows"]
    assert row["group"] == {"kind": "llm"}
    assert row["values"] == {
        "cost": pytest.approx(float(2 * TRACES * CALL_USD)),
        "count": 2 * TRACES,
        "duration_max": 300.0,
    }
    over = {"measure": "count", "interval": "minute", "start": "1h"}
    rows = project.api("/metrics", params=over).json()["rows"]
    assert sum(row["values"]["count"] for row in rows) == 4 * TRACES
    assert 60 <= len(rows) <= 62


def test_a_budget_is_checked(project: Asked):
    """The check says what is left, how fast it goes and whether to go on."""
    name = f"budget-{secrets.token_hex(4)}"
    project.control.budgets.put(project.project_id, name, Limits(calls=10))
    spender, reader = project.as_("ingest"), project.as_("read")
    fresh = reader(f"/budgets/{name}/check").json()
    assert (fresh["advice"], fresh["pots"][0]["left"]["calls"]) == ("go_on", 10)
    assert fresh["pots"][0]["burn_per_hour"]["calls"] > 0
    held = {"id": "lease-0001", "amount": {"calls": 9}}
    assert spender(f"/budgets/{name}/reserve", "POST", json=held).status_code == 200
    assert reader(f"/budgets/{name}/check").json()["advice"] == "slow_down"
    spent = {"id": "lease-0001", "spent": {"calls": 10}}
    assert spender(f"/budgets/{name}/settle", "POST", json=spent).status_code == 200
    after = reader(f"/budgets/{name}/check").json()
    assert (after["advice"], after["pots"][0]["left"]["calls"]) == ("stop", 0)
    assert spender(f"/budgets/{name}/check").status_code == 403


@pytest.mark.parametrize("path", ["/traces", "/traces/{trace}", "/usage", "/costs"])
def test_nothing_is_sent_again_that_the_caller_has(project: Asked, path: str):
    """If-None-Match with the ETag of the last answer is answered by 304, without a body."""
    path = path.format(trace=project.trace_ids[0])
    first = project.api(path)
    assert "private" in first.headers["cache-control"]
    again = project.api(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    other = project.api(path, headers={"If-None-Match": '"another"'})
    assert (other.status_code, other.content) == (200, first.content)


def test_another_project_sees_nothing(project: Asked, stack: RunningStack):
    """For a key of another project, what this one has is not there: 404, never 403."""
    other = project.control.projects.create(f"other-{secrets.token_hex(4)}")
    key = project.control.keys.mint(other.id, ["read"])[1]
    theirs = Api(stack.otlp_http, key)
    trace_id = project.trace_ids[0]
    unknown = theirs(f"/traces/{secrets.token_hex(16)}")
    for tail in ("", "/graph", "/stop", f"/spans/{2:016x}", f"/compare/{trace_id}"):
        assert theirs(f"/traces/{trace_id}{tail}").status_code == 404
    assert theirs(f"/traces/{trace_id}").content == unknown.content
    assert theirs("/sessions/session-0").status_code == 404
    for name in ("traces", "spans", "sessions", "alerts"):
        assert theirs(f"/{name}").json() == {name: [], "next_cursor": None}
    assert theirs("/usage").json()["event_count"] == 0
    assert theirs("/costs").json()["by_model"] == []
    cursor = project.api("/traces", params={"limit": 1}).json()["next_cursor"]
    assert theirs("/traces", params={"limit": 1, "cursor": cursor}).status_code == 422


def test_the_collector_reads_as_a_user_who_can_only_read(stack: RunningStack):
    """`agentguard up` hands the collector the reader's address for all that is asked."""
    variables = psutil.Process(stack.ready["pids"]["collectors"]).environ()
    assert variables["AGENTGUARD_CLICKHOUSE_READER_URL"] == stack.clickhouse
    assert variables["AGENTGUARD_CLICKHOUSE_URL"] != stack.clickhouse

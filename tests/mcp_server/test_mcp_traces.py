"""What models see of traces: trees that fit, pages, notes, and what a stop was about."""

from __future__ import annotations

from tests.mcp_server.conftest import Served
from tests.mcp_server.recorded import Recording, send


def test_a_stop_is_explained(served: Served):
    """The guard, its limit and figure, what was done before, and the repeated call are told."""
    found = served.found("explain_stop", trace_id=served.stopped.hex)
    verdict, before = found["verdict"], found["before"]
    assert (verdict["guard"], verdict["action"]) == ("loop", "stop")
    assert (verdict["limit"], verdict["used"], verdict["unit"]) == (3, 4, "calls")
    assert (before["llm_calls"], before["tool_calls"], before["errors"]) == (4, 4, 4)
    assert before["cost_usd"] > 0
    assert found["last_calls"][-1]["same"] == 4
    assert "estimate" in found["saved"]["method"]


def test_a_run_without_a_stop_is_told_so(served: Served):
    """Of a run that no guard stopped it is said that none did."""
    assert "no guard" in served.error("explain_stop", trace_id=served.well.hex)


def test_alerts_and_costs(served: Served):
    """The stop and the repeated error are alerts; costs add up to those of the runs."""
    alerts = served.found("get_alerts")["alerts"]
    assert {"guard_stop", "error"} <= {alert["kind"] for alert in alerts}
    assert next(each for each in alerts if each["kind"] == "error")["count"] == 4
    traces = served.found("query_traces", order="cost")["traces"]
    costs = served.found("get_costs", by=["model"])
    assert round(costs["total_usd"], 9) == round(sum(each["cost_usd"] for each in traces), 9)
    assert costs["groups"][0]["untrusted"]["group"] == ["gpt-4o"]


def test_pages_have_everything_once(served: Served):
    """Going on with the cursor gives every span once."""
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = served.found("search", filter="service:researcher", limit=4, **cursor)
        seen += [span["span_id"] for span in page["spans"]]
        if "next_cursor" not in page:
            break
        cursor = {"cursor": page["next_cursor"]}
    sent = [span.span_id.hex() for run in (served.well, served.stopped) for span in run.spans]
    assert sorted(seen) == sorted(sent)


def test_a_long_trace_fits_a_context(served: Served):
    """A tree is no longer than asked for, and its cursors lead to what it leaves out."""
    run = Recording(service="long")
    root = run.agent("Planner")
    for number in range(60):
        step = run.span(f"step {number:02}", root)
        for leaf in range(3):
            run.tool(step, f"tool_{number:02}_{leaf}", "{}")
    send(served.stack.otlp_http, served.sending, run)
    served.wait_for(run)
    found = served.found("get_trace", trace_id=run.hex, max_tokens=500)
    assert len(found["untrusted"]["tree"]) <= 500 * 4
    assert found["shown_spans"] < found["spans"] == 1 + 60 * 4
    [left, *_] = sorted(found["more"], key=lambda each: -each["spans"])
    more = served.found("get_trace", trace_id=run.hex, max_tokens=500, cursor=left["cursor"])
    assert more["shown_spans"] > 0
    assert more["untrusted"]["tree"] != found["untrusted"]["tree"]
    below = served.found("get_trace", trace_id=run.hex, span_id=run.spans[1].span_id.hex())
    assert below["shown_spans"] == 4


def test_notes_are_read_with_the_trace(served: Served):
    """What was noted on a trace is shown with it, as somebody's words."""
    note = {"text": "the second search was not needed", "label": "waste", "score": 0.5}
    served.found("annotate_trace", trace_id=served.well.hex, **note)
    found = served.found("get_trace", trace_id=served.well.hex)
    shown = [{key: each.get(key) for key in note} for each in found["untrusted"]["notes"]]
    assert note in shown


def test_a_reservation_is_kept_and_settled(served: Served):
    """What is reserved counts as gone, what is reported is spent, and the rest is free again."""
    served.found("set_budget", name="kept", usd=10, calls=100)
    held = served.found("reserve_budget", name="kept", usd=8, calls=1)
    checked = served.found("check_budget", name="kept")
    assert (checked["advice"], checked["budgets"][0]["used"]) == ("slow_down", 0.8)
    refused = served.found("reserve_budget", name="kept", usd=3)
    assert (refused["state"], refused["left"]["usd"]) == ("refused", 2)
    spent = {"name": "kept", "reservation_id": held["reservation_id"], "usd": 1, "calls": 1}
    assert served.found("report_usage", **spent)["left"] == {"usd": 9, "calls": 99}
    changed = served.found("set_budget", name="kept", usd=1)
    assert (changed["was"]["usd"], changed["limits"]) == (10, {"usd": 1, "calls": 100})
    assert served.found("check_budget", name="kept")["advice"] == "stop"

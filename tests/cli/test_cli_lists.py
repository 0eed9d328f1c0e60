"""`agentguard sessions`, `alerts` and `costs`, and filters and pages of `agentguard traces`."""

from __future__ import annotations

import json
import re

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Status, StatusCode

from tests.cli.test_cli_traces import run, until

SERVICE = "cli-lists"
MINE = f"service:{SERVICE}"
CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "session.id": "a session",
    "agentguard.cost.usd": 0.25,
}
STOP = {
    "gen_ai.operation.name": "guard",
    "agentguard.guard.name": "loop",
    "agentguard.guard.action": "stop",
    "agentguard.stop.reason": "asked \x1b[31m[bold]again[/]",
}


@pytest.fixture(scope="module")
def sent(stack) -> None:
    """Three traces: four model calls each, the last of which failed, and a stop in one."""
    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}))
    exporter = OTLPSpanExporter(f"{stack.otlp_http}/v1/traces", headers=stack.headers)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    for number, model in enumerate(("gpt-4o", "gpt-4o-mini", "gpt-4o-mini")):
        with tracer.start_as_current_span("root"):
            for _ in range(4):
                with tracer.start_as_current_span("call") as call:
                    call.set_attributes(CALL | {"gen_ai.request.model": model})
            call = tracer.start_span("fetch")
            call.set_status(Status(StatusCode.ERROR, "timed out"))
            call.end()
            if number == 0:
                tracer.start_span("guard loop", attributes=STOP).end()
    provider.shutdown()
    until(lambda: len(json.loads(run(stack, "traces", MINE, "--json").stdout)) == 3)


def test_traces_are_found_by_a_filter(stack, sent):
    """The filter language is the command's argument; options hold beside it."""
    found = run(stack, "traces", f"{MINE} model:gpt-4o", "--status", "error", "--json")
    [row] = json.loads(found.stdout)
    assert row["models"] == ["gpt-4o"]
    assert row["guard"] == "loop"
    assert json.loads(run(stack, "traces", f"{MINE} trace.cost:>5", "--json").stdout) == []


def test_pages_go_on(stack, sent):
    """Below a page stands the cursor of the next, and the last has none."""
    seen, arguments = [], ["traces", MINE, "--limit", "2", "--json"]
    first = run(stack, *arguments)
    [cursor] = re.findall(r"--cursor (\S+)", first.stderr)
    second = run(stack, *arguments, "--cursor", cursor)
    assert "--cursor" not in second.stderr
    seen = [row["trace_id"] for page in (first, second) for row in json.loads(page.stdout)]
    assert len(seen) == len(set(seen)) == 3


def test_the_dearest_come_first(stack, sent):
    """An order is asked for by name."""
    rows = json.loads(run(stack, "traces", MINE, "--order", "spans", "--json").stdout)
    assert [row["span_count"] for row in rows] == [7, 6, 6]


def test_sessions_are_listed(stack, sent):
    """A session has the sums of its traces."""
    [row] = json.loads(run(stack, "sessions", MINE, "--json").stdout)
    assert (row["session"], row["trace_count"], row["stopped_traces"]) == ("a session", 3, 1)
    assert float(row["cost"]) == 3
    assert "a session" in run(stack, "sessions", MINE).stdout


def test_alerts_are_listed(stack, sent):
    """A stop is one line, and equal errors are one."""
    rows = json.loads(run(stack, "alerts", MINE, "--json").stdout)
    assert {(row["kind"], row["count"]) for row in rows} == {("guard_stop", 1), ("error", 3)}
    table = run(stack, "alerts", MINE).stdout
    assert "[bold]again[/]" in table
    assert "\x1b[31m" not in table


def test_costs_are_shown(stack, sent):
    """Dollars by model or by anything else, and without a filter what stops saved."""
    found = json.loads(run(stack, "costs", MINE, "--json").stdout)
    assert {(row["group"][1], float(row["cost"])) for row in found["costs"]} == {
        ("gpt-4o", 1.0),
        ("gpt-4o-mini", 2.0),
    }
    assert "gpt-4o-mini" in run(stack, "costs", MINE).stdout
    assert "a session" in run(stack, "costs", MINE, "--by", "session").stdout
    assert "estimate" in run(stack, "costs").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("traces", "modle:gpt-4o"), "did you mean 'model'"),
        (("alerts", "cost:>>"), "column"),
        (("sessions", '"open'), "column"),
        (("costs", "nonsense:1"), "column"),
        (("traces", "--cursor", "made-up"), "cursor"),
        (("alerts", "--limit", "0"), "limit"),
        (("sessions", "--since", "1h", "--until", "2h"), "not before"),
    ],
)
def test_mistakes_are_told(stack, arguments, said):
    """A user's mistake is a line on stderr with its place, and an exit code of 2."""
    result = run(stack, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr

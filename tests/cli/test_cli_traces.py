"""`agentguard traces` and `agentguard trace`, on spans that a real exporter sent."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Status, StatusCode, Tracer, format_trace_id
from typer.testing import CliRunner

from agentguard.cli.app import app
from agentguard.cli.datadir import Endpoints

HOSTILE = "[bold red]boom[/] \x1b[31mred\x07"


def run(stack, *arguments: str):
    """The result of `agentguard ...` on the data directory of `stack`."""
    configured = {name: None for name in os.environ if name.startswith("AGENTGUARD_")}
    environment = {**configured, "AGENTGUARD_DATA_DIR": str(stack.data_dir)}
    return CliRunner().invoke(app, arguments, env=environment)


def until(condition: Callable[[], object]) -> None:
    """Wait until `condition()` is true, at most 30 s."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.1)


def send(stack, service: str, runs: int = 1) -> list[str]:
    """Send small agent runs of three spans each; returns their trace ids."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    exporter = OTLPSpanExporter(f"{stack.otlp_http}/v1/traces", headers=stack.headers)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    ids = [agent_run(provider.get_tracer("test")) for _ in range(runs)]
    provider.shutdown()
    return ids


def agent_run(tracer: Tracer) -> str:
    """An agent with a model call and a failed tool call; returns the trace id."""
    with tracer.start_as_current_span("invoke_agent planner") as root:
        root.set_attribute("gen_ai.operation.name", "invoke_agent")
        root.set_attribute("gen_ai.agent.name", "planner")
        with tracer.start_as_current_span("chat gpt-4o-mini") as call:
            call.set_attributes(
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.provider.name": "openai",
                    "gen_ai.request.model": "gpt-4o-mini",
                    "gen_ai.response.model": "gpt-4o-mini",
                    "gen_ai.usage.input_tokens": 1200,
                    "gen_ai.usage.cache_read.input_tokens": 200,
                    "gen_ai.usage.output_tokens": 80,
                }
            )
        with tracer.start_as_current_span(f"execute_tool {HOSTILE}") as tool:
            tool.set_attribute("gen_ai.operation.name", "execute_tool")
            tool.set_attribute("gen_ai.tool.name", HOSTILE)
            tool.set_status(Status(StatusCode.ERROR, HOSTILE))
    return format_trace_id(root.get_span_context().trace_id)


@pytest.fixture(scope="module")
def trace_id(stack) -> str:
    """A trace of three spans, sent by the service `cli-traces`."""
    (sent,) = send(stack, "cli-traces")

    def whole() -> bool:
        found = run(stack, "trace", sent, "--json")
        return found.exit_code == 0 and len(json.loads(found.stdout)) == 3

    until(whole)
    return sent


def test_listed_with_tokens_cost_and_errors(stack, trace_id):
    """A trace is listed with what it cost, in tokens and in dollars, and with its errors."""
    listed = run(stack, "traces", "--service", "cli-traces", "--json")
    (row,) = json.loads(listed.stdout)
    assert row["trace_id"] == trace_id
    assert row["root_name"] == "invoke_agent planner"
    assert (row["span_count"], row["llm_calls"], row["error_count"]) == (3, 1, 1)
    assert (row["input_tokens"], row["cache_read_tokens"], row["output_tokens"]) == (1000, 200, 80)
    assert float(row["cost"]) > 0
    table = run(stack, "traces", "--service", "cli-traces")
    assert trace_id[:12] in table.stdout
    assert "gpt-4o-mini" in table.stdout


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (("--status", "error"), True),
        (("--status", "ok"), False),
        (("--text", "planner"), True),
        (("--text", "nobody wrote this"), False),
        (("--since", "1h"), True),
        (("--until", "1h"), False),
    ],
)
def test_filters(stack, trace_id, flags, found):
    """Each filter keeps what it should and nothing else."""
    result = run(stack, "traces", "--service", "cli-traces", *flags, "--json")
    assert result.exit_code == 0, result.stderr
    assert [row["trace_id"] for row in json.loads(result.stdout)] == [trace_id] * found


def test_tree_shows_what_happened(stack, trace_id):
    """The tree has every span with kind, model, disjoint tokens, cost and error."""
    tree = run(stack, "trace", trace_id).stdout
    lines = tree.splitlines()
    assert trace_id in lines[0]
    assert "agent" in lines[1]
    assert "invoke_agent planner" in lines[1]
    assert "llm" in lines[2]
    assert "1,000 in + 200 cache read + 80 out tokens" in lines[2]
    assert "$" in lines[2]
    assert "error: [bold red]boom[/]" in tree


def test_what_agents_send_cannot_drive_the_terminal(stack, trace_id):
    """Control characters are gone and markup is shown as text, in the tree and in the table."""
    for shown in (run(stack, "trace", trace_id), run(stack, "traces", "--service", "cli-traces")):
        assert "\x07" not in shown.stdout
        assert "\x1b[31mred" not in shown.stdout


def test_beginning_of_an_id_is_enough(stack, trace_id):
    """A beginning that only one trace has stands for its id."""
    assert trace_id in run(stack, "trace", trace_id[:16]).stdout


def test_beginning_of_several_ids_is_refused(stack, trace_id):
    """A beginning that more traces have is not guessed at."""
    starts = Counter(one[0] for one in send(stack, "cli-more", runs=17))
    shared = next(start for start, times in starts.items() if times > 1)

    def refused() -> bool:
        result = run(stack, "trace", shared)
        return result.exit_code == 1 and "more than one trace" in result.stderr

    until(refused)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (("trace", "f" * 32), 1, "no trace"),
        (("trace", "not-an-id"), 2, "not a trace id"),
        (("traces", "--since", "tomorrow"), 2, "not a time"),
        (("traces", "--since", "1h", "--until", "2h"), 2, "not before"),
        (("traces", "--project", "nope"), 1, "no project 'nope'"),
        (("traces", "--status", "fine"), 2, "fine"),
    ],
)
def test_mistakes_are_told(stack, arguments, exit_code, said):
    """A user's mistake is a line on stderr and an exit code."""
    result = run(stack, *arguments)
    assert result.exit_code == exit_code
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_nothing_running_is_told(tmp_path):
    """Where nothing answers the commands say what to do instead of failing obscurely."""
    dead = "http://127.0.0.1:1"
    dsn = "clickhouse://reader:hidden@127.0.0.1:1/agentguard"
    Endpoints(dead, dead, dead, dsn, "agk_none", str(tmp_path)).write()
    flags = ["--data-dir", str(tmp_path), "--project", "prj_aaaaaaaaaaaa"]
    result = CliRunner().invoke(app, ["traces", *flags])
    assert result.exit_code == 1
    assert "agentguard up" in result.stderr
    assert "hidden" not in result.stderr
    assert "Traceback" not in result.stderr

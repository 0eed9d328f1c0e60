"""`agentguard traces` and `agentguard trace`, on spans that a real exporter sent."""

import json
import time

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Status, StatusCode, format_trace_id

HOSTILE = "[bold red]boom[/] \x1b[31mred\x07"


def send(stack, service: str) -> str:
    """Send a small agent run; returns its trace id once it can be read."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    exporter = OTLPSpanExporter(f"{stack.otlp_http}/v1/traces", headers=stack.headers)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
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
    provider.shutdown()
    trace_id = format_trace_id(root.get_span_context().trace_id)
    deadline = time.monotonic() + 30
    while True:
        found = stack.cli("trace", trace_id, "--json")
        if found.returncode == 0 and len(json.loads(found.stdout)) == 3:
            return trace_id
        assert time.monotonic() < deadline, found.stderr
        time.sleep(0.1)


@pytest.fixture(scope="module")
def trace_id(stack) -> str:
    """A trace of three spans, sent by the service `cli-traces`."""
    return send(stack, "cli-traces")


def test_listed_with_tokens_cost_and_errors(stack, trace_id):
    """A trace is listed with what it cost, in tokens and in dollars, and with its errors."""
    listed = stack.cli("traces", "--service", "cli-traces", "--json")
    (row,) = json.loads(listed.stdout)
    assert row["trace_id"] == trace_id
    assert row["root_name"] == "invoke_agent planner"
    assert (row["span_count"], row["llm_calls"], row["error_count"]) == (3, 1, 1)
    assert (row["input_tokens"], row["cache_read_tokens"], row["output_tokens"]) == (1000, 200, 80)
    assert float(row["cost"]) > 0
    table = stack.cli("traces", "--service", "cli-traces")
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
    result = stack.cli("traces", "--service", "cli-traces", *flags, "--json")
    assert result.returncode == 0, result.stderr
    assert [row["trace_id"] for row in json.loads(result.stdout)] == [trace_id] * found


def test_tree_shows_what_happened(stack, trace_id):
    """The tree has every span with kind, model, disjoint tokens, cost and error."""
    tree = stack.cli("trace", trace_id).stdout
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
    for shown in (stack.cli("trace", trace_id), stack.cli("traces", "--service", "cli-traces")):
        assert "\x07" not in shown.stdout
        assert "\x1b[31mred" not in shown.stdout


def test_beginning_of_an_id_is_enough(stack, trace_id):
    """A beginning that only one trace has stands for its id."""
    assert trace_id in stack.cli("trace", trace_id[:16]).stdout


def test_beginning_of_several_ids_is_refused(stack, trace_id):
    """A beginning that more traces have is not guessed at."""
    others = [send(stack, "cli-more") for _ in range(17)]
    starts = [one[:1] for one in others]
    shared = next(start for start in starts if starts.count(start) > 1)
    result = stack.cli("trace", shared)
    assert result.returncode == 1
    assert "more than one trace" in result.stderr


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
    result = stack.cli(*arguments)
    assert result.returncode == exit_code
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_nothing_running_is_told(tmp_path, start_stack):
    """After `up` has ended the commands say what to do instead of failing obscurely."""
    running = start_stack(tmp_path / "data")
    running.process.stop(60)
    result = running.cli("traces")
    assert result.returncode == 1
    assert "agentguard up" in result.stderr
    assert "Traceback" not in result.stderr

"""Sending: what arrives, and what becomes of the agent when nothing can."""

import logging
import os
import time

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

import agentguard
from agentguard import export
from tests.sdk.waiting import wait_until

PROBLEM = "were not delivered"


def make_spans(count: int, **attributes: object) -> None:
    """Make spans named execute_tool 0, 1, ..."""
    for number in range(count):
        with agentguard.tool_span(str(number), attributes=attributes):
            pass


def warnings(caplog) -> list[str]:
    """Everything that was logged at warning or above, by anybody."""
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_every_span_arrives_once(record, sink):
    """Spans arrive once each, as OTLP protobuf with gzip, with the key, on the traces path."""
    recorded = record(api_key="agk_hush", headers={"X-Team": "blue"})
    make_spans(1500)
    assert recorded.handle.flush()
    assert sorted(sink.names, key=lambda name: int(name.split()[1])) == [
        f"execute_tool {number}" for number in range(1500)
    ]
    first = sink.requests[0]
    assert first.path == "/v1/traces"
    assert first.headers["content-type"] == "application/x-protobuf"
    assert first.headers["content-encoding"] == "gzip"
    assert first.headers["authorization"] == "Bearer agk_hush"
    assert first.headers["x-team"] == "blue"
    stats = recorded.handle.stats
    assert (stats.exported, stats.failed, stats.dropped, stats.waiting) == (1500, 0, 0, 0)


@pytest.mark.parametrize("compression", ["gzip", "deflate", "none"])
def test_compressions(record, sink, compression):
    """Each compression arrives and is declared."""
    recorded = record(compression=compression)
    make_spans(3)
    assert recorded.handle.flush()
    assert len(sink.spans) == 3
    assert sink.requests[0].headers.get("content-encoding", "none") == compression


def test_spans_are_sent_by_themselves(record, sink):
    """Without a flush, spans are sent after the schedule's delay."""
    record(schedule_delay=0.05)
    make_spans(2)
    wait_until(lambda: len(sink.spans) == 2)


def test_only_our_headers_leave(record, sink, monkeypatch, tmp_path):
    """Neither another vendor's OTEL_ headers nor a .netrc entry reach the collector."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hush\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-vendor=hush,authorization=hush")
    recorded = record(api_key="agk_ours")
    make_spans(1)
    assert recorded.handle.flush()
    assert sink.requests[0].headers["authorization"] == "Bearer agk_ours"
    assert "hush" not in str(sink.requests[0].headers)


def test_large_batches_are_cut(record, sink):
    """A batch with much text goes in several requests, since collectors bound their size."""
    recorded = record(schedule_delay=60)
    make_spans(10, text="x" * 900_000)
    assert recorded.handle.flush(30)
    assert len(sink.spans) == 10
    assert len(sink.requests) == 3


def test_transient_errors_are_retried(record, sink):
    """A collector that is busy for a moment gets the spans a moment later, once."""
    sink.answers.append((503, {"Retry-After": "0"}))
    recorded = record()
    make_spans(4)
    assert recorded.handle.flush(10)
    assert (len(sink.spans), sink.attempts) == (4, 2)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "HTTP 401: the API key is missing or not valid"), (400, "HTTP 400"), (302, "HTTP 302")],
)
def test_refusals_are_told(record, sink, caplog, status, reason):
    """A refusal is final: one warning says how many, where and why, without the key."""
    sink.answers.append((status, {"Location": f"{sink.url}/elsewhere"}))
    recorded = record(api_key="agk_hush")
    make_spans(4)
    assert not recorded.handle.flush()
    assert (recorded.handle.stats.failed, sink.attempts) == (4, 1)
    (line,) = warnings(caplog)
    assert line.startswith(f"4 spans {PROBLEM} to {sink.url}/v1/traces ({reason}")
    assert "hush" not in caplog.text


def test_partial_success_is_told(record, sink, caplog):
    """Spans that the collector did not take count as failed, and its reason is told."""
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 1
    answer.partial_success.error_message = "a zero id"
    sink.body = answer.SerializeToString()
    recorded = record(schedule_delay=60)
    make_spans(3)
    assert not recorded.handle.flush()
    assert (recorded.handle.stats.exported, recorded.handle.stats.failed) == (2, 1)
    (line,) = warnings(caplog)
    assert line.startswith(f"1 spans {PROBLEM}")
    assert "a zero id" in line


def test_a_backend_may_answer_in_words(record, sink, caplog):
    """A backend that answers a success with something else than OTLP took the spans."""
    sink.body = b"<p>thanks</p>"
    recorded = record()
    make_spans(3)
    assert recorded.handle.flush()
    assert warnings(caplog) == []


def test_one_bad_span_goes_alone(record, sink, caplog):
    """A span that cannot be encoded is lost alone: the others of its batch arrive."""
    recorded = record(schedule_delay=60)
    make_spans(5)
    with agentguard.tool_span("\ud800"):
        pass
    make_spans(5)
    assert not recorded.handle.flush()
    assert (len(sink.spans), recorded.handle.stats.failed) == (10, 1)
    (line,) = warnings(caplog)
    assert "the span 'execute_tool \\ud800' cannot be encoded" in line


def test_one_bad_attribute_goes_alone(record, sink, caplog):
    """An attribute that cannot be encoded is left out, without a stack trace on the screen."""
    recorded = record()
    make_spans(1, text="\ud800", kept="yes")
    assert recorded.handle.flush()
    assert {pair.key for pair in sink.spans[0].attributes} >= {"kept", "gen_ai.tool.name"}
    assert warnings(caplog) == []


def test_one_warning_a_minute(record, refusing, caplog, monkeypatch):
    """However much is lost, there is one line a minute, which counts what came since the last."""
    recorded = record(endpoint=refusing, export_timeout=0.2)
    for _ in range(3):
        make_spans(2)
        assert not recorded.handle.flush()
    (line,) = warnings(caplog)
    assert line.startswith(f"2 spans {PROBLEM}")
    assert "connection refused" in line
    monkeypatch.setattr(export, "WARNING_INTERVAL", 0)
    make_spans(2)
    assert not recorded.handle.flush()
    assert warnings(caplog)[1].startswith(f"6 spans {PROBLEM}")


def test_a_full_queue_drops_and_counts(record, black_hole, caplog):
    """With nobody answering the queue stays bounded, and what does not fit is counted."""
    recorded = record(
        endpoint=black_hole, queue_size=50, batch_size=10, flush_timeout=0.3, export_timeout=30
    )
    start = time.monotonic()
    make_spans(1000)
    assert time.monotonic() - start < 5, "an agent does not wait for its telemetry"
    stats = recorded.handle.stats
    assert stats.waiting <= 50
    assert stats.dropped == 1000 - stats.waiting
    recorded.handle.shutdown()
    assert (stats.waiting, stats.exported, stats.lost) == (0, 0, 1000)
    (line,) = warnings(caplog)
    assert "no answer before the program ended" in line


@pytest.mark.parametrize("timeout", [0.1, 0.5])
def test_flush_is_bounded(record, black_hole, timeout):
    """A flush takes no longer than it is given, and tells that it failed."""
    recorded = record(endpoint=black_hole, flush_timeout=0.2)
    make_spans(1)
    start = time.monotonic()
    assert not recorded.handle.flush(timeout)
    assert timeout <= time.monotonic() - start < timeout + 3


def test_unsampled_spans_stay_home(sink):
    """What a sampler decided not to keep is neither sent nor counted."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    handle = agentguard.init(tracer_provider=provider, endpoint=sink.url)
    make_spans(3)
    assert handle.flush()
    assert (sink.attempts, handle.stats.exported) == (0, 0)
    handle.shutdown()


def test_forked_child_keeps_sending(record, sink):
    """A forked child sends its own spans on its own connection, and its parent's stay its own."""
    recorded = record(schedule_delay=60)
    make_spans(1)
    assert recorded.handle.flush()
    with agentguard.tool_span("parent"):
        pass
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            with agentguard.tool_span("child"):
                pass
            code = 0 if recorded.handle.flush(10) and recorded.handle.stats.exported == 1 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert recorded.handle.flush(10)
    assert sink.names == ["execute_tool 0", "execute_tool child", "execute_tool parent"]

"""The workload keeps its promises: nothing repeats, and what is owed is known exactly."""

import http.server
import threading
import time

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.bench.conversation import TAG, Profile
from tests.bench.sender import Job, OtlpConnection, _Run
from tests.bench.workload import BATCH_SPANS, Workload

TINY = Profile(turns=2, words=20, traces=50, services=2, pause=1.0)
NOW = 1_800_000_000 * 10**9


@pytest.fixture(scope="module")
def workload():
    """A small workload."""
    return Workload(TINY)


def spans_of(body):
    """The spans in a request body."""
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    return resource.scope_spans[0].spans


def test_a_wave_holds_each_span_once_and_the_next_wave_others(workload):
    """Two waves share no span id and no text; each has whole traces whose parents exist."""
    bodies = workload.batches(lambda: NOW)
    waves = [[next(bodies) for _ in workload.templates] for _ in range(2)]
    ids = [{s.span_id for b in wave for s in spans_of(b.body)} for wave in waves]
    assert len(ids[0]) == len(ids[1]) == workload.wave_spans
    assert not ids[0] & ids[1]
    for wave, known in zip(waves, ids, strict=True):
        spans = [span for batch in wave for span in spans_of(batch.body)]
        assert {s.parent_span_id for s in spans if s.parent_span_id} < known
        assert sum(not s.parent_span_id for s in spans) == len({s.trace_id for s in spans}) == 100
        assert TAG.encode() not in b"".join(batch.body for batch in wave)
    asked = [
        {a.value.string_value for b in w for s in spans_of(b.body) for a in s.attributes
         if a.key == "gen_ai.input.messages"}
        for w in waves
    ]  # fmt: skip
    assert asked[0]
    assert not asked[0] & asked[1]


def test_spans_come_in_order_of_their_end_and_conversations_interleave(workload):
    """As an exporter sends them: ordered by end within a service, many traces in one body."""
    batch = next(workload.batches(lambda: NOW))
    spans = spans_of(batch.body)
    ends = [span.end_time_unix_nano for span in spans]
    assert ends == sorted(ends)
    assert all(s.start_time_unix_nano <= s.end_time_unix_nano < NOW for s in spans)
    assert len({span.trace_id for span in spans}) > 20
    assert len(spans) == batch.spans <= BATCH_SPANS


def test_what_is_owed_is_what_was_in_the_body(workload):
    """The account of a body names its spans and the cost of each model call in it."""
    bodies = workload.batches(lambda: NOW, first_wave=7)
    batch = next(bodies)
    expected = list(workload.expected(batch.wave, batch.index))
    assert [(e.trace_id, e.span_id) for e in expected] == [
        (s.trace_id.hex(), s.span_id.hex()) for s in spans_of(batch.body)
    ]
    chats = [s.name.startswith("chat ") for s in spans_of(batch.body)]
    assert [bool(e.cost) for e in expected] == chats


class Moody(http.server.BaseHTTPRequestHandler):
    """Hangs up on one request, refuses another, and accepts the rest."""

    protocol_version = "HTTP/1.1"
    seen = 0
    bodies: list[bytes]

    def do_POST(self):
        """Answer by the number of the request."""
        Moody.seen += 1
        body = self.rfile.read(int(self.headers["content-length"]))
        if Moody.seen == 2:
            self.close_connection = True
            return
        if Moody.seen != 4:
            Moody.bodies.append(body)
        self.send_response(503 if Moody.seen == 4 else 200)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        """Say nothing."""


def test_a_batch_is_sent_until_it_is_acknowledged(workload):
    """A broken connection and a 503 are retried with the same bytes, and counted."""
    Moody.bodies = []
    server = http.server.HTTPServer(("127.0.0.1", 0), Moody)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        job = Job(server.server_port, spans=4 * BATCH_SPANS, connections=1)
        account = _Run(job, workload.batches(time.time_ns)).run()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert (account.broken, account.refused) == (1, 1)
    owed = [(e.trace_id, e.span_id) for b in account.acknowledged
            for e in workload.expected(b.wave, b.index)]  # fmt: skip
    got = [(s.trace_id.hex(), s.span_id.hex()) for b in Moody.bodies for s in spans_of(b)]
    assert owed == got
    assert account.spans == len(got)


def test_a_closed_port_is_an_error_of_the_connection():
    """Where nobody listens, posting raises instead of pretending."""
    with pytest.raises(OSError, match="refused"):
        OtlpConnection(1, {}).post(b"")

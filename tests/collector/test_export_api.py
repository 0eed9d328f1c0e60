"""GET /api/v1/export of a running collector."""

from __future__ import annotations

import gzip
import io
import json
import time
from datetime import UTC, datetime, timedelta

import httpx2
import pyarrow.parquet as pq
import pytest

from agentguard.client import Client
from agentguard_storage.clickhouse import connect
from agentguard_storage.export import FORMATS
from tests.bench.workload import SHORT, Workload
from tests.collector.otlp_samples import make_request, make_span
from tests.pipeline import Pipeline
from tests.plain_http import NO_TLS
from tests.storage.export.exporting import held
from tests.storage.telemetry.telemetry_store import Store

PROTOBUF = {"content-type": "application/x-protobuf"}
SCOPES = ("--scope", "ingest", "--scope", "read")


def get(pipeline: Pipeline, **parameters: str) -> httpx2.Response:
    """An export with these parameters, whole."""
    return httpx2.get(
        f"{pipeline.otlp_http}/api/v1/export",
        params=parameters,
        headers=pipeline.stack.headers,
        timeout=60,
        verify=NO_TLS,
    )


def send(
    pipeline: Pipeline, body: bytes, kind: str = "application/x-protobuf", key: str = ""
) -> None:
    """Send spans as an exporter does, with the stack's key or another."""
    authorization = f"Bearer {key or pipeline.api_key}"
    httpx2.post(
        f"{pipeline.otlp_http}/v1/traces",
        content=body,
        headers={"authorization": authorization, "content-type": kind},
        timeout=60,
        verify=NO_TLS,
    ).raise_for_status()


@pytest.fixture(scope="module")
def many(pipeline: Pipeline) -> int:
    """More spans than any buffer between the engine and a client holds; returns how many."""
    sent = 0
    for batch in Workload(SHORT, seed=7).batches(time.time_ns):
        send(pipeline, batch.body)
        sent += batch.spans
        if sent >= 15_000:
            break
    pipeline.wait_until_stored()
    return sent


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_is_named_and_whole(pipeline, form):
    """An export says what it is and what a file of it may be called."""
    span = make_span(name=f"export of {form}")
    send(pipeline, make_request(span).SerializeToString())
    pipeline.wait_until_stored()
    answer = get(pipeline, format=form, filter=f'name:"export of {form}"', start="1h")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == FORMATS[form].media_type
    assert f'.{FORMATS[form].extension}"' in answer.headers["content-disposition"]
    if form == "parquet":
        assert pq.read_table(io.BytesIO(answer.content)).num_rows == 1
        assert "content-encoding" not in answer.headers
    else:
        assert answer.content.count(span.span_id.hex().encode()) == 1
        assert answer.headers["content-encoding"] == "gzip"


def test_it_is_compressed_for_those_who_accept_it_alone(pipeline):
    """A client that does not accept gzip is sent plain bytes."""
    url, headers = f"{pipeline.otlp_http}/api/v1/export?format=csv", pipeline.stack.headers
    with httpx2.Client(verify=NO_TLS) as client:
        for accepted, packed in (("gzip", True), ("gzip;q=0", False), ("identity", False)):
            asked = {**headers, "accept-encoding": accepted}
            with client.stream("GET", url, headers=asked) as answer:
                raw = b"".join(answer.iter_raw())
            plain = gzip.decompress(raw) if packed else raw
            assert plain.startswith(b"trace_id,span_id,")


@pytest.mark.parametrize(
    ("parameters", "where"),
    [
        ({"format": "xml"}, "format"),
        ({"filter": "modle:x"}, "filter"),
        ({"start": "2026-01-02", "end": "2026-01-01"}, "end"),
        ({"start": "2016-01-01", "end": "2026-01-01"}, "start"),
        ({"limit": "5"}, "limit"),
        ({"filter": "'; DROP TABLE spans --"}, None),
    ],
)
def test_what_cannot_be_exported_is_refused(pipeline, parameters, where):
    """A wrong parameter is told before anything is streamed, as a problem."""
    answer = get(pipeline, **parameters)
    if where is None:
        assert answer.status_code in (200, 400, 422)
        return
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert where in answer.text


def test_nobody_exports_without_a_key(pipeline):
    """Spans are shown to keys of their project alone."""
    answer = httpx2.get(f"{pipeline.otlp_http}/api/v1/export", verify=NO_TLS)
    assert answer.status_code == 401


def until_idle(pipeline: Pipeline) -> None:
    """Wait until the engine reads no spans; AssertionError after two seconds."""
    deadline = time.monotonic() + 2
    while pipeline.client.query(
        "SELECT count() FROM system.processes"
        " WHERE query NOT LIKE '%system.processes%' AND query LIKE '%FROM spans%'"
    ).result_rows != [(0,)]:
        assert time.monotonic() < deadline, "the engine still works for nobody"
        time.sleep(0.02)


def test_a_client_that_hangs_up_ends_the_export(pipeline, many):
    """The engine is idle soon after, and whoever hung up may ask for the next one."""
    url = f"{pipeline.otlp_http}/api/v1/export?format=otlp-ndjson&start=1h"
    for _ in range(6):
        with (
            httpx2.Client(verify=NO_TLS, timeout=30, headers=pipeline.stack.headers) as client,
            client.stream("GET", url, headers={"accept-encoding": "identity"}) as answer,
        ):
            assert answer.status_code == 200
            assert next(answer.iter_raw(1_000))
    until_idle(pipeline)
    whole = get(pipeline, format="ndjson", start="1h")
    assert whole.status_code == 200
    assert len(whole.content.splitlines()) >= many


def test_others_are_answered_while_an_export_waits(pipeline, many):
    """A client that stands still in the middle of a stream keeps nobody else waiting."""
    url = f"{pipeline.otlp_http}/api/v1/export?format=json&start=1h"
    headers = {**pipeline.stack.headers, "accept-encoding": "identity"}
    with (
        httpx2.Client(verify=NO_TLS, timeout=30) as client,
        client.stream("GET", url, headers=headers) as answer,
        Client(pipeline.otlp_http, pipeline.api_key) as other,
    ):
        assert next(answer.iter_raw(1_000))
        until_idle(pipeline)
        assert next(other.traces(page_size=1))


def test_a_second_collector_makes_an_equal_store(pipeline, start_stack, tmp_path):
    """OTLP/JSON of one collector, sent to another one over HTTP, is the same in every table."""
    # The one has a project of its own among those of all tests; the other is new.
    project = json.loads(pipeline.stack.cli("projects", "create", "exported", "--json").stdout)
    made = pipeline.stack.cli("keys", "create", "--project", "exported", *SCOPES, "--json")
    key = json.loads(made.stdout)["api_key"]
    second = Pipeline(start_stack(tmp_path / "second"))
    for batch in Workload(SHORT, seed=3).batches(time.time_ns):
        send(pipeline, batch.body, key=key)
        if batch.index == 3:
            break
    pipeline.wait_until_stored()
    now = datetime.now(UTC)
    with Client(pipeline.otlp_http, key) as client:
        path = tmp_path / "spans.otlp.ndjson"
        client.export(path, "otlp-ndjson", start=now - timedelta(hours=1), end=now)
    for line in path.read_bytes().splitlines():
        send(second, line, "application/json")
    second.wait_until_stored()
    rows = [
        held(Store(dsn, connect(dsn)), of)
        for dsn, of in (
            (pipeline.stack.clickhouse, project["id"]),
            (second.stack.clickhouse, second.project),
        )
    ]
    assert len(rows[0]["spans"]) > 1_000
    assert rows[0] == rows[1]
    assert json.loads(path.read_bytes().splitlines()[0])["resourceSpans"]

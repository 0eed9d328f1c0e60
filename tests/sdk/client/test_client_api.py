"""The client against a running collector: every method, sync and async."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agentguard.client import (
    AsyncClient,
    BadRequest,
    Client,
    ConnectionFailed,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
)
from tests.collector.otlp_samples import make_request, make_span
from tests.pipeline import Pipeline
from tests.plain_http import NO_TLS


@pytest.fixture(scope="module")
def sent(pipeline: Pipeline) -> list[Span]:
    """A trace of three spans, stored: a failed root, and two calls of a model."""
    root = make_span(name="root", trace_id=os.urandom(16))
    root.status.code = 2
    children = [
        make_span(trace_id=root.trace_id, parent_span_id=root.span_id, name=f"call {n}")
        for n in range(2)
    ]
    post(pipeline, make_request(root, *children))
    pipeline.wait_until_stored()
    return [root, *children]


def post(pipeline: Pipeline, request: ExportTraceServiceRequest) -> None:
    """Send spans as an exporter does."""
    httpx2.post(
        f"{pipeline.otlp_http}/v1/traces",
        content=request.SerializeToString(),
        headers={**pipeline.stack.headers, "content-type": "application/x-protobuf"},
        verify=NO_TLS,
    ).raise_for_status()


def key_of(pipeline: Pipeline, *scopes: str) -> str:
    """A new key with these scopes."""
    made = pipeline.stack.cli("keys", "create", *(f"--scope={each}" for each in scopes), "--json")
    return str(json.loads(made.stdout)["api_key"])


@pytest.fixture(scope="module")
def client(pipeline: Pipeline):
    """A client that may do everything."""
    with Client(pipeline.otlp_http, key_of(pipeline, "admin")) as made:
        yield made


def test_a_trace_is_read_in_every_way(client, sent):
    """What was sent is in lists, alone, span by span, as a graph and in comparison."""
    trace_id = sent[0].trace_id.hex()
    [row] = [each for each in client.traces(page_size=500) if each.trace_id == trace_id]
    assert row.event_count == 3
    assert row.error_count == 1
    assert isinstance(row.total_cost_exact, Decimal)
    trace = client.trace(trace_id)
    assert {span.span_id for span in trace.spans} == {span.span_id.hex() for span in sent}
    assert trace.started_at.tzinfo is not None
    span = client.span(trace_id, sent[1].span_id.hex())
    assert span.attributes["gen_ai.request.model"] == "gpt-4o"
    assert client.trace_graph(trace_id).spans == 3
    assert client.compare_traces(trace_id, trace_id).changed == []


def test_pages_are_followed_to_the_end(client, sent):
    """Iterating goes on over as many pages as there are, and gives each row once."""
    known = f"trace_id:{sent[0].trace_id.hex()}"
    found = [span.span_id for span in client.spans(known, page_size=1)]
    assert sorted(found) == sorted(span.span_id.hex() for span in sent)


def test_figures_are_read(client, sent):
    """Usage, costs, measures and completions have what was sent in them."""
    assert client.usage().event_count >= 3
    assert client.costs().monthly is not None
    measured = client.metrics(
        ["count", "cost"], by="model", start=datetime.now(UTC) - timedelta(hours=1)
    )
    assert any((row.group or {}).get("model") == "gpt-4o" for row in measured.rows)
    assert client.complete("kin").completions
    assert isinstance(list(client.sessions()), list)
    assert any(alert.trace_id == sent[0].trace_id.hex() for alert in client.alerts())


def test_a_budget_lives_through_the_client(client):
    """A budget is made, held, settled, checked, reset and deleted."""
    name = f"b-{uuid4().hex[:8]}"
    made = client.set_budget(name, usd=Decimal("1.50"), calls=10, period="day")
    assert made.limits.pico_usd == 1_500_000_000_000
    assert made.limits.tokens is None
    held = client.reserve(name, usd=0.5, calls=2)
    assert held.state == "open"
    assert client.reserve(name, id=held.id, usd=0.5, calls=2).id == held.id
    assert client.settle(name, held.id, usd=0.25, calls=2).state == "settled"
    checked = client.check_budget(name)
    assert checked.advice == "go_on"
    assert checked.pots[0].left.calls == 8
    other = client.reserve(name, calls=1)
    assert client.release(name, other.id).state == "released"
    assert name in [each.name for each in client.budgets()]
    client.reset_budget(name)
    assert client.budget(name).pots is not None
    client.delete_budget(name)
    with pytest.raises(NotFound):
        client.budget(name)


def test_stops_notes_and_links_are_made_and_taken_back(client, sent):
    """What may be written through the API is written, listed and taken away."""
    trace_id = sent[0].trace_id.hex()
    order = client.stop(run=uuid4().hex, reason="tests")
    assert order.id in [each.id for each in client.stops()]
    assert client.lift_stop(order.id).lifted_at is not None
    note = client.annotate(trace_id, "looks fine", label="verdict", score=0.5)
    assert [each.id for each in client.annotations(trace_id).data] == [note.id]
    client.delete_annotation(note.id)
    link = client.share_trace(trace_id, expires_in_s=60)
    assert link.token not in repr(link)
    assert [each.id for each in client.shares(trace_id).data] == [link.id]
    client.revoke_share(link.id)
    assert client.shares(trace_id).data == []
    assert client.prices().prices == []
    with pytest.raises(ValueError, match="exactly one"):
        client.stop(run="a", project=True)


def test_what_is_wrong_is_told_as_what_it_is(client, pipeline, sent):
    """Each kind of refusal is an error of its own, with the server's words."""
    with pytest.raises(BadRequest) as wrong:
        next(client.traces("modle:x"))
    assert wrong.value.column is not None
    assert wrong.value.suggestion == "model"
    with pytest.raises(NotFound):
        client.trace("0" * 31 + "1")
    with Client(pipeline.otlp_http, "agk_" + "x" * 40) as stranger, pytest.raises(NotAuthenticated):
        stranger.usage()
    with (
        Client(pipeline.otlp_http, key_of(pipeline, "ingest")) as sender,
        pytest.raises(PermissionDenied),
    ):
        sender.usage()
    with Client("http://127.0.0.1:1", "k", retries=0) as nobody, pytest.raises(ConnectionFailed):
        nobody.usage()


def test_an_export_is_a_whole_file(client, sent, tmp_path):
    """An export lies under its name once it is whole, and nothing else is left beside it."""
    path = tmp_path / "spans.ndjson"
    known = f"trace_id:{sent[0].trace_id.hex()}"
    size = client.export(path, "ndjson", known)
    assert path.stat().st_size == size
    assert len(path.read_bytes().splitlines()) == 3
    with client.export_stream("csv", known) as parts:
        assert b"".join(parts).count(b"\r\n") == 4
    with pytest.raises(BadRequest):
        client.export(path, "csv", "modle:x")
    assert len(path.read_bytes().splitlines()) == 3
    assert list(tmp_path.iterdir()) == [path]


async def test_the_async_client_does_the_same(pipeline, client, sent, tmp_path):
    """On an event loop the same calls give the same answers."""
    trace_id = sent[0].trace_id.hex()
    known = f"trace_id:{trace_id}"
    async with AsyncClient(pipeline.otlp_http, pipeline.api_key) as twin:
        assert await twin.trace(trace_id) == client.trace(trace_id)
        assert len([span async for span in twin.spans(known, page_size=2)]) == 3
        with pytest.raises(NotFound):
            await twin.trace("0" * 31 + "1")
        size = await twin.export(tmp_path / "spans.json", "json", known)
    assert (tmp_path / "spans.json").stat().st_size == size


def test_both_clients_have_the_same_methods():
    """What one client can do, the other can."""

    def public(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert public(Client) == public(AsyncClient)


def test_a_key_is_nowhere_to_be_seen(caplog, client, pipeline):
    """Neither how a client is shown nor what is logged has the key in it."""
    caplog.set_level("DEBUG")
    with Client(pipeline.otlp_http, pipeline.api_key) as made:
        made.usage()
        assert pipeline.api_key not in repr(made)
        assert pipeline.api_key not in repr(vars(made))
    assert pipeline.api_key not in caplog.text

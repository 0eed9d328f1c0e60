"""However often and by whatever way a span arrives, the store gets it once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import httpx2
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.collector.conftest import Collector, Shared, wait_until
from tests.collector.otlp_samples import identity, make_request, make_span
from tests.collector.otlp_strategies import to_json
from tests.collector.recording_store import RecordingStore
from tests.plain_http import NO_TLS

Launch = Callable[..., Collector]


DUPLICATES = "agentguard_duplicate_spans_total"


def settled(store: RecordingStore, collector: Collector) -> dict[str, int]:
    """Return the span counts once nothing waits any more."""
    wait_until(lambda: collector.metric("agentguard_wal_bytes") == 0)
    return dict(store.span_counts())


def counted(shared: Shared, spans: Iterable[Span]) -> list[int]:
    """Return how often the store that others use as well got each of these spans, in the end."""
    counts = settled(shared.store, shared.collector)
    return [counts.get(identity(span), 0) for span in spans]


def test_a_batch_sent_three_times_counts_once(shared: Shared) -> None:
    """Each copy is acknowledged, and one is stored."""
    before = shared.collector.metric(DUPLICATES)
    spans = [make_span() for _ in range(50)]
    for _ in range(3):
        assert shared.collector.post(make_request(*spans)).status_code == 200
    assert counted(shared, spans) == [1] * 50
    assert shared.collector.metric(DUPLICATES) - before == 100


def test_copies_at_the_same_moment_count_once(shared: Shared) -> None:
    """A retry that overtakes its original changes nothing."""
    batches = [[make_span() for _ in range(10)] for _ in range(10)]
    bodies = [make_request(*spans) for spans in batches for _ in range(5)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(shared.collector.post, bodies))
    assert {answer.status_code for answer in answers} == {200}
    assert counted(shared, chain(*batches)) == [1] * 100


def test_a_retry_after_a_restart_counts_once(launch: Launch, store: RecordingStore) -> None:
    """The window outlives the process, killed or stopped."""
    spans = [make_span() for _ in range(5)]
    for end in ("kill", "stop", "kill"):
        collector = launch()
        assert collector.post(make_request(*spans)).status_code == 200
        getattr(collector.process, end)()
    assert settled(store, launch()) == {identity(span): 1 for span in spans}


def test_another_encoding_is_the_same_batch(shared: Shared) -> None:
    """JSON, protobuf and gRPC copies of a batch are one."""
    spans = [make_span(), make_span()]
    request = make_request(*spans)
    body = json.dumps(to_json(request)).encode()
    assert shared.collector.post(body, "application/json").status_code == 200
    assert shared.collector.post(request).status_code == 200
    shared.collector.call(request)
    assert counted(shared, spans) == [1, 1]


def test_only_the_new_spans_of_an_overlapping_batch_are_stored(shared: Shared) -> None:
    """Batches that share spans, and one that repeats a span in itself, store each once."""
    a, b, c = (make_span() for _ in range(3))
    for batch in ((a, b), (b, c, c), (c, a)):
        assert shared.collector.post(make_request(*batch)).status_code == 200
    assert counted(shared, (a, b, c)) == [1, 1, 1]


def test_two_workers_share_what_they_know(launch: Launch, store: RecordingStore) -> None:
    """On one machine it does not matter which worker gets the retry."""
    collector = launch("--workers", "2")
    spans = [make_span() for _ in range(5)]
    for _ in range(12):
        with_connection_of_its_own = httpx2.Client(trust_env=False, verify=NO_TLS)
        with with_connection_of_its_own as client:
            answer = client.post(
                f"{collector.url}/v1/traces",
                content=make_request(*spans).SerializeToString(),
                headers={
                    "Content-Type": "application/x-protobuf",
                    "Authorization": f"Bearer {collector.key}",
                },
            )
        assert answer.status_code == 200
    wait_until(lambda: len(store.span_counts()) == 5)
    assert collector.process.stop() == 0
    assert set(store.span_counts().values()) == {1}


def test_an_insert_of_unknown_outcome_is_repeated_as_it_was(
    launch: Launch, store: RecordingStore
) -> None:
    """When the connection breaks after the data, the same bytes go out under the same token."""
    store.unsure = lambda token: store.attempts[token] < 3
    collector = launch()
    spans = [make_span() for _ in range(5)]
    collector.post(make_request(*spans))
    assert settled(store, collector) == {identity(span): 1 for span in spans}
    assert set(store.attempts.values()) == {3}
    assert store.changed == []

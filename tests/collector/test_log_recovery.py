"""A log that was cut off or damaged gives back every record that is whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agentguard_collector.envelope import Envelope, encode
from agentguard_collector.otlp import read
from agentguard_collector.recovery import find_segments, repair, scan
from agentguard_collector.seen import Seen, project_prefix
from agentguard_collector.wal import Writer
from tests.collector.otlp_samples import identity, make_request, make_span, spans_in


def record(*spans: object, body: bytes | None = None) -> bytes:
    """Return one framed record."""
    data = make_request(*spans).SerializeToString() if body is None else body
    return b"".join(encode(Envelope("prj_a", 1, 30, "eu", os.urandom(16)), data))


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[Seen]:
    """A window of the test's own."""
    with Seen(tmp_path / "seen", max_spans=10_000, max_seconds=3600) as window:
        yield window


def write(folder: Path, data: bytes) -> None:
    """Leave a segment in a folder, as a killed worker does."""
    folder.mkdir(exist_ok=True)
    (folder / "w0-1.seg").write_bytes(data)


def test_a_torn_tail_at_any_offset_loses_only_the_last_record() -> None:
    """Wherever a crash cuts the log off, all records before that are whole."""
    whole = [record(), record(body=b""), record()]
    data = b"".join(whole)
    ends = [0, len(whole[0]), len(whole[0]) + len(whole[1]), len(data)]
    for cut in range(len(data) + 1):
        found = scan(data[:cut])
        complete = max(number for number, end in enumerate(ends) if end <= cut)
        assert len(found.records) == complete
        assert found.damaged == []
        assert found.torn == cut - ends[complete]


def test_a_flipped_bit_at_any_position_costs_one_record_at_most() -> None:
    """The damaged record is set aside, or healed if only its length was hit; the rest survives."""
    whole = [record() for _ in range(3)]
    data = b"".join(whole)
    intact = scan(data).records
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        found = scan(bytes(damaged))
        lost = [one for one in intact if one not in found.records]
        assert len(lost) <= 1
        assert len(found.records) == 3 - len(lost)
        if lost:
            assert b"".join(part for _, part in found.damaged)
            assert found.torn == 0


@given(st.binary(max_size=300))
def test_any_bytes_can_be_scanned(data: bytes) -> None:
    """A file of garbage holds no record and breaks nothing."""
    assert scan(data).records == []


def test_damage_is_set_aside_where_it_can_be_looked_at(tmp_path: Path, seen: Seen) -> None:
    """Repair keeps the good records, and the damaged one in a file of its own."""
    good, bad = make_span(), bytearray(record())
    bad[-1] ^= 1
    write(tmp_path / "w0", bytes(bad) + record(good))
    fit, _ = repair(find_segments(tmp_path / "w0")[0], seen, tmp_path / "w0" / "quarantine")
    assert fit is not None
    assert fit.spans == 1
    assert scan(fit.path.read_bytes()).damaged == []
    assert [p.read_bytes() for p in (tmp_path / "w0/quarantine").iterdir()] == [bytes(bad)]


def test_a_sound_segment_is_not_changed(tmp_path: Path, seen: Seen) -> None:
    """What may have been sent already keeps its bytes, however often it is looked at."""
    data = record(make_span()) + record(make_span(), make_span())
    write(tmp_path / "w0", data)
    for _ in range(3):
        fit, _ = repair(find_segments(tmp_path / "w0")[0], seen, tmp_path / "q")
        assert fit is not None
        assert fit.path.read_bytes() == data


def test_spans_that_a_retry_got_in_are_not_replayed(tmp_path: Path, seen: Seen) -> None:
    """A record written before a crash loses the spans that were accepted again since."""
    retried, only_here = make_span(), make_span()
    prefix = project_prefix("prj_a")
    traces = read(make_request(retried).SerializeToString(), prefix, 1).traces
    with seen.claims() as claims:
        assert claims.claim(traces, b"another!") is None
    write(tmp_path / "w0", record(retried, only_here))
    fit, _ = repair(find_segments(tmp_path / "w0")[0], seen, tmp_path / "q")
    assert fit is not None
    (kept,) = scan(fit.path.read_bytes()).records
    request = ExportTraceServiceRequest.FromString(kept)
    assert [identity(span) for span in spans_in(request)] == [identity(only_here)]


def test_a_segment_without_anything_left_disappears(tmp_path: Path, seen: Seen) -> None:
    """A torn first record leaves nothing to send."""
    write(tmp_path / "w0", record()[:-3])
    fit, found = repair(find_segments(tmp_path / "w0")[0], seen, tmp_path / "q")
    assert fit is None
    assert found.torn > 0
    assert find_segments(tmp_path / "w0") == []


def test_segments_are_found_in_the_order_they_were_written(tmp_path: Path) -> None:
    """The oldest comes first, across restarts of the same worker."""
    names = []
    for _ in range(2):
        writer = Writer(tmp_path)
        for _ in range(3):
            writer.append([record()], 1)
            segment = writer.seal()
            assert segment is not None
            names.append(segment.path)
    assert [segment.path for segment in find_segments(tmp_path)] == names
    assert len({path.stem for path in names}) == 6

"""Lists of traces and single traces, as the command line asks for them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from agentguard_storage.filters import parse
from agentguard_storage.queries.hours import TimeRange
from agentguard_storage.queries.trace import find_trace_ids
from agentguard_storage.queries.traces import list_traces
from tests.storage.telemetry.telemetry_store import make_span, request_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = 10**9
NOON_NS = int(NOON.timestamp()) * SECOND
PERIOD = TimeRange(NOON, NOON + timedelta(hours=1))
PROJECT = "prj_lists"
LONG = "A long answer " * 20
TEXTS = {
    "percent": "saved 100% of it",
    "underscore": "a_b",
    "backslash": "C:\\temp\\x",
    "quotes": """it's "quoted" {curly}""",
    "newline": "one\nand\ttwo",
    "unicode": "Größe 漢字",
    "decoy": "saved 1000 of it, aXb",
}


def span_at(minute, trace, **fields):
    """A span of a second, that many minutes after noon."""
    start = NOON_NS + minute * 60 * SECOND
    known = {"start_time_unix_nano": start, "end_time_unix_nano": start + SECOND}
    return make_span(fields.pop("attributes", {}), **known | {"trace_id": trace * 16} | fields)


@pytest.fixture(scope="module")
def listed(store):
    """Ten traces at noon of a day, in two services; the names of the TEXTS are traces too."""
    failed = span_at(1, b"b", name="failing", parent_span_id=b"parentID")
    failed.status.code, failed.status.message = 2, "Timeout after 3 s"
    one = [span_at(0, b"a", name="root of a"), failed, span_at(2, b"b", name="root of b")]
    answer = span_at(3, b"c", name="root of c", attributes={"output.value": LONG + "THE END"})
    two = [answer, span_at(60, b"d", name="too late"), span_at(-1, b"e", name="too early")]
    texts = [
        span_at(10 + n, bytes([n]), name=name, attributes={"output.value": LONG + text})
        for n, (name, text) in enumerate(TEXTS.items())
    ]
    store.insert(
        [
            request_of(*one, service_name="one"),
            request_of(*two, service_name="two"),
            request_of(*texts, service_name="texts"),
        ],
        project=PROJECT,
    )

    def names(text="", *, start=PERIOD.start, end=PERIOD.end, limit=50):
        found = list_traces(
            store.reader(PROJECT), TimeRange(start, end), filter=parse(text), limit=limit
        )
        return [row.root_name for row in found.rows]

    return names


def test_traces_are_listed_newest_first_and_only_of_the_period(listed):
    """A period includes its start, not its end."""
    assert listed() == [*reversed(TEXTS), "root of c", "root of b", "root of a"]
    assert listed(end=NOON + timedelta(microseconds=1)) == ["root of a"]
    assert listed(start=NOON - timedelta(microseconds=1), end=NOON) == []
    assert listed(start=NOON + timedelta(hours=1), end=NOON + timedelta(hours=2)) == ["too late"]


def test_a_limit_keeps_the_newest(listed):
    """Of more traces than wanted, the last ones are shown."""
    assert listed(limit=2) == ["decoy", "unicode"]


def test_traces_are_found_by_service(listed):
    """A service's traces are those with a span of it; an unknown service has none."""
    assert listed("trace.service:one") == ["root of b", "root of a"]
    assert listed('trace.service:"o%"') == []


def test_traces_are_found_by_status(listed):
    """One failed span makes the trace a failed one."""
    assert listed("trace.status:error") == ["root of b"]
    assert listed("trace.status:ok trace.service:one") == ["root of a"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("100% of", ["percent"]),
        ("A_B", ["underscore"]),
        ("C:\\temp\\x", ["backslash"]),
        ('IT\'S "quoted" {', ["quotes"]),
        ("one\nand\t", ["newline"]),
        ("Größe 漢字", ["unicode"]),
        ("the end", ["root of c"]),
        ("TIMEOUT after", ["root of b"]),
        ("root OF", ["root of c", "root of b", "root of a"]),
        ("'; DROP TABLE spans; --", []),
    ],
)
def test_traces_are_found_by_text(listed, text, found):
    """Text is looked for as it is, whatever its case, in names, errors and contents."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    assert listed(f'"{escaped}"') == found


def test_an_unknown_trace_has_no_spans(store):
    """Asking for what is not there is no error."""
    assert store.spans(PROJECT, "f" * 32) == []
    assert store.spans(PROJECT, "not a trace id'") == []
    assert find_trace_ids(store.reader(PROJECT), "f") == []


def test_a_trace_is_found_by_the_beginning_of_its_id(listed, store):
    """Some leading digits are enough; many matches are limited."""
    assert find_trace_ids(store.reader(PROJECT), "6161") == ["61" * 16]
    assert len(find_trace_ids(store.reader(PROJECT), "0")) == len(TEXTS)
    assert len(find_trace_ids(store.reader(PROJECT), "", limit=3)) == 3


def test_a_trace_over_midnight_is_one_trace(store, project):
    """Spans of different hours and days, in different inserts, add up to one row."""
    midnight = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * SECOND
    call = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}
    call |= {"gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 1_000_000}
    trace_id = b"m" * 16
    times = [midnight + hours * 3600 * SECOND - 1 for hours in (0, -2, 1, 0)]
    root = make_span(
        name="the root",
        trace_id=trace_id,
        start_time_unix_nano=times[1] - 1,
        end_time_unix_nano=times[2] + 5 * SECOND,
    )
    calls = [
        make_span(
            call,
            trace_id=trace_id,
            parent_span_id=root.span_id,
            start_time_unix_nano=at,
            end_time_unix_nano=at + 2,
        )
        for at in times
    ]
    store.insert([request_of(*calls)], project=project)
    store.insert([request_of(root)], project=project)
    day = TimeRange(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
    [row] = list_traces(store.reader(project), day).rows
    assert (row.root_name, row.span_count, row.llm_calls) == ("the root", 5, 4)
    assert (row.input_tokens, row.cost) == (4_000_000, Decimal(10))
    assert row.duration_ns == times[2] + 5 * SECOND - times[1] + 1
    after = TimeRange(day.end, day.end + timedelta(days=1))
    assert list_traces(store.reader(project), after).rows == []
    spans = store.spans(project, trace_id.hex())
    assert [span.start_time_ns for span in spans] == sorted([times[1] - 1, *times])
    assert spans[0].parent_span_id == ""


def test_a_trace_of_unknown_price_has_no_cost(store, project):
    """What is unknown is never shown as nothing."""
    unknown = {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "nobody-knows"}
    store.insert([request_of(span_at(0, b"u", attributes=unknown))], project=project)
    [row] = list_traces(store.reader(project), PERIOD).rows
    assert (row.cost, row.unpriced_calls) == (None, 1)

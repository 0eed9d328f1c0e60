"""Every format holds the same spans, with the values that they were sent with."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from agentguard_storage.export import FORMATS, export
from agentguard_storage.export.rows import COLUMNS
from agentguard_storage.filters import parse
from agentguard_storage.queries.errors import InvalidQuery, QueryTooLarge
from agentguard_storage.queries.hours import TimeRange
from agentguard_storage.queries.reader import Bounds
from tests.storage.export.exporting import ALWAYS, exported
from tests.storage.telemetry.message_texts import CONTENTS
from tests.storage.telemetry.telemetry_store import make_span, request_of

START = 1_760_000_000_123_456_789
CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 10,
    "temperature": 0.5,
    "not a number": float("nan"),
    "tags": ["a", {"b": [1, True, b"\x00\xff"]}],
    "raw": b"\x00\xff",
    "absent": None,
    **CONTENTS,
}


@pytest.fixture
def call(store, project):
    """One model call, stored: with an event, a link, a resource and a scope."""
    span = make_span(
        CALL, name="chat gpt-4o", start_time_unix_nano=START, end_time_unix_nano=START + 1_500
    )
    span.events.add(time_unix_nano=START + 1, name="token").attributes.extend(
        make_span({"n": 1}).attributes
    )
    span.links.add(trace_id=b"t" * 16, span_id=b"s" * 8)
    store.insert([request_of(span, scope="tests", service_name="api")], project=project)
    return span


def parsed(form: str, document: bytes) -> list[dict[str, object]]:
    """The rows of an export: objects as Python's, money as Decimal, times as texts."""
    if form == "json":
        return json.loads(document, parse_float=Decimal)
    if form == "ndjson":
        return [json.loads(line, parse_float=Decimal) for line in document.splitlines()]
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(document.decode(), newline="")))
    else:
        rows = pq.read_table(io.BytesIO(document)).to_pylist()
    for row in rows:
        for name, kind in COLUMNS.items():
            if kind == "json":
                row[name] = json.loads(row[name], parse_float=Decimal)
            elif kind == "money":
                row[name] = Decimal(row[name]) if row[name] else None
            elif kind == "count":
                row[name] = int(row[name])
            elif kind == "time" and not isinstance(row[name], str):
                row[name] = f"{row[name].isoformat().removesuffix('+00:00')}Z"
    return rows


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "parquet"])
def test_a_span_is_exported_with_all_it_has(store, project, call, form):
    """Times keep their nanoseconds, money its decimals, attributes their types and texts."""
    [row] = parsed(form, exported(store, project, form))
    assert list(row) == list(COLUMNS)
    assert row["trace_id"] == call.trace_id.hex()
    assert row["start_time"] == "2025-10-09T08:53:20.123456789Z"
    assert row["duration_ns"] == 1_500
    assert row["cost"] == Decimal("0.0026")
    assert (row["kind"], row["model"], row["service"]) == ("llm", "gpt-4o", "api")
    attributes = row["attributes"]
    assert attributes["gen_ai.usage.input_tokens"] == 1000
    assert attributes["temperature"] == Decimal("0.5")
    assert attributes["not a number"] == "NaN"
    assert attributes["tags"] == ["a", {"b": [1, True, "AP8="]}]
    assert attributes["raw"] == "AP8="
    assert attributes["absent"] is None
    assert {key: attributes[key] for key in CONTENTS} == CONTENTS
    [event] = row["events"]
    assert (event["name"], event["attributes"]) == ("token", {"n": 1})
    assert row["links"][0]["trace_id"] == (b"t" * 16).hex()
    assert row["scope_name"] == "tests"
    assert row["resource"] == {"service.name": "api"}


@pytest.mark.parametrize("form", FORMATS)
def test_slices_of_any_size_make_the_same_export(store, project, form):
    """What is read in slices of a few spans is what is read at once, each span once."""
    trace = b"t" * 16
    spans = [
        make_span(
            {"input.value": f"{n} " * 100},
            trace_id=trace if n % 3 else bytes([n + 1]) * 16,
            start_time_unix_nano=START + n % 5 * 3_600_000_000_000,
        )
        for n in range(24)
    ]
    store.insert([request_of(each, service_name=f"s{n % 2}") for n, each in enumerate(spans)],
                 project=project)  # fmt: skip
    whole = exported(store, project, form)
    small = exported(store, project, form, bounds=Bounds(result_rows=5))
    assert ids(form, small) == ids(form, whole) == sorted(span.span_id.hex() for span in spans)


def ids(form: str, document: bytes) -> list[str]:
    """The ids of all spans in an export, sorted."""
    if form.startswith("otlp"):
        documents = [document] if form == "otlp-json" else document.splitlines()
        found = [
            span["spanId"]
            for each in documents
            for resource in json.loads(each)["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]
    else:
        found = [str(row["span_id"]) for row in parsed(form, document)]
    return sorted(found)


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_of_nothing_is_a_whole_document(store, project, form):
    """Where no span matches, readers of the format find none, and no mistake."""
    assert ids(form, exported(store, project, form)) == []


def test_only_what_was_asked_for_is_exported(store, project, call):
    """Spans of another project, another time or without a match stay out."""
    other = make_span({"customer": "acme"}, start_time_unix_nano=START + 10**9)
    store.insert([request_of(other)], project=project)
    store.insert([request_of(make_span())], project=f"{project}_other")
    begin = datetime.fromtimestamp(START // 10**9, UTC)
    first = TimeRange(begin, begin + timedelta(seconds=1))
    assert ids("json", exported(store, project, "json", when=first)) == [call.span_id.hex()]
    found = exported(store, project, "json", "attr.customer:acme")
    assert ids("json", found) == [other.span_id.hex()]
    found = exported(store, project, "json", "kind:llm")
    assert ids("json", found) == [call.span_id.hex()]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_spreadsheet_takes_no_text_for_a_formula(store, project, name):
    """What agents and users wrote is not run by whoever opens a CSV file."""
    store.insert([request_of(make_span(name=name))], project=project)
    [row] = parsed("csv", exported(store, project, "csv"))
    assert row["name"] == f"'{name}"


def test_csv_keeps_quotes_and_line_ends(store, project):
    """Texts with the format's own characters in them are read back to the letter."""
    name = 'a,"b"\r\nc\nd;é'
    store.insert([request_of(make_span(name=name))], project=project)
    [row] = parsed("csv", exported(store, project, "csv"))
    assert row["name"] == name


def test_parquet_has_the_types_that_are_documented(store, project, call):
    """Readers find times, decimals and integers, not texts."""
    schema = pq.read_schema(io.BytesIO(exported(store, project, "parquet")))
    assert schema.field("start_time").type == pa.timestamp("ns", tz="UTC")
    assert schema.field("cost").type == pa.decimal128(38, 12)
    assert schema.field("input_tokens").type == pa.int64()
    assert schema.field("attributes").type == pa.string()


def test_an_unknown_format_is_refused_at_once(store, project):
    """A misspelt format is told before anything is asked of the store."""
    with pytest.raises(InvalidQuery, match="parquet"):
        export(store.reader(project), ALWAYS, format="xml", filter=parse(""))


def test_a_span_beyond_every_bound_ends_the_export(store, project):
    """What cannot be read within a query's bounds is told, not left out."""
    store.insert([request_of(make_span({"text": "x" * 4_000_000}))], project=project)
    reader = store.reader(project)
    reader.bounds = replace(reader.bounds, memory_bytes=1 << 20)
    with pytest.raises(QueryTooLarge):
        b"".join(export(reader, ALWAYS, format="json"))

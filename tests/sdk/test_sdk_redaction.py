"""Redaction: what is found in a text, and that nothing of it leaves the process."""

import json
import re
import time
from collections import Counter
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode

import agentguard
from agentguard.redaction import Redactor, SpanRedactor

CORPUS = Path(__file__).parent / "redaction"


def lines(name: str) -> list:
    """The entries of a corpus file."""
    return [json.loads(line) for line in (CORPUS / name).read_text().splitlines()]


FOUND, LEFT = lines("found.jsonl"), lines("left.jsonl")


@pytest.mark.parametrize("entry", FOUND, ids=range(len(FOUND)))
def test_it_is_found(entry):
    """Every value of the corpus is taken out, and counted under its kind."""
    counts: Counter[str] = Counter()
    assert entry["value"] not in Redactor("all").text(entry["text"], counts)
    assert counts[entry["kind"]]


@pytest.mark.parametrize("text", LEFT)
def test_it_is_left(text):
    """Identifiers, hashes, numbers and code stay as they are."""
    assert Redactor("all").text(text, Counter()) == text


def finished(place: str, text: str) -> ReadableSpan:
    """A span with the text in one place."""
    out = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"r": text if place == "resource" else "x"}))
    provider.add_span_processor(SimpleSpanProcessor(out))
    tracer = provider.get_tracer("t", attributes={"s": text if place == "scope" else "x"})
    span = tracer.start_span(text if place == "name" else "n")
    match place:
        case "attribute":
            span.set_attribute("a", text)
        case "key":
            span.set_attribute(text, 1)
        case "list":
            span.set_attribute("a", ["x", text])
        case "bytes":
            span.set_attribute("a", text.encode())
        case "json":
            span.set_attribute("a", json.dumps({"x": [text]}))
        case "exception":
            span.record_exception(ValueError(text))
        case "link":
            span.add_link(span.get_span_context(), {"a": text})
        case "status":
            span.set_status(Status(StatusCode.ERROR, text))
    span.end()
    return out.get_finished_spans()[0]


PLACES = [
    "resource",
    "scope",
    "name",
    "attribute",
    "key",
    "list",
    "bytes",
    "json",
    "exception",
    "link",
    "status",
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLACES), st.sampled_from(FOUND), st.text(max_size=20), st.text(max_size=20))
def test_nothing_planted_leaves(place, entry, before, after):
    """A value planted anywhere in a span is not in the bytes of the export."""
    span = finished(place, f"{before} {entry['text']} {after}")
    given_bytes = encode_spans([span]).SerializeToString()
    sent = encode_spans(SpanRedactor(Redactor("all")).spans([span])).SerializeToString()
    for form in (entry["value"], json.dumps(entry["value"])[1:-1]):
        assert form.encode() not in sent
    assert encode_spans([span]).SerializeToString() == given_bytes


def test_what_arrives(record, sink, monkeypatch):
    """With what the page shows, secrets are gone, own patterns and the callback apply."""
    monkeypatch.setenv("AGENTGUARD_ENDPOINT", sink.url)
    page = (Path(__file__).parents[2] / "docs" / "redaction.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    namespace: dict[str, object] = {"agentguard": agentguard}
    exec(compile(f"handle = {example}", "docs/redaction.md", "exec"), namespace)  # noqa: S102
    handle, secret = namespace["handle"], FOUND[0]["value"]
    with agentguard.run("nightly"):
        trace.get_current_span().set_attribute("a", f"Ada used {secret} in PRJ-77")
    assert handle.flush(10)
    handle.shutdown()
    (sent,) = [span for span in sink.spans if any(item.key == "a" for item in span.attributes)]
    values = {item.key: item.value for item in sent.attributes}
    assert values["a"].string_value == "A. used [redacted:api_key] in [redacted:custom]"
    kinds = [each.string_value for each in values["agentguard.redacted"].array_value.values]
    assert kinds == ["api_key:1", "callback:1", "custom:1"]


def test_values_that_follow_one_another_are_all_taken_out():
    """Whatever stands before and after a value: no pair of known ones hides either of the two."""
    redactor = Redactor("all")
    for first, second in product(FOUND, FOUND):
        text = redactor.text(f"{first['text']} {second['text']}", Counter())
        assert first["value"] not in text, (first, second)
        assert second["value"] not in text, (first, second)


KINDS = ["argument", "result", "message", "answer", "error", "run", "resource"]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(FOUND)), min_size=1, max_size=6))
def test_nothing_that_an_agent_handles_leaves(sink, planted):
    """Nothing planted in arguments, results, messages, errors or the resource is in what is sent.

    All of it through the SDK itself, with content captured, to the bytes that arrive.
    """
    texts = {kind: " ".join(e["text"] for k, e in planted if k == kind) for kind in KINDS}
    sink.reset()
    handle = agentguard.init(
        endpoint=sink.url,
        redact="all",
        capture_content=True,
        instrument="none",
        service_name=f"agent {texts['resource']}",
        tracer_provider=TracerProvider(resource=Resource({"owner": texts["resource"]})),
    )

    @agentguard.tool
    def use(given_text: str) -> dict[str, list[str]]:
        if texts["error"]:
            raise ValueError(texts["error"])
        return {"found": [texts["result"], given_text]}

    with agentguard.run("nightly", goal=texts["run"] or None), suppress(ValueError):
        with agentguard.chat_span("gpt-4o-mini", provider="openai") as chat:
            chat.record_messages(input=[{"role": "user", "content": texts["message"]}])
            chat.record_messages(output=texts["answer"])
        use(texts["argument"])
    assert handle.flush(10)
    handle.shutdown()
    sent = b"".join(each.request.SerializeToString() for each in sink.requests)
    assert sink.names
    for _, entry in planted:
        for form in (entry["value"], json.dumps(entry["value"])[1:-1]):
            assert form.encode() not in sent


def test_a_failing_callback_sends_nothing_of_the_text():
    """A text that the callback failed on is withheld."""
    text = Redactor("none", callback=lambda text: str(1 // 0)).text("private", Counter())
    assert text == "[redacted:callback_failed]"


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "1",
        "1 ",
        "eyJ",
        "a.",
        "a@",
        "sk-",
        "-----BEGIN PRIVATE KEY-----",
        "://a:",
        "+1 ",
        "A1",
        "bearer ",
        "api_key=",
        "4111-",
        "password=",
        "-",
        "a@a.",
    ],
)
def test_time_is_linear(unit):
    """No text makes a pattern backtrack: 200 KB of anything take less than three seconds."""
    started = time.process_time()
    Redactor("all").text(unit * (200_000 // len(unit)), Counter())
    assert time.process_time() - started < 3

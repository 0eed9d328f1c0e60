"""Nothing is stored twice, and no project sees another's."""

from datetime import UTC, datetime, timedelta

from agentguard_storage.filters import parse
from agentguard_storage.queries.hours import TimeRange
from agentguard_storage.queries.trace import find_trace_ids
from agentguard_storage.queries.traces import list_traces
from tests.interop.canonical import canonical_spans, differences
from tests.storage.telemetry.telemetry_store import make_span, request_of
from tests.stored_otlp import export_spans

CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1000,
}


def messages(said):
    """A prompt that is long enough to be kept among the contents."""
    return {"gen_ai.input.messages": f'[{{"role":"user","content":"{said * 50}"}}]'}


def test_the_same_segment_three_times_is_stored_once(store, project):
    """An INSERT with a token that was seen leaves every table as it is, row for row."""
    spans = [make_span(CALL | messages(f"{n} ")) for n in range(20)]
    requests = [request_of(span, service_name=f"s{n % 3}") for n, span in enumerate(spans)]
    token = f"{project}:segment"
    store.insert(requests, token=token, project=project)
    once = store.contents()
    for _ in range(2):
        store.insert(requests, token=token, project=project)
    assert store.contents() == once
    assert {p for p, *_ in once["sources"]} >= {project}
    assert len(canonical_spans(store.read_back(project))) == len(spans)


def test_the_same_spans_in_two_projects_stay_apart(store, project):
    """With all ids alike, each project reads its own contents, resources, counts and costs."""
    other = f"{project}_other"
    started = datetime.now(UTC)
    mine = make_span(CALL | messages("mine"), name="same")
    theirs = make_span(CALL | messages("theirs"), name="same")
    theirs.trace_id, theirs.span_id = mine.trace_id, mine.span_id
    requests = {
        project: request_of(mine, service_name="service"),
        other: request_of(theirs, theirs, service_name="service"),
    }
    for owner, request in requests.items():
        store.insert([request], project=owner)
    trace_id = mine.trace_id.hex()
    period = {"start": started, "end": started + timedelta(hours=1)}

    assert len(store.spans(project, trace_id)) == 1
    assert len(store.spans(other, trace_id)) == 2
    during = TimeRange(**period)
    [row] = list_traces(store.reader(project), during).rows
    assert (row.span_count, row.llm_calls, row.input_tokens) == (1, 1, 1000)
    assert list_traces(store.reader(project), during, filter=parse("theirstheirs")).rows == []
    assert list_traces(store.reader(other), during, filter=parse("minemine")).rows == []
    [found] = export_spans(store.client, project, **period)
    sent = canonical_spans(requests[project].resource_spans)
    assert differences(sent, canonical_spans([found])) == []

    nobody = f"{project}_nobody"
    assert store.spans(nobody, trace_id) == []
    assert find_trace_ids(store.reader(nobody), trace_id[:8]) == []
    assert list_traces(store.reader(nobody), during).rows == []
    assert export_spans(store.client, nobody, **period) == []

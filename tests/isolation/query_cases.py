"""How each function that asks the store is asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, get_args

from hypothesis import assume
from hypothesis import strategies as st

from agentguard_storage.filters.fields import FIELDS
from agentguard_storage.queries.columns import read_columns
from agentguard_storage.queries.contents import COLUMNS
from agentguard_storage.queries.trace import get_trace
from tests.isolation.asking import Ask, Cases
from tests.isolation.questions import (
    filter_texts,
    filters,
    limits,
    now,
    ranges,
    sessions,
    span_ids,
    trace_ids,
    users_words,
)

__all__ = ["QUERIES"]

QUERIES: Final[Cases[Ask]] = Cases(
    "query functions",
    {
        "queries.reader.Reader": "it asks nothing: it is what the others ask through",
        "queries.columns.read_columns": "it puts a statement that others wrote, which have cases",
    },
)
ask = QUERIES

_ZONES: Final = st.sampled_from(("UTC", "Europe/Berlin", "Asia/Kolkata"))
_DIMENSIONS: Final = st.lists(
    st.sampled_from(("model", "agent", "tool", "user", "session", "service", "kind", "status")),
    max_size=2,
    unique=True,
)


@ask("queries.alerts.list_alerts")
def _(draw, _):
    return Ask(draw(ranges), filter=draw(filters), limit=draw(limits))


@ask("queries.burn.burn_rate")
def _(draw, _):
    from agentguard_storage.queries.burn import BurnScope

    return Ask(
        draw(st.sampled_from(get_args(BurnScope))),
        draw(users_words),
        now=draw(now),
        window=timedelta(minutes=draw(st.integers(10, 600))),
    )


@ask("queries.sources.read_sources")
def _(draw, worlds):
    """Their numbers of sources or ours: they may be asked for by anybody."""
    asker = draw(st.sampled_from((worlds.theirs, worlds.ours)))
    rows = worlds.both.reader(asker).rows(
        "SELECT source_id FROM spans"
        " WHERE project_id = {project:String} AND trace_id = {trace:String}",
        {"trace": draw(trace_ids)},
    )
    return Ask([row["source_id"] for row in rows])


@ask("queries.contents.read_contents")
def _(draw, worlds):
    trace = draw(trace_ids)
    theirs = worlds.both.reader(draw(st.sampled_from((worlds.theirs, worlds.ours))))
    statement = (
        f"SELECT {', '.join(COLUMNS)} FROM spans"  # noqa: S608 - our own names
        " WHERE project_id = {project:String} AND trace_id = {trace:String}"
        " ORDER BY start_time, span_id"
    )
    found = read_columns(theirs, statement, {"trace": trace})
    assume(found)
    return Ask(trace, found)


@ask("queries.trace.with_contents")
def _(draw, worlds):
    """Their spans, handed to our reader: it may fill them with what is ours alone."""
    asker = draw(st.sampled_from((worlds.theirs, worlds.ours)))
    found = get_trace(worlds.both.reader(asker), draw(trace_ids), contents=False)
    return Ask(found.spans if found else [])


@ask("queries.costs.monthly")
def _(draw, _):
    return Ask(now=draw(now), months=draw(st.integers(1, 12)), timezone=draw(_ZONES))


@ask("queries.costs.costs_by")
def _(draw, _):
    return Ask(draw(ranges), draw(_DIMENSIONS), filter=draw(filters), limit=draw(limits))


@ask("queries.costs.by_model")
def _(draw, _):
    return Ask(draw(ranges), limit=draw(limits))


@ask("queries.export.slices")
def _(draw, _):
    return Ask(draw(ranges), filter=draw(filters))


@ask("export.formats.export")
def _(draw, _):
    from agentguard_storage.export import FORMATS

    return Ask(draw(ranges), format=draw(st.sampled_from(sorted(FORMATS))), filter=draw(filters))


@ask("queries.graph.agent_graph")
def _(draw, _):
    return Ask(draw(trace_ids))


@ask("queries.graph.agent_graph_over")
def _(draw, _):
    return Ask(draw(ranges), filter=draw(filters))


@ask("queries.messages.span_messages")
def _(draw, _):
    return Ask(draw(trace_ids), draw(span_ids), limit=draw(st.none() | limits))


@ask("queries.difference.compare")
def _(draw, _):
    return Ask(draw(trace_ids), draw(trace_ids))


@ask("queries.savings.savings")
def _(draw, _):
    return Ask(draw(ranges), limit=draw(limits))


@ask("queries.metrics.measure")
def _(draw, _):
    from agentguard_storage.queries.measures import DIMENSIONS, MEASURES

    names = st.lists(st.sampled_from(sorted(MEASURES)), min_size=1, max_size=3, unique=True)
    return Ask(
        draw(ranges),
        measures=draw(names),
        by=draw(st.lists(st.sampled_from(sorted(DIMENSIONS)), max_size=2, unique=True)),
        interval=draw(st.sampled_from((None, "hour", "day"))),
        timezone=draw(_ZONES),
        filter=draw(filters),
        limit=draw(limits),
    )


@ask("queries.sessions.list_sessions")
def _(draw, _):
    return Ask(draw(ranges), filter=draw(filters), limit=draw(limits))


@ask("queries.sessions.get_session")
def _(draw, _):
    return Ask(draw(ranges), draw(sessions))


@ask("queries.spans.list_spans")
def _(draw, _):
    return Ask(draw(ranges), filter=draw(filters), limit=draw(limits))


@ask("queries.trace.get_trace")
def _(draw, _):
    return Ask(draw(trace_ids), contents=draw(st.booleans()))


@ask("queries.trace.get_span")
def _(draw, _):
    return Ask(draw(trace_ids), draw(span_ids))


@ask("queries.stops.explain_stop")
def _(draw, _):
    return Ask(draw(trace_ids))


@ask("queries.trace.find_trace_ids")
def _(draw, _):
    return Ask(draw(trace_ids)[: draw(st.integers(0, 32))], draw(limits))


@ask("queries.traces.list_traces")
def _(draw, _):
    from agentguard_storage.queries.traces import TRACE_ORDERS

    return Ask(
        draw(ranges),
        filter=draw(filters),
        order=draw(st.sampled_from(TRACE_ORDERS)),
        limit=draw(limits),
    )


@ask("queries.usage.usage_of_month")
def _(draw, _):
    return Ask(now=draw(now), timezone=draw(_ZONES))


_PREFIXES: Final = st.sampled_from(("", "n", "na", "narwhal", "q", "s", "gpt", "planner", "ada"))
_FAMILIES: Final = [field for field in FIELDS if field.keyed]
_FIELDS: Final = [field for field in FIELDS if field.type == "text"]


@ask("filters.completion.complete")
def _(draw, _):
    text = draw(filter_texts) + draw(st.sampled_from(("", " model:", " attr.", " user:a", " n")))
    return Ask(draw(ranges), text, draw(st.integers(0, len(text)) | st.just(len(text))))


@ask("filters.seen.seen_values")
def _(draw, _):
    field = draw(st.sampled_from(_FIELDS))
    key = draw(st.sampled_from(("secret", "tier", "tier narwhal", "owner"))) if field.keyed else ""
    return Ask(draw(ranges), field, key, draw(_PREFIXES))


@ask("filters.seen.seen_keys")
def _(draw, _):
    return Ask(draw(ranges), draw(st.sampled_from(_FAMILIES)), draw(_PREFIXES))

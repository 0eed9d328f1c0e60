"""Who called whom: agents and workflows, and the tools and models that they use."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple, get_args

from agentguard_storage.filters import Filter
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.hours import IN_HOURS, TimeRange
from agentguard_storage.queries.measures import TOKENS, amount
from agentguard_storage.queries.pages import wanted
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.traces import TraceRow, list_traces

__all__ = [
    "MOST_SPANS",
    "NODE_KINDS",
    "AgentGraph",
    "GraphEdge",
    "GraphNode",
    "NodeKind",
    "agent_graph",
    "agent_graph_over",
]

NodeKind = Literal["agent", "workflow", "tool", "retrieval", "model"]
NODE_KINDS: Final[tuple[NodeKind, ...]] = get_args(NodeKind)
MOST_SPANS: Final = 50_000
"""So many spans are read for the graph of many traces; those of older ones are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphNode:
    """An agent, a workflow, a tool, a retrieval or a model; the sums are over its calls.

    `tokens`, `cost` and `unpriced_calls` of agents and workflows are those of the model calls that
    they made themselves, so that the nodes of these kinds add up to no more than was spent. `cost`
    is in US dollars, and None where nothing has a price. `duration_ns` counts calls that ran at the
    same time, or within each other, once each.
    """

    id: str
    kind: NodeKind
    name: str
    calls: int
    errors: int
    tokens: int
    cost: Decimal | None
    unpriced_calls: int
    duration_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphEdge:
    """Calls from one node to another, by their ids; the sums are as in `GraphNode`."""

    caller: str
    callee: str
    calls: int
    errors: int
    tokens: int
    cost: Decimal | None
    unpriced_calls: int
    duration_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentGraph:
    """Who called whom in `traces` traces of `spans` spans, the most called first.

    `complete` says that these are all that were asked for: of many traces, the newest are read.
    """

    nodes: list[GraphNode]
    edges: list[GraphEdge]
    traces: int
    spans: int
    complete: bool


_COLUMNS: Final = (
    "trace_id, span_id, parent_span_id, toString(spans.kind) AS kind, toString(spans.name) AS name,"
    " toString(spans.agent) AS agent, toString(spans.tool) AS tool, toString(spans.model) AS model,"
    f" spans.status = 'error' AS failed, {' + '.join(TOKENS)} AS tokens, cost,"
    " spans.cost_source = 'unpriced' AS unpriced, spans.duration_ns AS took"
)
_OF_ONE: Final = (
    f"SELECT {_COLUMNS} FROM spans WHERE project_id = {{project:String}}"
    " AND trace_id = {trace:String} AND ts_hour IN (SELECT ts_hour FROM traces"
    " WHERE project_id = {project:String} AND trace_id = {trace:String})"
)
_OF_MANY: Final = (
    f"SELECT {_COLUMNS} FROM spans WHERE project_id = {{project:String}}"
    f" AND {IN_HOURS} AND trace_id IN {{traces:Array(String)}}"
)


def agent_graph(
    reader: Reader, trace_id: str, *, kinds: Collection[NodeKind] = NODE_KINDS
) -> AgentGraph | None:
    """Return who called whom in one trace; None where the project has no span of it.

    With `kinds`, only nodes of these are made: a call is by the nearest agent or workflow above it
    that is one of them. Raises InvalidQuery.
    """
    _check(kinds)
    rows = reader.rows(_OF_ONE, {"trace": trace_id})
    return _graph(rows, kinds, traces=1, complete=True) if rows else None


def agent_graph_over(
    reader: Reader,
    time_range: TimeRange,
    *,
    filter: Filter | None = None,  # noqa: A002  what users call it
    kinds: Collection[NodeKind] = NODE_KINDS,
    most_traces: int = 200,
) -> AgentGraph:
    """Return who called whom in the traces that started in the range and match the filter.

    Read are the newest `most_traces`, and of those as many as have `MOST_SPANS` spans together.
    Raises InvalidQuery, QueryTooLarge, StoreUnavailable.
    """
    _check(kinds)
    wanted(most_traces)
    page = list_traces(reader, time_range, filter=filter, limit=most_traces)
    found = _few_enough(page.rows)
    if not found:
        return AgentGraph(nodes=[], edges=[], traces=0, spans=0, complete=not page.rows)
    first = min(trace.started_at for trace in found)
    last = max(trace.started_at + _took(trace) for trace in found)
    hours = TimeRange(first, last + timedelta(microseconds=1)).parameters()
    rows = reader.rows(_OF_MANY, {**hours, "traces": [trace.trace_id for trace in found]})
    complete = page.next_cursor is None and len(found) == len(page.rows)
    return _graph(rows, kinds, traces=len(found), complete=complete)


def _check(kinds: Collection[NodeKind]) -> None:
    if not kinds or not set(kinds) <= set(NODE_KINDS):
        raise InvalidQuery(f"nodes are of the kinds {', '.join(NODE_KINDS)}", where="kinds")


def _few_enough(traces: Iterable[TraceRow]) -> list[TraceRow]:
    found, spans = [], 0
    for trace in traces:
        spans += trace.span_count
        if spans > MOST_SPANS:
            break
        found.append(trace)
    return found


def _took(trace: TraceRow) -> timedelta:
    return timedelta(microseconds=trace.duration_ns // 1_000)


class _Key(NamedTuple):
    kind: NodeKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(slots=True)
class _Sums:
    calls: int = 0
    errors: int = 0
    tokens: int = 0
    cost: Decimal = field(default_factory=Decimal)
    unpriced: int = 0
    took: int = 0

    def call(self, row: Mapping[str, Any]) -> None:
        self.calls += 1
        self.errors += row["failed"]
        self.took += row["took"]

    def spend(self, row: Mapping[str, Any]) -> None:
        self.tokens += row["tokens"]
        self.cost += row["cost"] or 0
        self.unpriced += row["unpriced"]

    def figures(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "errors": self.errors,
            "tokens": self.tokens,
            "cost": amount(self.cost, self.unpriced),
            "unpriced_calls": self.unpriced,
            "duration_ns": self.took,
        }


_Id = tuple[str, str]


def _graph(
    rows: list[dict[str, Any]], kinds: Collection[NodeKind], *, traces: int, complete: bool
) -> AgentGraph:
    by_id: dict[_Id, dict[str, Any]] = {}
    for row in rows:
        by_id.setdefault((row["trace_id"], row["span_id"]), row)
    keys = {where: _key(row, kinds) for where, row in by_id.items()}
    actors = _actors(by_id, keys)
    nodes: dict[_Key, _Sums] = {}
    edges: dict[tuple[_Key, _Key], _Sums] = {}
    for where, row in by_id.items():
        key = keys[where]
        above = actors.get((row["trace_id"], row["parent_span_id"]))
        caller = keys[above] if above else _stated(row, key, kinds)
        if key is not None:
            sums = nodes.setdefault(key, _Sums())
            sums.call(row)
            if not _acts(key):
                sums.spend(row)
            if caller is not None:
                sums = edges.setdefault((caller, key), _Sums())
                sums.call(row)
                if not _acts(key):
                    sums.spend(row)
        if caller is not None and (row["tokens"] or row["cost"] or row["unpriced"]):
            nodes.setdefault(caller, _Sums()).spend(row)
            if above is not None and (beyond := _caller_of(above, by_id, actors, keys)):
                edges.setdefault((beyond, caller), _Sums()).spend(row)
    return AgentGraph(
        nodes=[
            GraphNode(id=str(key), kind=key.kind, name=key.name, **sums.figures())
            for key, sums in sorted(nodes.items(), key=lambda each: (-each[1].calls, each[0]))
        ],
        edges=[
            GraphEdge(caller=str(caller), callee=str(callee), **sums.figures())
            for (caller, callee), sums in sorted(
                edges.items(), key=lambda each: (-each[1].calls, each[0])
            )
        ],
        traces=traces,
        spans=len(by_id),
        complete=complete,
    )


def _key(row: Mapping[str, Any], kinds: Collection[NodeKind]) -> _Key | None:
    key: _Key
    match row["kind"]:
        case "agent":
            key = _Key("agent", row["agent"] or row["name"])
        case "workflow":
            key = _Key("workflow", row["name"])
        case "tool":
            key = _Key("tool", row["tool"] or row["name"])
        case "retrieval":
            key = _Key("retrieval", row["name"])
        case "llm" | "embedding":
            key = _Key("model", row["model"] or row["name"])
        case _:
            return None
    return key if key.kind in kinds else None


def _acts(key: _Key | None) -> bool:
    return key is not None and key.kind in ("agent", "workflow")


def _stated(row: Mapping[str, Any], key: _Key | None, kinds: Collection[NodeKind]) -> _Key | None:
    """The agent that a call says it was made by, where no span of an agent is above it."""
    if row["agent"] and "agent" in kinds and not _acts(key):
        return _Key("agent", row["agent"])
    return None


def _caller_of(
    span: _Id,
    by_id: Mapping[_Id, Mapping[str, Any]],
    actors: Mapping[_Id, _Id | None],
    keys: Mapping[_Id, _Key | None],
) -> _Key | None:
    above = actors.get((span[0], by_id[span]["parent_span_id"]))
    return keys[above] if above else None


def _actors(
    by_id: Mapping[_Id, Mapping[str, Any]], keys: Mapping[_Id, _Key | None]
) -> dict[_Id, _Id | None]:
    """Return for each span the agent or workflow that it is, or that is nearest above it."""
    found: dict[_Id, _Id | None] = {}
    for where in by_id:
        chain: list[_Id] = []
        at, actor = where, None
        while at in by_id and at not in found:
            if _acts(keys[at]):
                actor = at
                found[at] = at
                break
            # Until it is known; a circle ends here.
            found[at] = None
            chain.append(at)
            at = (at[0], by_id[at]["parent_span_id"])
        else:
            actor = found.get(at)
        for one in chain:
            found[one] = actor
    return found

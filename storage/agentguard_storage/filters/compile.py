"""From a filter's tree to a condition over rows of the store. User text is only ever bound."""

from __future__ import annotations

from dataclasses import dataclass

from agentguard_storage.filters import tree
from agentguard_storage.filters.conditions import Binder, condition_sql
from agentguard_storage.filters.relations import relation_sql
from agentguard_storage.filters.texts import text_sql, traces_with_text
from agentguard_storage.filters.tree import (
    All,
    Filter,
    Node,
    Not,
    OneOf,
    Relation,
    Text,
    walk,
)
from agentguard_storage.queries.hours import IN_HOURS

__all__ = ["Condition", "span_condition", "trace_condition"]


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL that is true or false, and the parameters of its own that it names.

    It also names `project`, `from_hour` and `to_hour`, as `TimeRange.parameters` gives them.
    """

    sql: str
    parameters: dict[str, object]


def span_condition(filter: Filter) -> Condition:  # noqa: A002 - the word for it
    """Return what holds for the rows of `spans` that the filter is true of.

    Columns are unqualified: it belongs into a query `FROM spans` without an alias.
    """
    binder = Binder()
    sql = "1" if filter.root is None else _span(filter.root, binder)
    return Condition(sql, binder.parameters)


def trace_condition(filter: Filter) -> Condition:  # noqa: A002 - the word for it
    """Return what holds for a column `trace_id`: one of the trace's spans matches.

    That is one span for all of the filter; conditions on its whole trace hold for each of them.
    """
    binder = Binder()
    if filter.root is None:
        return Condition("1", binder.parameters)
    parts = filter.root.parts if isinstance(filter.root, All) else (filter.root,)
    whole = [part for part in parts if _of_whole_trace(part)]
    of_span = [part for part in parts if not _of_whole_trace(part)]
    found = [_trace(All(tuple(whole)), binder)] if whole else []
    if len(of_span) == 1 and isinstance(of_span[0], Text):
        found.append(traces_with_text(of_span[0], binder))
    elif of_span:
        found.append(_among_spans(_span(All(tuple(of_span)), binder)))
    return Condition(" AND ".join(found), binder.parameters)


def _span(node: Node, binder: Binder) -> str:
    """Return a boolean over a row of `spans`, in parentheses or otherwise whole."""
    if _of_whole_trace(node):
        return _trace(node, binder)
    match node:
        case All(parts):
            # One question to `traces` for all that is asked of it.
            whole = [part for part in parts if _of_whole_trace(part)]
            others = [_span(part, binder) for part in parts if not _of_whole_trace(part)]
            if whole:
                others.append(_trace(All(tuple(whole)), binder))
            return f"({' AND '.join(others)})"
        case OneOf(parts):
            return f"({' OR '.join(_span(part, binder) for part in parts)})"
        case Not(part):
            return f"(NOT {_span(part, binder)})"
        case Relation(sign, left, right):
            return relation_sql(sign, _span(left, binder), _span(right, binder))
        case Text():
            return text_sql(node, binder)
        case tree.Condition(field):
            made = condition_sql(node, binder)
            if field.place == "any span":
                return _among_spans(made)
            if field.place == "sources":
                return (
                    "(source_id IN (SELECT source_id FROM sources"
                    f" WHERE project_id = {{project:String}} AND {made}))"
                )
            return made


def _of_whole_trace(node: Node) -> bool:
    """Whether the sums of a trace decide about it."""
    return all(
        inner.field.place == "traces"
        if isinstance(inner, tree.Condition)
        else not isinstance(inner, Relation | Text)
        for inner in walk(node)
    )


def _trace(node: Node, binder: Binder) -> str:
    return (
        "(trace_id IN (SELECT trace_id FROM traces"
        f" WHERE project_id = {{project:String}} AND {IN_HOURS}"
        f" GROUP BY trace_id HAVING {_having(node, binder)}))"
    )


def _having(node: Node, binder: Binder) -> str:
    match node:
        case All(parts):
            return f"({' AND '.join(_having(part, binder) for part in parts)})"
        case OneOf(parts):
            return f"({' OR '.join(_having(part, binder) for part in parts)})"
        case Not(part):
            return f"(NOT {_having(part, binder)})"
        case tree.Condition():
            return condition_sql(node, binder)
        case _:
            raise TypeError("not decided by the sums of a trace")


def _among_spans(condition: str) -> str:
    return (
        "(trace_id IN (SELECT trace_id FROM spans"
        f" WHERE project_id = {{project:String}} AND {IN_HOURS} AND {condition}))"
    )

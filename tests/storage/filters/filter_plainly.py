"""What a filter means, in plain Python over the rows of the store; the engine must agree."""

from __future__ import annotations

import fnmatch
import json
import re
from collections import defaultdict
from decimal import Decimal
from typing import Any

from agentguard_storage.filters.tree import (
    All,
    Between,
    Comparison,
    Condition,
    Exists,
    Filter,
    Is,
    Match,
    Node,
    Not,
    OneOf,
    Pattern,
    Relation,
    Test,
    Text,
)
from tests.storage.telemetry.telemetry_store import Store

Row = dict[str, Any]
Key = tuple[str, str]
_TOKENS = (
    "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
)  # fmt: skip


class Plain:
    """The spans of one project, in memory."""

    def __init__(self, store: Store, project: str) -> None:
        rows = store.rows(
            "SELECT spans.*, toUnixTimestamp64Nano(start_time) AS start_ns,"
            " toUnixTimestamp64Nano(end_time) AS end_ns, toString(kind) AS kind,"
            " toString(status) AS status, toString(cost_source) AS cost_source"
            " FROM spans WHERE project_id = {project:String}",
            project=project,
        )
        self.spans: dict[Key, Row] = {(row["trace_id"], row["span_id"]): row for row in rows}
        self.traces: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            self.traces[row["trace_id"]].append(row)
        self._sources(store, project)
        self._contents(store, project)

    def _sources(self, store: Store, project: str) -> None:
        sources = {
            row["source_id"]: row
            for row in store.rows(
                "SELECT source_id, scope_name, resource_attributes FROM sources"
                " WHERE project_id = {project:String}",
                project=project,
            )
        }
        for row in self.spans.values():
            row |= {k: v for k, v in sources[row["source_id"]].items() if k != "source_id"}

    def _contents(self, store: Store, project: str) -> None:
        """What was sent, from the export, and not from where filters look for it."""
        for of_resource in store.read_back(project):
            for of_scope in of_resource.scope_spans:
                for span in of_scope.spans:
                    row = self.spans[span.trace_id.hex(), span.span_id.hex()]
                    row["sent"] = {
                        a.key: a.value.string_value
                        for a in span.attributes
                        if a.value.WhichOneof("value") == "string_value"
                    }

    def found(self, filter: Filter) -> set[Key]:  # noqa: A002 - the word for it
        """The spans that a filter is true of."""
        if filter.root is None:
            return set(self.spans)
        return self._found(filter.root)

    def _found(self, node: Node) -> set[Key]:
        everything = set(self.spans)
        match node:
            case All(parts):
                return everything.intersection(*map(self._found, parts))
            case OneOf(parts):
                return set().union(*map(self._found, parts))
            case Not(part):
                return everything - self._found(part)
            case Relation(sign, left, right):
                return self._related(sign, self._found(left), self._found(right))
            case Text(text):
                return {key for key, row in self.spans.items() if _says(row, text)}
            case Condition():
                return {key for key in everything if self._holds(node, key)}

    def _above(self, key: Key) -> list[Key]:
        above: list[Key] = []
        while (key := (key[0], self.spans[key]["parent_span_id"])) in self.spans:
            if key in above:
                break
            above.append(key)
        return above

    def _related(self, sign: str, left: set[Key], right: set[Key]) -> set[Key]:
        nearest = 1 if len(sign) == 2 else None
        if sign[0] == "<":
            return {key for key in left if right.intersection(self._above(key)[:nearest])}
        return left.intersection(*[{up for key in right for up in self._above(key)[:nearest]}])

    def _holds(self, condition: Condition, key: Key) -> bool:
        row, name = self.spans[key], condition.field.name
        if name.startswith("trace."):
            return _tested(condition.test, _of_trace(self.traces[key[0]], name))
        if name == "attr.":
            value = row["attributes"].get(condition.key, row["sent"].get(condition.key))
            if not isinstance(condition.test, Exists) and value is not None:
                wild = isinstance(condition.test, Match) and any(
                    len(pattern.parts) > 1 for pattern in condition.test.patterns
                )
                # As documented: within long texts, only the search for text looks.
                value = None if wild and condition.key not in row["attributes"] else value
            return _attribute(condition.test, value)
        if name == "resource.":
            return _attribute(condition.test, row["resource_attributes"].get(condition.key))
        return _tested(condition.test, _of_span(row, name))


def _of_span(row: Row, name: str) -> Any:
    renamed = {
        "message": "status_message", "action": "guard_action", "reason": "stop_reason",
        "trace": "trace_id", "span": "span_id", "parent": "parent_span_id", "scope": "scope_name",
        "event": "events.name",
    }  # fmt: skip
    match name:
        case "tokens":
            return sum(row[each] for each in _TOKENS)
        case "duration":
            return max(row["end_ns"] - row["start_ns"], 0)
        case "unpriced":
            return row["cost_source"] == "unpriced"
        case "root":
            return row["parent_span_id"] == ""
        case _:
            return row[renamed.get(name, name)]


def _of_trace(rows: list[Row], name: str) -> Any:
    def every(column: str) -> list[str]:
        return [row[column] for row in rows if row[column]]

    roots = [row["name"] for row in rows if not row["parent_span_id"]]
    counts = {
        "spans": lambda row: True,
        "errors": lambda row: row["status"] == "error",
        "llm_calls": lambda row: row["kind"] == "llm",
        "tool_calls": lambda row: row["kind"] == "tool",
    }
    match name.removeprefix("trace."):
        case "name":
            first = min(rows, key=lambda row: (row["start_ns"], row["name"]))
            return max(roots, default="") or first["name"]
        case "service" | "agent" | "model" | "tool" | "guard" as column:
            return every(column)
        case "action":
            return every("guard_action")
        case "environment" | "session" | "user" as column:
            return max(every(column), default="")
        case "reason":
            return max(every("stop_reason"), default="")
        case "status":
            return "error" if any(map(counts["errors"], rows)) else "ok"
        case "tokens":
            return sum(row[each] for row in rows for each in _TOKENS)
        case "cost":
            return sum((row["cost"] or Decimal(0) for row in rows), Decimal(0))
        case "unpriced":
            return any(row["cost_source"] == "unpriced" for row in rows)
        case "duration":
            return max(row["end_ns"] for row in rows) - min(row["start_ns"] for row in rows)
        case counted:
            return sum(map(counts[counted], rows))


def _tested(test: Test, value: Any) -> bool:
    match test:
        case Match(patterns):
            values = value if isinstance(value, list) else [value]
            return any(_like(pattern, each) for pattern in patterns for each in values)
        case Exists():
            return value is not None and value not in ("", [])
        case Is(flag):
            return bool(value) == flag
        case Comparison(operator, amount):
            return value is not None and _compared(operator, value, amount)
        case Between(low, high):
            return value is not None and low <= value <= high


def _attribute(test: Test, value: str | None) -> bool:
    if value is None:
        return False
    match test:
        case Exists():
            return True
        case Match(patterns):
            return any(pattern.parts == ("", "") or _like(pattern, value) for pattern in patterns)
        case _:
            try:
                number = float(value)
            except ValueError:
                return False
            if isinstance(test, Between):
                return float(test.low) <= number <= float(test.high)
            assert isinstance(test, Comparison)
            return _compared(test.operator, number, float(test.amount))


def _compared(operator: str, value: Any, amount: Any) -> bool:
    return {
        "=": value == amount,
        ">": value > amount,
        ">=": value >= amount,
        "<": value < amount,
        "<=": value <= amount,
    }[operator]


def _like(pattern: Pattern, value: str) -> bool:
    if len(pattern.parts) == 1:
        return value == pattern.parts[0]
    if pattern.parts == ("", ""):
        return value != ""
    escaped = "*".join(re.sub(r"([*?\[])", r"[\1]", part) for part in pattern.parts)
    return fnmatch.fnmatchcase(value, escaped)


def _says(row: Row, text: str) -> bool:
    """Messages, names and errors: each alone has all of the words, and the text if it is longer."""
    searched = [row["name"], row["status_message"]]
    long = [value for value in row["sent"].values() if len(value.encode()) >= 128]
    pieces = [piece for value in long for piece in re.split(r'\},\s?\{"role"', value)]
    pieces += [
        value
        for key, value in {**row["sent"], **row["attributes"]}.items()
        if value not in long and (" " in value or _is_said(key))
    ]
    forms = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    return any(_has(part, text) for part in searched) or any(
        _has(piece, form) for piece in pieces for form in forms
    )


def _is_said(key: str) -> bool:
    flat = ("gen_ai.prompt.", "gen_ai.completion.", "llm.input_messages.", "llm.output_messages.")
    whole = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions")
    values = ("input.value", "output.value", "traceloop.entity.input", "traceloop.entity.output")
    tools = ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "tool.parameters")
    return key.startswith(flat) or key in (*whole, *values, *tools)


def _has(content: str, text: str) -> bool:
    content, text = _lower(content), _lower(text)
    words = re.findall(r"[a-z0-9\u0080-\U0010ffff]+", text)
    there = re.findall(r"[a-z0-9\u0080-\U0010ffff]+", content)
    return set(words) <= set(there) and ([text] == words or text in content)


def _lower(text: str) -> str:
    return text.encode().lower().decode()

"""What finished spans say: the tree they make, and the model calls that count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from opentelemetry.sdk.trace import ReadableSpan

from agentguard.guards.reading import kind_at_start
from agentguard.guards.usage import usage_of
from agentguard.semconv import WRAPS_MODEL_CALL
from agentguard.vocabulary import read


class Spans:
    """Spans of one or more traces, in the order in which they began."""

    def __init__(self, spans: Iterable[ReadableSpan]) -> None:
        self.all = sorted(spans, key=lambda span: span.start_time or 0)
        self._ids = {span.context.span_id for span in self.all if span.context}

    def traces(self) -> set[int]:
        """The ids of their traces."""
        return {span.context.trace_id for span in self.all if span.context}

    def orphans(self) -> list[str]:
        """Names of the spans whose parent is not there."""
        return [s.name for s in self.all if s.parent and s.parent.span_id not in self._ids]

    def model_calls(self) -> list[tuple[str, int, int, int, int]]:
        """Model, and input, cached, output and reasoning tokens of each that counts, sorted."""
        found = []
        for span in self.all:
            attributes = span.attributes or {}
            if attributes.get(WRAPS_MODEL_CALL):
                continue
            if kind_at_start(span.name, attributes) not in ("llm", "embedding"):
                continue
            said = read(attributes)
            scope = span.instrumentation_scope.name if span.instrumentation_scope else ""
            usage = usage_of(said, str(said.get("provider") or ""), scope)
            if usage is not None:
                model = str(said.get("response_model") or said.get("request_model") or "")
                counts = (usage.input, usage.cache_read + usage.cache_write)
                found.append((model, *counts, usage.output, usage.reasoning))
        return sorted(found)

    def tree(self) -> list[str]:
        """One line a span, indented under its parent, by start."""
        children: dict[int | None, list[ReadableSpan]] = {}
        for span in self.all:
            inside = span.parent.span_id if span.parent else None
            children.setdefault(inside if inside in self._ids else None, []).append(span)
        return list(_lines(children, None, 0))


def _lines(
    children: dict[int | None, list[ReadableSpan]], parent: int | None, depth: int
) -> Sequence[str]:
    lines: list[str] = []
    for span in children.get(parent, []):
        lines.append("  " * depth + span.name)
        if span.context:
            lines += _lines(children, span.context.span_id, depth + 1)
    return lines

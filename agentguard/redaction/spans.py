"""Taking values out of a copy of a finished span."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link
from opentelemetry.trace.status import Status

from agentguard.redaction.redactor import Redactor

__all__ = ["REDACTED", "SpanRedactor"]

log = logging.getLogger("agentguard")

REDACTED = "agentguard.redacted"
"""What was taken out of the span, such as `["api_key:2", "email:1"]`."""


class SpanRedactor:
    """Redacts everything textual of a span; the span itself stays as it is."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._resources: dict[Resource, Resource] = {}

    def spans(self, spans: Sequence[ReadableSpan]) -> Sequence[ReadableSpan]:
        """Copies that may leave the process."""
        return [self._safe(span) for span in spans] if self._redactor.active else spans

    def _safe(self, span: ReadableSpan) -> ReadableSpan:
        try:
            return self._span(span)
        except Exception as error:  # noqa: BLE001 - what cannot be looked through is not sent
            log.debug("A span could not be redacted: %s", type(error).__name__)
            return ReadableSpan(
                name="[redacted:failed]",
                context=span.context,
                parent=span.parent,
                attributes=_bounded({REDACTED: ("failed:1",)}),
                start_time=span.start_time,
                end_time=span.end_time,
            )

    def _span(self, span: ReadableSpan) -> ReadableSpan:
        counts: Counter[str] = Counter()
        name = self._redactor.text(span.name, counts)
        attributes = self._mapping(span.attributes, counts)
        events = [
            Event(
                self._redactor.text(event.name, counts),
                _bounded(self._mapping(event.attributes, counts), event.dropped_attributes),
                event.timestamp,
            )
            for event in span.events
        ]
        links = [
            Link(
                link.context,
                _bounded(self._mapping(link.attributes, counts), link.dropped_attributes),
            )
            for link in span.links
        ]
        status = span.status
        if status.description:
            status = Status(status.status_code, self._redactor.text(status.description, counts))
        resource, scope = self._resource(span.resource), self._scope(span.instrumentation_scope)
        if not counts and resource == span.resource and scope == span.instrumentation_scope:
            return span
        if counts:
            attributes[REDACTED] = tuple(f"{kind}:{n}" for kind, n in sorted(counts.items()))
        return ReadableSpan(
            name=name,
            context=span.context,
            parent=span.parent,
            resource=resource,
            attributes=_bounded(attributes, span.dropped_attributes),
            events=events,
            links=links,
            kind=span.kind,
            status=status,
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=scope,
        )

    def _resource(self, resource: Resource) -> Resource:
        found = self._resources.get(resource)
        if found is None:
            counts: Counter[str] = Counter()
            found = Resource(self._mapping(resource.attributes, counts), resource.schema_url)
            self._resources = {resource: found}
        return found

    def _scope(self, scope: InstrumentationScope | None) -> InstrumentationScope | None:
        if scope is None or not scope.attributes:
            return scope
        cleaned = self._mapping(scope.attributes, Counter())
        return InstrumentationScope(scope.name, scope.version, scope.schema_url, cleaned)

    def _mapping(self, given: Mapping[str, Any] | None, counts: Counter[str]) -> dict[str, Any]:
        return {
            self._redactor.text(key, counts): self._value(value, counts)
            for key, value in (given or {}).items()
        }

    def _value(self, value: Any, counts: Counter[str]) -> Any:
        if isinstance(value, str):
            return self._redactor.text(value, counts)
        if isinstance(value, bytes):
            return self._redactor.text(value.decode("latin-1"), counts).encode("latin-1", "replace")
        if isinstance(value, Mapping):
            return self._mapping(value, counts)
        if isinstance(value, Sequence):
            return tuple(self._value(each, counts) for each in value)
        return value


def _bounded(attributes: dict[str, Any], dropped: int = 0) -> BoundedAttributes:
    """The attributes in the form whose count of dropped ones the exporter asks for."""
    bounded = BoundedAttributes(attributes=attributes, immutable=False)
    bounded.dropped = dropped
    return bounded

"""What every span helper shares: a span that is current inside a `with` block."""

import logging
from collections.abc import Callable, Mapping
from contextvars import Token
from types import TracebackType
from typing import ClassVar, Self

from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.util.types import AttributeValue

from agentguard import semconv
from agentguard.content import to_text
from agentguard.inheritance import inherited
from agentguard.runtime import runtime

__all__ = ["Attributes", "SpanScope", "present", "record_error"]

log = logging.getLogger("agentguard")

Attributes = Mapping[str, AttributeValue]


class SpanScope:
    """A span that is current inside a `with` block. `span` is OpenTelemetry's own."""

    __slots__ = ("_token", "attributes", "span", "span_name")
    kind: ClassVar[SpanKind] = SpanKind.INTERNAL

    span: Span
    _token: Token[Context]

    def __init__(self, span_name: str, attributes: Attributes) -> None:
        self.span_name = span_name
        self.attributes = attributes

    def open(self) -> Context:
        """Start the span; the context returned is the one in which it is current."""
        context = self._outer()
        attributes = {**inherited(context), **self.attributes}
        self.span = runtime.tracer.start_span(
            self.span_name, context, kind=self.kind, attributes=attributes
        )
        return set_span_in_context(self.span, context)

    def close(self, error: BaseException | None = None) -> None:
        """End the span, recording the error that ended its work if there was one."""
        if error is not None:
            record_error(self.span, error)
        self.span.end()

    def __enter__(self) -> Self:
        self._token = attach(self.open())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        detach(self._token)
        self.close(error)

    def _outer(self) -> Context:
        """The context the span starts in."""
        return get_current()

    def record_input(self, value: object) -> None:
        """Record what the work was given. Kept only when content is captured."""
        self._record(semconv.INPUT_VALUE, value)

    def record_output(self, value: object) -> None:
        """Record what the work gave back. Kept only when content is captured."""
        self._record(semconv.OUTPUT_VALUE, value)

    def _record(self, key: str, value: object, encode: Callable[..., str] = to_text) -> None:
        if runtime.capture_content:
            self.span.set_attribute(key, encode(value, limit=runtime.max_content_length))

    def _set(self, attributes: Mapping[str, AttributeValue | None]) -> None:
        self.span.set_attributes(present(attributes))


def record_error(span: Span, error: BaseException) -> None:
    """Mark the span as failed; never raises, so that the error itself goes on unchanged.

    A cancelled or interrupted piece of work did not succeed, so those count too; leaving a
    generator early and leaving the process with success do not.
    """
    if isinstance(error, GeneratorExit) or (isinstance(error, SystemExit) and not error.code):
        return
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", None):
        name = f"{kind.__module__}.{name}"
    try:
        span.set_attribute(semconv.ERROR_TYPE, name)
        span.set_status(Status(StatusCode.ERROR, f"{kind.__name__}: {error}"))
        span.record_exception(error)
    except Exception:
        log.debug("An error could not be recorded", exc_info=True)


def present(
    attributes: Mapping[str, AttributeValue | None], more: Attributes | None = None
) -> dict[str, AttributeValue]:
    """The attributes that have a value, and more."""
    kept = {key: value for key, value in attributes.items() if value is not None}
    return {**kept, **(more or {})}

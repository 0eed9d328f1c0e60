"""What every span helper shares: a span that is current inside a `with` block."""

import logging
from asyncio import CancelledError
from collections.abc import Callable, Mapping
from contextvars import Token
from types import TracebackType
from typing import ClassVar, Self

from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.util.types import AttributeValue

from agentguard import semconv
from agentguard.content import to_text
from agentguard.guards.call import MODEL_KINDS, Call, Kind, Outcome
from agentguard.guards.enforcement import admit, settle
from agentguard.guards.implied import implied_run
from agentguard.guards.place import Place, at, current_place, mark
from agentguard.guards.state import RunState
from agentguard.inheritance import hand_down, inherited
from agentguard.runtime import runtime
from agentguard.span_attributes import add_attributes

__all__ = ["Attributes", "SpanScope", "present", "record_error"]

log = logging.getLogger("agentguard")

Attributes = Mapping[str, AttributeValue]

_ASKED = frozenset({"tool", "agent"})
_SIMPLE = frozenset({"tool", "retrieval"})
"""What is not looked at by anybody where no guard watches: agents are, for those inside of them."""


class SpanScope:
    """A span that is current inside a `with` block. `span` is OpenTelemetry's own.

    Where guards watch, they are asked before the span starts, and `with` raises what they refuse.
    """

    __slots__ = (
        "_call",
        "_context",
        "_counted",
        "_failure",
        "_root",
        "_token",
        "attributes",
        "given",
        "span",
        "span_name",
    )
    kind: ClassVar[SpanKind] = SpanKind.INTERNAL
    operation: ClassVar[Kind | None] = None
    """What guards are asked about; None for what they do not look at."""

    span: Span
    _call: Call | None
    _token: Token[Context]

    def __init__(self, span_name: str, attributes: Attributes) -> None:
        self.span_name = span_name
        self.attributes = attributes
        self._call = None
        self._context: Context | None = None
        self._failure: str | None = None
        self._counted: tuple[RunState, str] | None = None
        self._root: RunState | None = None
        self.given: Callable[[], object] | None = None
        """Makes what the work is given, for guards that look at it: a tool's arguments, what a
        model is sent. To be set before the span is opened."""

    def within(self, context: Context) -> Self:
        """Let the span be part of that context, and not of the current one."""
        self._context = context
        return self

    @property
    def call(self) -> Call | None:
        """What guards are asked about, once the span is open; None where none of a run's are."""
        return self._call

    def open(self) -> Context:
        """Start the span; the context returned is the one in which it is current.

        Raises `Refused` where a guard objects.
        """
        context = self._outer()
        shared, own = inherited(context), self.attributes
        place = current_place(context) or self._implied(context)
        operation = self.operation
        if place is not None and operation is not None:
            if operation in _SIMPLE and not place.run.watching[operation]:
                self._begin_unwatched(place.run, operation)
            else:
                call = self._call = Call(
                    operation,
                    self.span_name.partition(" ")[2],
                    place.run,
                    parent=place.call,
                    attributes={**shared, **own},
                    arguments=self.given if operation in _ASKED else None,
                    content=self.given if operation in MODEL_KINDS else None,
                )
                if operation in MODEL_KINDS:
                    _name_model(call)
                admit(call)
                place = Place(place.run, call)
        try:
            self.span = runtime.tracer.start_span(
                self.span_name, context, kind=self.kind, attributes=own
            )
            if shared:
                hand_down(self.span, shared)
        except BaseException as problem:
            self._settle("error", problem)
            raise
        if self._call is not None and self._call.is_model_call:
            self._call.span = self.span
        return self._enter(place, set_span_in_context(self.span, context))

    def close(self, error: BaseException | None = None) -> None:
        """End the span, recording the error that ended its work if there was one."""
        if error is not None:
            record_error(self.span, error)
            self._settle(_outcome(error), error)
        elif self._failure is not None:
            self._settle("error", None)
        elif self._call is not None:
            self._call.span = None
            settle(self._call)
        elif self._counted is not None:
            self._settle("ok", None)
        self.span.end()
        if self._root is not None:
            self._root.end()

    def record_failure(self, message: str, type: str = "error") -> None:  # noqa: A002 - its name
        """Record that the work failed though it raised nothing; `type` is for `error.type`."""
        self._failure = f"{type}: {message}"
        self.span.set_attribute(semconv.ERROR_TYPE, type)
        self.span.set_status(Status(StatusCode.ERROR, message))

    def returned(self, value: object) -> None:
        """Tell what the work gave back: to guards, and to the span when content is captured."""
        if self._call is not None:
            self._call.output = value
        if runtime.capture_content:
            self.record_output(value)

    def _implied(self, context: Context) -> Place | None:
        # Where nothing is guarded, what has nothing inside needs no run that it could find.
        is_needed = runtime.implies_runs and self.operation not in _SIMPLE
        if not is_needed and runtime.process_run is None and not runtime.guards:
            return None
        self._root = implied_run(self.span_name, 0, context)
        return Place(self._root)

    def _enter(self, place: Place | None, context: Context) -> Context:
        """The context inside the span, whose children find the place."""
        if place is None:
            return context
        if self._root is not None:
            self._root.span = self.span
            self._root.id = self._root.trace_id
        return context if mark(self.span, place) else at(place, context)

    def _begin_unwatched(self, run: RunState, operation: Kind) -> None:
        """No guard looks at it: it is counted, and refused where the run was stopped."""
        stop = run.latched()
        name = self.span_name.partition(" ")[2]
        if stop is not None:
            for each in run.chain:
                each.tally.count_refused(operation)
            raise stop.exception()
        self._counted = (run, name if operation == "tool" else "")

    def _settle(self, outcome: Outcome, error: BaseException | None) -> None:
        call = self._call
        if call is not None:
            call.span = None
            said = self._failure if error is None else f"{type(error).__name__}: {error}"
            settle(call, outcome, said)
        elif self._counted is not None:
            run, tool = self._counted
            self._counted = None
            for each in run.chain:
                each.tally.count(tool, failed=outcome == "error")

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
        return get_current() if self._context is None else self._context

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
        add_attributes(self.span, present(attributes))


def _name_model(call: Call) -> None:
    """Tell what model the call is to, by what its span says."""
    said = call.attributes.get
    provider, model = said(semconv.PROVIDER_NAME), said(semconv.REQUEST_MODEL)
    if provider is not None:
        call.provider = str(provider)
    if model is not None:
        call.model = str(model)
    most = said(semconv.REQUEST_MAX_TOKENS)
    if isinstance(most, (int, float)):
        call.max_tokens = int(most)


def _outcome(error: BaseException | None) -> Outcome:
    if error is None or isinstance(error, GeneratorExit):
        return "ok"
    return "cancelled" if isinstance(error, CancelledError) else "error"


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
    kept: dict[str, AttributeValue] = {
        key: value for key, value in attributes.items() if value is not None
    }
    if more:
        kept.update(more)
    return kept

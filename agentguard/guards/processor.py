"""Guards on other people's spans: a span processor sees each of them start and end.

An instrumentor that lets `Refused` through at the start of its span has stopped the call right
there. One that swallows it has not: what its call then meets is the model client's own boundary
(`agentguard.boundary`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final
from weakref import WeakValueDictionary

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import Span as AnySpan
from opentelemetry.trace import StatusCode

from agentguard.boundary.clients import is_guarded
from agentguard.errors import Refused
from agentguard.guards.call import MODEL_KINDS, Call, Kind
from agentguard.guards.enforcement import admit, refuse_if_stopped, settle
from agentguard.guards.implied import implied_run
from agentguard.guards.place import (
    Place,
    current_place,
    expect_request,
    expected_call,
    mark,
    report_late,
)
from agentguard.guards.reading import describe, finish, kind_at_start
from agentguard.inheritance import TRACER, hand_down, inherited
from agentguard.runtime import runtime
from agentguard.semconv import WRAPS_MODEL_CALL
from agentguard.span_attributes import attributes_of

__all__ = ["GuardProcessor"]

log = logging.getLogger("agentguard")

# The instrumentation scopes of those who trace a client whose boundary is guarded.
_LIBRARY_OF: Final = {
    f"{project}.{library}{version}": library
    for library in ("openai", "anthropic")
    for project in (
        "opentelemetry.instrumentation",
        "opentelemetry.instrumentation.genai",
        "openinference.instrumentation",
    )
    for version in ("", ".v1", "_v2")
} | {"com.anthropic.sdk.python": "anthropic"}


class _SpanPlace(Place):
    """The place inside one span of others: `kind` is what the span said it stands for."""

    __slots__ = ("is_root", "kind", "outer")

    def __init__(self, outer: Place, call: Call | None, kind: Kind | None, is_root: bool) -> None:
        super().__init__(outer.run, call)
        self.outer = outer
        self.kind = kind
        self.is_root = is_root

    @property
    def own_call(self) -> Call | None:
        """The call that the span itself stands for, and not one that it is a part of."""
        return self.call if self.call is not self.outer.call else None


class GuardProcessor(SpanProcessor):
    """Asks the guards of the run that a span is part of, implied by its root span if need be."""

    def __init__(self) -> None:
        # The spans own their places: one that is never ended leaves nothing behind.
        self._open: WeakValueDictionary[int, _SpanPlace] = WeakValueDictionary()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Raises `Refused` where a guard objects to what the span stands for."""
        scope = span.instrumentation_scope
        if scope is not None and scope.name == TRACER:
            # Ours ask for themselves, with more at hand than attributes.
            return
        try:
            shared = inherited(parent_context)
            if shared:
                hand_down(span, shared)
            place = self._enter(span, parent_context)
        except Exception:
            log.debug("A span could not be guarded", exc_info=True)
            return
        call = place.own_call
        if call is None:
            return
        if call.is_model_call and _comes_by_the_boundary(span):
            # There more is known of it. What is known here is that a stopped run makes no more.
            refuse_if_stopped(call)
        else:
            admit(call)
        if call.is_model_call:
            expect_request(call)

    def on_end(self, span: ReadableSpan) -> None:
        """Settles what the span stood for. Raises nothing."""
        scope = span.instrumentation_scope
        if scope is not None and scope.name == TRACER:
            return
        place = self._open.pop(span.context.span_id, None) if span.context else None
        if place is None:
            return
        try:
            _leave(span, place)
        except Exception:
            log.debug("A span could not be settled", exc_info=True)

    def _enter(self, span: Span, context: Context | None) -> _SpanPlace:
        attributes = attributes_of(span)
        kind = kind_at_start(span.name, attributes)
        outer = current_place(context)
        around = _unattached(span, kind, outer)
        if around is not None:
            outer = Place(around.run, around)
        is_root = outer is None
        if outer is None:
            outer = Place(implied_run(span.name, span.context.trace_id, context))
            outer.run.span = span
        call = outer.call
        if _scope_name(span) in runtime.superseded:
            # Not all say at their start which of them stand for model calls.
            span.set_attribute(WRAPS_MODEL_CALL, True)
        elif kind is not None and not _is_late_report(span, kind):
            if call is None or not _is_part_of(kind, call):
                call = _call(kind, span.name, attributes, outer)
            else:
                _mark_as_wrapper(call.span)
            if call.is_model_call:
                call.span, call.has_span = span, True
                call.traced_by = "client" if _scope_name(span) in _LIBRARY_OF else "other"
        place = _SpanPlace(outer, call, kind, is_root)
        mark(span, place)
        self._open[span.context.span_id] = place
        return place


def _unattached(span: Span, kind: Kind | None, outer: Place | None) -> Call | None:
    """The call that another instrumentor of the same client began here, without telling its span.

    Traceloop's of `anthropic` does not make its span the current one, so that what is inside has
    the same parent as it.
    """
    library = _LIBRARY_OF.get(_scope_name(span))
    if kind is None or library is None:
        return None
    call = expected_call(outer)
    if call is None or not _is_part_of(kind, call):
        return None
    if outer is not None and (call is outer.call or call.run is not outer.run):
        return None
    begun = getattr(call.span, "instrumentation_scope", None)
    name = "" if begun is None else begun.name
    is_anothers = name != _scope_name(span) and _LIBRARY_OF.get(name) == library
    return call if is_anothers else None


def _comes_by_the_boundary(span: ReadableSpan) -> bool:
    """Whether the span is an instrumentor's of a client whose requests we meet themselves."""
    library = _LIBRARY_OF.get(_scope_name(span))
    return library is not None and is_guarded(library)


def _is_part_of(kind: Kind, call: Call) -> bool:
    """Whether a model call is the inside of another: a framework's span around a client's."""
    return call.kind == kind and call.is_model_call and call.outcome == "open"


def _is_late_report(span: Span, kind: Kind) -> bool:
    """Whether the span was made when its model call was over, as some instrumentors do.

    The client's edge has counted the call; the span's tokens count where no other span has them.
    """
    if kind not in MODEL_KINDS or _scope_name(span) not in _LIBRARY_OF:
        return False
    over = report_late(span.start_time or 0)
    if over is not None and over.has_span:
        span.set_attribute(WRAPS_MODEL_CALL, True)
    return over is not None


def _mark_as_wrapper(span: AnySpan | None) -> None:
    """Another model span begins inside: the same call must not be counted twice."""
    if span is not None and span.is_recording():
        span.set_attribute(WRAPS_MODEL_CALL, True)


def _call(
    kind: Kind,
    name: str,
    attributes: Mapping[str, object],
    outer: Place,
) -> Call:
    said = describe(kind, name, attributes)
    return Call(
        kind,
        said.name,
        outer.run,
        parent=outer.call,
        attributes=dict(attributes),
        provider=said.provider,
        model=said.model,
        max_tokens=said.max_tokens,
        arguments=said.arguments,
        content=said.content,
    )


def _leave(span: ReadableSpan, place: _SpanPlace) -> None:
    attributes = attributes_of(span)
    call = place.call
    if call is not None and call.span is not None and _is_same(call.span, span):
        call.span = None
    if place.own_call is None and place.kind is None and WRAPS_MODEL_CALL not in attributes:
        call = _found_late(span.name, attributes, place)
    if call is not None and (call is not place.outer.call or call.is_model_call):
        finish(call, attributes, _scope_name(span))
    if (
        call is not None
        and call is not place.outer.call
        and (call.admitted or call.outcome != "open" or _admit_late(call))
    ):
        failed = span.status.status_code is StatusCode.ERROR
        settle(call, "error" if failed else "ok", span.status.description if failed else None)
    if place.is_root:
        place.run.end()


def _is_same(open_span: AnySpan, ended: ReadableSpan) -> bool:
    return ended.context is not None and open_span.get_span_context() == ended.context


def _scope_name(span: ReadableSpan) -> str:
    return span.instrumentation_scope.name if span.instrumentation_scope else ""


def _found_late(name: str, attributes: Mapping[str, object], place: _SpanPlace) -> Call | None:
    """The call of a span that said only after its start what it stands for.

    It is over, so nothing can be refused any more.
    """
    kind = kind_at_start(name, attributes)
    if kind is None or (place.call is not None and _is_part_of(kind, place.call)):
        return place.call
    return _call(kind, name, attributes, place.outer)


def _admit_late(call: Call) -> bool:
    """Count a call that is over and that no guard was asked about: it may stop what follows."""
    try:
        admit(call)
    except Refused:
        return False
    return True

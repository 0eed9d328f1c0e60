"""One call to a model on its way, from the moment its client is asked until it has its answer."""

from __future__ import annotations

import logging
import time
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Span

from agentguard.boundary.answer import note_answer
from agentguard.boundary.request import Asked, asked_by, kind_asked
from agentguard.boundary.span import begin_span, end_span
from agentguard.errors import Refused
from agentguard.guards.call import Call, Kind, Outcome
from agentguard.guards.enforcement import admit, deadline_of, proceed, settle
from agentguard.guards.implied import place_for_request
from agentguard.guards.place import Place, at, call_over, expected_call
from agentguard.inheritance import inherited
from agentguard.runtime import runtime
from agentguard.semconv import WRAPS_MODEL_CALL

__all__ = ["Flight", "current_flight", "take_off"]

log = logging.getLogger("agentguard")

_flight_here: ContextVar[Flight | None] = ContextVar("agentguard-flight", default=None)


def current_flight() -> Flight | None:
    """The call that the request of this thread or task is being sent for.

    A task that was begun by a request keeps its context when the request is long over.
    """
    flight = _flight_here.get()
    return flight if flight is not None and flight.is_under_way else None


def take_off(library: str, client: Any, options: Any) -> Flight | None:
    """The flight of a request; None for one that no guard looks at. Raises `Refused`."""
    try:
        kind = kind_asked(library, options)
        place = place_for_request() if kind is not None else None
        if kind is None or place is None:
            return None
        call = expected_call(place)
        if call is not None and _is_a_part_of(call, kind, library):
            return Flight(call, is_own=False, is_here=place.call is call)
        asked = asked_by(library, kind, client, options)
        flight = _flight(asked, place, call)
    except Exception:
        log.warning("A model call could not be guarded, and is made", exc_info=True)
        return None
    try:
        if not flight.call.admitted:
            admit(flight.call)
    except Refused:
        raise
    except Exception:
        log.warning("A model call could not be guarded, and is made", exc_info=True)
        flight.end("error")
        return None
    # Where a span stands for it there is none to make, unless that is a framework's around it.
    if library in runtime.traced_clients and (flight.is_own or flight.call.traced_by == "other"):
        flight.trace(asked)
    return flight


def _is_a_part_of(call: Call, kind: Kind, library: str) -> bool:
    """Whether the request is all that a call told, which was admitted by that, still lacked.

    Not where its request is to be traced inside a span of others, and not when it has its answer:
    that is another call, of which the guards are asked.
    """
    if not (call.is_told and call.admitted and call.kind == kind) or call.answered:
        return False
    return call.traced_by != "other" or library not in runtime.traced_clients


def _flight(asked: Asked, place: Place, call: Call | None) -> Flight:
    if call is not None and not call.answered:
        _fill_in(call, asked)
        return Flight(call, is_own=False, is_here=place.call is call)
    call = Call(
        asked.kind,
        asked.model or asked.kind,
        place.run,
        parent=place.call,
        attributes=inherited(),
        provider=asked.provider,
        model=asked.model,
        max_tokens=asked.max_tokens,
        content=asked.content,
    )
    return Flight(call, is_own=True)


def _fill_in(call: Call, asked: Asked) -> None:
    """What the request says, where the span of the call said less."""
    call.kind = asked.kind
    call.provider = call.provider or asked.provider
    call.model = call.model or asked.model
    if asked.model is not None and not call.admitted:
        call.name = asked.model
    if call.max_tokens is None:
        call.max_tokens = asked.max_tokens
    call.content = asked.content


class Flight:
    """A call that was admitted. `is_own`: no span stands for it, so it is settled here.

    `is_here`: what is inside finds the call without being told.

    As a context manager it is what requests and spans inside belong to, and it turns what a
    request failed with into the reason where the run was stopped meanwhile.
    """

    __slots__ = (
        "_attempts",
        "_flight_token",
        "_is_here",
        "_place_token",
        "call",
        "is_own",
        "is_under_way",
        "span",
    )

    def __init__(self, call: Call, *, is_own: bool, is_here: bool = False) -> None:
        self.call = call
        self._is_here = is_here
        self.is_own = is_own
        self.is_under_way = False
        self.span: Span | None = None
        """The span that was made here for the request, where one was."""
        self._attempts = 0
        self._flight_token: Token[Flight | None] | None = None
        self._place_token: Token[Context] | None = None

    def __enter__(self) -> Self:
        self.is_under_way = True
        self._flight_token = _flight_here.set(self)
        if not self._is_here or self.span is not None:
            self._place_token = attach(at(Place(self.call.run, self.call), span=self.span))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raises `Refused` in place of an error that came with a stop."""
        self.is_under_way = False
        if self._place_token is not None:
            detach(self._place_token)
        if self._flight_token is not None:
            _flight_here.reset(self._flight_token)
        if error is None:
            return
        reason = self.reason_for(error)
        failed = reason is None and isinstance(error, Exception) and not isinstance(error, Refused)
        self.end("error" if failed else "cancelled", reason or error)
        if reason is not None:
            raise reason from None

    def trace(self, asked: Asked) -> None:
        """Have a span for the request, until its answer is complete."""
        self.span = begin_span(asked)
        if self.span is None:
            return
        around, self.call.span = self.call.span, self.span
        self.call.has_span = True
        if around is not None and around.is_recording():
            around.set_attribute(WRAPS_MODEL_CALL, True)

    def attempt(self, client: Any, options: Any) -> None:
        """A request is about to be sent. Raises `Refused` for a retry in a stopped run.

        The first attempt of a call that was admitted goes out when another call has used up the
        budget since: of fifty calls at once against a budget for ten, ten do. After a deadline or
        a stop by somebody nothing does.
        """
        call = self.call
        stop = call.run.latched()
        if stop is not None and (self._attempts or stop.cuts_streams):
            if not call.attempts:
                settle(call, "refused")
            raise stop.exception()
        call.attempts += 1
        self._attempts += 1
        try:
            ends = deadline_of(call.run)
            if ends is not None:
                _limit_time(client, options, max(0.001, ends - time.monotonic()))
        except Exception:
            log.debug("A request could not be given a time-out", exc_info=True)

    def answered(self, answer: Any) -> None:
        """The answer is complete."""
        try:
            note_answer(self.call, answer)
        except Exception:
            log.debug("An answer could not be read", exc_info=True)
        self.call.answered = True
        self.end("ok")

    def end(self, outcome: Outcome, error: BaseException | None = None) -> None:
        """The call is over; where a span stands for it, that one's end settles it."""
        if outcome == "ok":
            self.call.answered = True
        call_over(has_span=self.call.has_span)
        if self.span is not None:
            span, self.span, self.call.span = self.span, None, None
            end_span(span, self.call, error)
        if not self.is_own:
            return
        said = None if error is None else f"{type(error).__name__}: {error}"
        try:
            settle(self.call, outcome, said)
        except Exception:
            log.debug("A model call could not be settled", exc_info=True)

    def proceed(self) -> None:
        """Another piece arrived. Raises `Refused` where the answer has to end here."""
        proceed(self.call)

    def reason_for(self, error: BaseException) -> Refused | None:
        """The stop that made a request fail; None where it failed by itself."""
        if isinstance(error, Refused) or not isinstance(error, Exception):
            return None
        try:
            # At its deadline a request may time out a moment before its run is stopped for that.
            proceed(self.call)
        except Refused as reason:
            return reason
        return None


def _limit_time(client: Any, options: Any, left: float) -> None:
    """Let the request take no longer than that many seconds, if it may take longer so far."""
    own = client.timeout if type(options.timeout).__name__ == "NotGiven" else options.timeout
    if own is None or isinstance(own, int | float):
        # To set a field of the options takes longer than all else here.
        if own is None or own > left:
            options.timeout = left
        return
    parts = {"connect": own.connect, "read": own.read, "write": own.write, "pool": own.pool}
    if None not in parts.values() and max(parts.values()) <= left:
        return
    shortened = {name: left if value is None else min(value, left) for name, value in parts.items()}
    options.timeout = type(own)(**shortened)

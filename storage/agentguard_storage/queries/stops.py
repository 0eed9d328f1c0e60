"""Why a run was stopped: the guard's verdict, what the run had done until then, what it saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from agentguard import semconv
from agentguard_storage.queries.measures import amount
from agentguard_storage.queries.messages import SpanMessages, messages_of
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.savings import Saved, saved
from agentguard_storage.queries.slices import moment
from agentguard_storage.queries.span_rows import SpanKind, SpanRow
from agentguard_storage.queries.trace import Trace, get_trace, with_contents

__all__ = ["LastCall", "RunBefore", "Stop", "Verdict", "explain_stop"]

GuardAction = Literal["stop", "deny", "error", "warn", "observe"]
_GRAVEST: Final[tuple[GuardAction, ...]] = ("stop", "deny", "error", "warn", "observe")
_CALLS: Final = frozenset({"llm", "embedding", "tool", "retrieval"})
_MODEL_CALLS: Final = frozenset({"llm", "embedding"})
_MOST_VERDICTS: Final = 50
_WINDOW: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a guard said, as `agentguard.guard.*` of its span have it.

    `action` is `stop` (the run ended), `deny` (one operation did not begin), `error` (the guard
    itself failed), or `warn` and `observe`, the modes of guards that refuse nothing. `limit` and
    `used` are in `unit`, None where the guard has no figures. `call` is the operation it was about.
    """

    guard: str
    action: str
    reason: str
    limit: float | None
    used: float | None
    unit: str
    call: str
    run_id: str
    run_name: str
    at: datetime
    span_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBefore:
    """What the run had done when the verdict came; nanoseconds, and US dollars."""

    duration_ns: int
    model_calls: int
    tool_calls: int
    errors: int
    tokens: int
    cost: Decimal | None
    unpriced_calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LastCall:
    """A call before the verdict. `same` counts those of the last 30 with the same input."""

    span_id: str
    kind: SpanKind
    name: str
    agent: str
    started_at: datetime
    duration_ns: int
    status: str
    status_message: str
    cost: Decimal | None
    same: int
    messages: SpanMessages


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why a run was stopped.

    `stopped` is False where nothing was: a guard only denied, warned or observed, and the gravest
    of its verdicts is told. `refused_after` counts the model calls that the instrumentor recorded
    and that were not sent; `answered_after` those that began after the stop and were answered all
    the same: calls in flight, or outside of the run. `verdicts` are all of the trace's, at most 50.
    `saved` is an estimate and says its method; None where nothing was stopped.
    """

    trace_id: str
    root_name: str
    service: str
    stopped: bool
    verdict: Verdict
    outcome: str
    before: RunBefore
    last_calls: list[LastCall]
    refused_after: int
    answered_after: int
    verdicts: list[Verdict]
    saved: Saved | None


def explain_stop(
    reader: Reader, trace_id: str, *, last: int = 10, text_limit: int = 500
) -> Stop | None:
    """Say why a run was stopped; None where no guard had anything to say of this trace.

    `last` calls before the stop are shown, each of their texts with up to `text_limit` characters.
    """
    trace = get_trace(reader, trace_id, contents=False)
    if trace is None:
        return None
    told = _guard_spans(trace)
    if not told:
        return None
    told = told[:_MOST_VERDICTS]
    root = next((span for span in trace.spans if not span.parent_span_id), None)
    read = with_contents(reader, [*told, *([root] if root else [])])
    verdicts = [_verdict(span) for span in read[: len(told)]]
    number = min(range(len(told)), key=lambda one: (_gravity(verdicts[one].action), one))
    at = _at(told[number])
    earlier = [span for span in trace.spans if span.start_time_ns < at]
    later = [span for span in trace.spans if span.start_time_ns >= at]
    stopped = verdicts[number].action == "stop"
    return Stop(
        trace_id=trace_id,
        root_name=trace.root_name,
        service=trace.service,
        stopped=stopped,
        verdict=verdicts[number],
        outcome=_outcome(read[-1]) if root else "",
        before=_before(earlier, trace.spans[0].start_time_ns, at),
        last_calls=_last_calls(reader, earlier, max(last, 0), text_limit),
        refused_after=sum(_refused(span) for span in later),
        answered_after=sum(span.kind in _MODEL_CALLS and not _refused(span) for span in later),
        verdicts=verdicts,
        saved=_saved(earlier, at) if stopped else None,
    )


def _guard_spans(trace: Trace) -> list[SpanRow]:
    """The guards' own spans; where none has come, the root span that names the guard."""
    own = [span for span in trace.spans if span.kind == "guard" and span.guard]
    return own or [span for span in trace.spans if span.guard and span.guard_action]


def _gravity(action: str) -> int:
    return _GRAVEST.index(action) if action in _GRAVEST else len(_GRAVEST)


def _at(span: SpanRow) -> int:
    """When the verdict was; of a root span that only names it, no more than the end is known."""
    return span.start_time_ns if span.kind == "guard" else span.end_time_ns


def _verdict(span: SpanRow) -> Verdict:
    said = span.attributes
    return Verdict(
        guard=span.guard,
        action=span.guard_action,
        reason=_text(said.get(semconv.GUARD_REASON)) or span.stop_reason or span.status_message,
        limit=_number(said.get(semconv.GUARD_LIMIT)),
        used=_number(said.get(semconv.GUARD_USED)),
        unit=_text(said.get(semconv.GUARD_UNIT)),
        call=_text(said.get(semconv.GUARD_CALL)),
        run_id=_text(said.get(semconv.RUN_ID)),
        run_name=_text(said.get(semconv.RUN_NAME)),
        at=moment(_at(span)),
        span_id=span.span_id,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _outcome(root: SpanRow) -> str:
    return _text(root.attributes.get(semconv.RUN_OUTCOME))


def _refused(span: SpanRow) -> bool:
    """Whether a model call was not sent, or never answered: it failed, and used nothing."""
    return span.kind in _MODEL_CALLS and span.status == "error" and not span.tokens


def _before(spans: Sequence[SpanRow], start: int, at: int) -> RunBefore:
    unpriced = sum(span.cost_source == "unpriced" for span in spans)
    return RunBefore(
        duration_ns=max(at - start, 0),
        model_calls=sum(span.kind in _MODEL_CALLS and not _refused(span) for span in spans),
        tool_calls=sum(span.kind == "tool" for span in spans),
        errors=sum(span.status == "error" for span in spans),
        tokens=sum(span.tokens for span in spans),
        cost=amount(sum((span.cost or Decimal() for span in spans), Decimal()), unpriced),
        unpriced_calls=unpriced,
    )


def _last_calls(
    reader: Reader, earlier: Sequence[SpanRow], last: int, text_limit: int
) -> list[LastCall]:
    calls = [span for span in earlier if span.kind in _CALLS]
    window = max(last, _WINDOW)
    read = with_contents(reader, calls[max(len(calls) - window, 0) :])
    # Not by `call_hash`: where a vocabulary's input is not in it, all calls of a tool have one.
    asked = [_asked(span) for span in read]
    same = Counter(asked)
    return [
        LastCall(
            span_id=span.span_id,
            kind=span.kind,
            name=span.tool or span.name,
            agent=span.agent,
            started_at=moment(span.start_time_ns),
            duration_ns=span.duration_ns,
            status=span.status,
            status_message=span.status_message[:text_limit],
            cost=span.cost,
            same=same[key],
            # What a model was sent is its whole history: the newest says what it was asked.
            messages=messages_of(span, limit=text_limit, newest=1),
        )
        for span, key in list(zip(read, asked, strict=True))[max(len(read) - last, 0) :]
    ]


def _asked(span: SpanRow) -> tuple[object, ...]:
    parts = [part for message in messages_of(span).input for part in message.parts]
    # Call ids are new each time.
    told = tuple((part.type, part.tool, part.text) for part in parts)
    return span.kind, span.tool or span.name, told or span.span_id


def _saved(earlier: Sequence[SpanRow], at: int) -> Saved:
    calls = [
        (span.start_time_ns, None if span.cost_source == "unpriced" else span.cost or Decimal())
        for span in earlier
        if span.kind in _MODEL_CALLS and not _refused(span)
    ]
    return saved(calls, at)

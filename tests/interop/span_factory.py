"""Makes spans that use every part of the span data model the OpenTelemetry SDK can express.

Depends on the OpenTelemetry API and SDK alone, so that it also runs under older releases.
"""

import random
from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

UNICODE = 'naïve 漢字 🛰️ \u202e\n\t"quoted" \\ \x7f'
INT64 = (0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63))
FLOATS = (0.0, -0.0, 0.1, 1e308, 5e-324, float("nan"), float("inf"), float("-inf"))

SCALARS = {
    "string": "plain",
    "string.empty": "",
    "string.unicode": UNICODE,
    "string.long": "x" * 1_500,
    "bool.true": True,
    "bool.false": False,
    **{f"int.{i}": value for i, value in enumerate(INT64)},
    **{f"float.{i}": value for i, value in enumerate(FLOATS)},
}
ARRAYS = {
    "array.empty": (),
    "array.string": ("a", "", UNICODE),
    "array.bool": (True, False, True),
    "array.int": INT64,
    "array.float": FLOATS,
}
ATTRIBUTES = SCALARS | ARRAYS | {"ключ": "a key outside ASCII"}

RESOURCE = {
    "service.name": "",
    "service.version": "1.2.3",
    "service.instance.id": "",
    "process.pid": 4242,
    "host.cpu.load": 0.25,
    "feature.flags": ("a", "b"),
    "feature.enabled": False,
    "deployment.note": UNICODE,
}
SCOPES = (
    ("interop.plain", None, None, None),
    ("interop.versioned", "0.1.0", "https://opentelemetry.io/schemas/1.37.0", None),
    ("interop.attributed", "2.0", None, {"scope.kind": "test", "scope.level": 3}),
)
LIMITS = SpanLimits(
    max_span_attributes=128,
    max_events=8,
    max_links=8,
    max_event_attributes=7,
    max_link_attributes=7,
)
_START = 1_760_000_000_123_456_789


def make_provider(service: str, processors: Sequence[SpanProcessor]) -> TracerProvider:
    """A provider for that service whose spans go to all the processors."""
    resource = Resource(
        RESOURCE | {"service.name": service}, schema_url="https://opentelemetry.io/schemas/1.36.0"
    )
    provider = TracerProvider(resource=resource, span_limits=LIMITS)
    for processor in processors:
        provider.add_span_processor(processor)
    return provider


def make_spans(provider: TracerProvider, count: int, seed: int = 0) -> None:
    """Starts and ends `count` spans, in traces of up to seven spans, the same for the same seed."""
    dice = random.Random(seed)  # noqa: S311  reproducible, not secret
    tracers = [
        provider.get_tracer(name, version, schema_url=url, attributes=attributes)
        for name, version, url, attributes in SCOPES
    ]
    parent = None
    for number in range(count):
        if number % 7 == 0:
            parent = _remote_parent(dice) if number % 2 else None
        context = trace.set_span_in_context(parent) if parent else None
        start = _START + number * 1_000_003
        span = tracers[number % len(tracers)].start_span(
            f"span {number} {UNICODE if number % 11 == 0 else ''}",
            context=context,
            kind=list(SpanKind)[number % len(SpanKind)],
            attributes=_attributes(dice, number),
            links=_links(dice, number),
            start_time=start,
        )
        _add_events(span, dice, number, start)
        _set_status(span, number)
        span.end(end_time=start + dice.choice((0, 1, 999, 10**9, 3_600 * 10**9)))
        if number % 7 < 4:
            parent = span


def _attributes(dice: random.Random, number: int) -> dict:
    if number % 13 == 0:
        # More than the limit, so that the SDK drops some and counts them.
        return {f"many.{i}": i for i in range(130)}
    return _some(dice, number % (len(ATTRIBUTES) + 1))


def _some(dice: random.Random, amount: int) -> dict:
    names = dice.sample(sorted(ATTRIBUTES), k=amount)
    return {name: ATTRIBUTES[name] for name in names}


def _links(dice: random.Random, number: int) -> list[Link]:
    amount = 10 if number % 17 == 0 else number % 3
    return [Link(_context(dice), _some(dice, (number + i) % 9)) for i in range(amount)]


def _add_events(span: trace.Span, dice: random.Random, number: int, start: int) -> None:
    amount = 12 if number % 19 == 0 else number % 4
    for i in range(amount):
        span.add_event(
            ("log", "", UNICODE)[i % 3], _some(dice, (number + i) % 9), timestamp=start + i
        )
    if number % 5 == 0:
        span.record_exception(ValueError(UNICODE), timestamp=start + amount)


def _set_status(span: trace.Span, number: int) -> None:
    match number % 4:
        case 1:
            span.set_status(Status(StatusCode.OK))
        case 2:
            span.set_status(Status(StatusCode.ERROR, UNICODE))
        case 3:
            span.set_status(Status(StatusCode.ERROR))


def _remote_parent(dice: random.Random) -> trace.Span:
    return trace.NonRecordingSpan(_context(dice))


def _context(dice: random.Random) -> SpanContext:
    return SpanContext(
        trace_id=dice.randrange(1, 2**128),
        span_id=dice.randrange(1, 2**64),
        is_remote=bool(dice.randrange(2)),
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
        trace_state=TraceState([("vendor", "t61rcWkgMzE"), ("other@tenant", "00f067aa")]),
    )

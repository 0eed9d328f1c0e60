"""OTLP request bodies, built once and given new ids, times and texts for each send.

A *wave* is every conversation of a profile, once: its spans ordered by end time within each
service, as exporters send them, and cut into bodies of `BATCH_SPANS`. Each wave has its own ids,
and a tag inside every text, so that nothing is ever sent twice; what is cheap is that a wave only
joins pieces, half a microsecond a span. Ids follow from the seed and the wave's number alone, so
the number of a body that was acknowledged tells exactly which spans the store must have.
"""

from __future__ import annotations

import random
import re
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, count, zip_longest
from operator import itemgetter
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agentguard.prices import PriceTable, cost
from tests.bench.conversation import TAG, Conversation, Profile, Sketch
from tests.bench.text import Corpus

BATCH_SPANS: Final = 512
# Spans of about 1 KB in the mean, and long conversations whose history is sent on every turn.
SHORT: Final = Profile(turns=2, words=24, traces=200, services=8, pause=1.0)
LONG: Final = Profile(turns=12, words=60, traces=400, services=1, pause=20.0)

_TRACE: Final = b"\xf5\xf6\xf7\xf8\xf9TRC\xfa\xfb\xfcT"
_SPAN: Final = b"\xf5\xf6\xf7S"
_TIME: Final = b"\xf5\xf6\xf7N"
_HOLES: Final = re.compile(
    b"%s(?P<trace>.{4})|%s(?P<span>.{4})|(?P<time>.{4})%s|(?P<tag>%s)"
    % (_TRACE, _SPAN, _TIME, TAG.encode()),
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Batch:
    """One request body; `wave` and `index` name it."""

    wave: int
    index: int
    spans: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Expected:
    """What the store must hold of one span that was acknowledged."""

    trace_id: str
    span_id: str
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class _Placed:
    """A span with its places in the wave's ids: `at` is nanoseconds before the wave's end."""

    sketch: Sketch
    trace: int
    span: int
    parent: int | None
    start: int
    end: int


class _Template:
    """A serialised body with holes where ids, times and tags go."""

    def __init__(self, placed: list[_Placed], service: str) -> None:
        self.placed = placed
        self.times = [at for span in placed for at in (span.start, span.end)]
        serialized = _request(placed, service).SerializeToString()
        holes = list(_HOLES.finditer(serialized))
        ends = [0, *(hole.end() for hole in holes)]
        starts = [*(hole.start() for hole in holes), len(serialized)]
        self._pieces = [serialized[a:b] for a, b in zip(ends, starts, strict=True)]
        self._order = [(str(hole.lastgroup), _number(hole)) for hole in holes]
        self.size = len(serialized)

    def bind(self, traces: int) -> None:
        """Fix which of a wave's ids go into which hole, once the number of traces is known."""
        base = {"tag": 0, "trace": 1, "span": 1 + traces}
        wanted = [-1 if kind == "time" else base[kind] + at for kind, at in self._order]
        used = sorted({place for place in wanted if place >= 0})
        local = {place: at for at, place in enumerate(used)}
        self._pick = itemgetter(*used)
        self._fill = itemgetter(
            *(
                len(used) + at if kind == "time" else local[place]
                for (kind, at), place in zip(self._order, wanted, strict=True)
            )
        )

    def render(self, ids: list[bytes], now: int) -> bytes:
        """Fill the holes: `ids` are the whole wave's, `now` its end in unix nanoseconds."""
        stamps = struct.pack(f"<{len(self.times)}Q", *[now - before for before in self.times])
        times = tuple([stamps[at : at + 8] for at in range(0, len(stamps), 8)])
        joined: list[Any] = [None] * (2 * len(self._pieces) - 1)
        joined[::2] = self._pieces
        joined[1::2] = self._fill(self._pick(ids) + times)
        return b"".join(joined)


class Workload:
    """Bodies without end. `seed` decides everything but the times."""

    def __init__(self, profile: Profile, seed: int = 1) -> None:
        self._seed = seed
        rng = random.Random(seed)  # noqa: S311 - the seed must decide
        self._traces = self._spans = 0
        corpus = Corpus(rng)
        services = [
            self._service(number, rng, corpus, profile) for number in range(profile.services)
        ]
        turns = chain.from_iterable(zip_longest(*services))
        self.templates = [template for template in turns if template is not None]
        for template in self.templates:
            template.bind(self._traces)
        self.mean_span_bytes = sum(t.size for t in self.templates) / self._spans
        self.wave_spans = self._spans
        self._prices = PriceTable()
        self._priced_at = time.time_ns()

    def _service(
        self, number: int, rng: random.Random, corpus: Corpus, profile: Profile
    ) -> list[_Template]:
        placed: list[_Placed] = []
        for _ in range(profile.traces):
            sketches = Conversation(rng, corpus, profile).spans
            # Conversations begin at different moments, so that their spans interleave.
            ended = rng.randrange(10**9, 30 * 10**9)
            began = ended + sketches[0].end
            first = self._spans
            for sketch in sketches:
                parent = None if sketch.parent is None else first + sketch.parent
                start, end = began - sketch.start, began - sketch.end
                placed.append(_Placed(sketch, self._traces, self._spans, parent, start, end))
                self._spans += 1
            self._traces += 1
        placed.sort(key=lambda span: -span.end)
        cuts = range(0, len(placed), BATCH_SPANS)
        return [_Template(placed[at : at + BATCH_SPANS], f"service-{number}") for at in cuts]

    def _ids(self, wave: int) -> list[bytes]:
        rng = random.Random(f"{self._seed}:{wave}")  # noqa: S311 - the seed must decide
        traces = rng.randbytes(16 * self._traces)
        spans = rng.randbytes(8 * self._spans)
        tag = f"{rng.getrandbits(32):08x}".encode()
        return [
            tag,
            *(traces[at : at + 16] for at in range(0, len(traces), 16)),
            *(spans[at : at + 8] for at in range(0, len(spans), 8)),
        ]

    def batches(self, clock: Any, first_wave: int = 0) -> Iterator[Batch]:
        """Yield bodies for ever, wave after wave; `clock()` is the time in unix nanoseconds."""
        for wave in count(first_wave):
            ids = self._ids(wave)
            for index, template in enumerate(self.templates):
                body = template.render(ids, clock())
                yield Batch(wave, index, len(template.placed), body)

    def expected(self, wave: int, index: int) -> Iterator[Expected]:
        """Yield the spans of one body, with what each must cost."""
        ids = self._ids(wave)
        for span in self.templates[index].placed:
            trace_id = ids[1 + span.trace].hex()
            span_id = ids[1 + self._traces + span.span].hex()
            yield Expected(trace_id, span_id, self._cost(span.sketch))

    def _cost(self, sketch: Sketch) -> Decimal | None:
        if sketch.priced is None:
            return None
        provider, model, usage = sketch.priced
        price = self._prices.lookup(provider, model, self._priced_at)
        return None if price is None else cost(usage, price)


def _number(hole: re.Match[bytes]) -> int:
    if hole.lastgroup == "tag":
        return 0
    order = "little" if hole.lastgroup == "time" else "big"
    return int.from_bytes(hole.group(str(hole.lastgroup)), order)  # type: ignore[arg-type]


def _request(placed: list[_Placed], service: str) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource = {
        "service.name": service,
        "service.version": "2.4.1",
        "deployment.environment.name": "production",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.36.0",
        "host.name": f"{service}-7d9f8b6c5-x2k4q",
    }
    resource_spans.resource.attributes.extend(_attributes(resource))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "opentelemetry.instrumentation.genai.openai"
    scope_spans.scope.version = "1.3b0"
    scope_spans.spans.extend(_span(span, 2 * at) for at, span in enumerate(placed))
    return request


def _span(placed: _Placed, stamp: int) -> Span:
    sketch = placed.sketch
    parent = b"" if placed.parent is None else _SPAN + struct.pack(">I", placed.parent)
    return Span(
        trace_id=_TRACE + struct.pack(">I", placed.trace),
        span_id=_SPAN + struct.pack(">I", placed.span),
        parent_span_id=parent,
        flags=256,
        name=sketch.name,
        kind=sketch.kind,  # type: ignore[arg-type]
        start_time_unix_nano=_time(stamp),
        end_time_unix_nano=_time(stamp + 1),
        attributes=_attributes(sketch.attributes),
    )


def _time(number: int) -> int:
    return int.from_bytes(struct.pack("<I", number) + _TIME, "little")


def _attributes(values: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in values.items()]


def _value(value: Any) -> AnyValue:
    match value:
        case str():
            return AnyValue(string_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case _:
            return AnyValue(array_value=ArrayValue(values=[_value(item) for item in value]))

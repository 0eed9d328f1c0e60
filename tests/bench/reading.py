"""Reading at ten million spans: each question's median and 95th percentile, at rest, under load.

The same spans lie in the plain `otel_traces` schema on the same engine, and the same questions are
asked of it, in turn with ours.
"""

from __future__ import annotations

import gc
import math
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

from agentguard_storage.queries.reader import Reader
from tests.bench.figures import Figure, ratio
from tests.bench.meter import wait_for, wait_until_quiet
from tests.bench.reading_questions import QUESTIONS, Ask, Store
from tests.bench.reading_spans import LONG_TRACE, Month, month, write
from tests.bench.sender import Job, LoadGenerator
from tests.bench.stacks import Stack, agentguard_stack
from tests.bench.workload import SHORT

ASKED: Final = 8
"""Times that a question is asked in a round, each time with other values."""
ASKED_OF_PEER: Final = 2
Times = dict[str, list[float]]

_INGEST: Final = 20_000
_AT_MOST: Final = 600.0
_SAMPLED: Final = 300
_OTEL: Final = (Path(__file__).parent / "otel_traces.sql").read_text("utf-8")


def reading(spans: int, rounds: int) -> list[Figure]:
    """Each question's times against its bound, then the peer's, then ours while spans come in."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as directory,
        agentguard_stack(Path(directory) / "agentguard") as stack,
    ):
        made = month(spans)
        fill(stack, made)
        store = opened(stack, made)
        quiet, peer = compared(store, rounds)
        with _spans_coming_in(stack):
            began, before = time.monotonic(), stack.count()
            busy = {each.name: _times(each.ours, store, rounds * ASKED, 2) for each in QUESTIONS}
            rate = (stack.count() - before) / (time.monotonic() - began)
    # Less than was sent, and the times under load are of a lighter one.
    came_in = Figure("came in meanwhile", rate, "spans/s", at_least=0.9 * _INGEST)
    return [*figures(quiet, busy, peer), came_in]


def fill(stack: Stack, made: Month) -> None:
    """Write the month to both schemas, and merge each day, as its night would."""
    stack.client.command("CREATE DATABASE otel")
    stack.client.command(_OTEL)
    for _ in write(stack.client, made, tables=("spans", "blobs", "otel_traces")):
        pass
    stack.optimize("agentguard", "otel")
    wait_until_quiet(stack.processes)


def opened(stack: Stack, made: Month) -> Store:
    """Find what questions ask for: traces of about 200 spans, the long one, users."""
    reader = Reader(stack.client, made.project)
    # As the collector does once it has started.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    users = [str(row["user"]) for row in reader.rows(_USERS, {"limit": _SAMPLED})]
    [long_trace] = _of_size(reader, LONG_TRACE, LONG_TRACE)
    return Store(reader, stack.connect("otel"), made, _of_size(reader, 180, 200), long_trace, users)


_USERS: Final = (
    "SELECT DISTINCT user FROM traces WHERE project_id = {project:String} AND user != ''"
    " ORDER BY user LIMIT {limit:UInt32}"
)
_OF_SIZE: Final = (
    "SELECT trace_id FROM traces AS t WHERE project_id = {project:String} GROUP BY trace_id"
    " HAVING sum(t.span_count) BETWEEN {least:UInt32} AND {most:UInt32}"
    " ORDER BY trace_id LIMIT {limit:UInt32}"
)


def _of_size(reader: Reader, least: int, most: int) -> list[str]:
    rows = reader.rows(_OF_SIZE, {"least": least, "most": most, "limit": _SAMPLED})
    return [str(row["trace_id"]) for row in rows]


def compared(store: Store, rounds: int) -> tuple[Times, Times]:
    """Ours and the peer's, by question, asked in turn so that both meet the machine's moods."""
    ours: Times = {each.name: [] for each in QUESTIONS}
    theirs: Times = {each.name: [] for each in QUESTIONS}
    for number in range(rounds):
        for each in QUESTIONS:
            ours[each.name] += _times(each.ours, store, ASKED, number)
            theirs[each.name] += _times(each.theirs, store, ASKED_OF_PEER, number)
    return ours, theirs


def _times(ask: Ask, store: Store, count: int, seed: int) -> list[float]:
    """Milliseconds of each answer, the first one included: nobody warms up before they ask."""
    rng = random.Random(seed)  # noqa: S311 - the same questions for both
    found = []
    for _ in range(count):
        began = time.perf_counter()
        ask(store, rng)
        found.append((time.perf_counter() - began) * 1000)
    return found


@contextmanager
def _spans_coming_in(stack: Stack) -> Iterator[None]:
    """20,000 spans a second, from before the block until after it."""
    with LoadGenerator(SHORT) as load:
        before = stack.count()
        load.start(Job(stack.port, stack.headers, seconds=_AT_MOST, per_second=_INGEST))
        wait_for(lambda: stack.count() > before + _INGEST, "spans coming in")
        yield


def figures(quiet: Times, busy: Times, peer: Times) -> list[Figure]:
    """A line for each question, at rest and under load, and how ours compare."""
    shown = []
    for each in QUESTIONS:
        for times, name, at_most in (
            (quiet, each.name, each.at_most),
            (busy, f"{each.name}, 20,000 spans/s", 2 * each.at_most),
        ):
            if found := times.get(each.name):
                shown.append(Figure(name, median(found), "ms", at_most=at_most))
                shown.append(Figure("  95th percentile", _p95(found), "ms"))
    ratios = []
    for each in QUESTIONS:
        ours, theirs = median(quiet[each.name]), median(peer[each.name])
        shown.append(ratio(f"{each.name}, beside otel_traces", ours, theirs, "ms", at_most=1))
        ratios.append(theirs / ours)
    shown.append(Figure("times as fast, in the median", median(ratios), "x", at_least=5))
    return shown


def _p95(times: list[float]) -> float:
    return sorted(times)[max(0, math.ceil(0.95 * len(times)) - 1)]

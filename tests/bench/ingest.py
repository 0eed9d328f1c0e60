"""From accept to queryable: CPU, throughput, memory, latency and disk, ours against rotel's."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.figures import Figure, ratio
from tests.bench.meter import MemoryMeter, cpu_seconds, wait_for, wait_until_quiet
from tests.bench.sender import Job, LoadGenerator
from tests.bench.stacks import Stack, agentguard_stack, rotel_stack
from tests.bench.workload import LONG, SHORT

MEGABYTE = 1 << 20
STEADY = 10_000
SPANS_OF_LONG = 1 + LONG.turns * 5
StackFactory = Callable[[Path], AbstractContextManager[Stack]]
STACKS: dict[str, StackFactory] = {"agentguard": agentguard_stack, "rotel": rotel_stack}


@dataclass(frozen=True, slots=True)
class Round:
    """What one stack used for one job."""

    spans: int
    """That were stored."""
    astray: int
    """That were acknowledged and not stored, or (negative) stored twice."""
    cpu_seconds: float
    """Of every process, merges included: until nothing is left to do."""
    seconds: float
    """From the first byte sent until the last span could be queried."""
    peak_bytes: int

    @property
    def us_per_span(self) -> float:
        """CPU-microseconds per span."""
        return self.cpu_seconds / self.spans * 1e6


def _round(stack: Stack, load: LoadGenerator, job: Job) -> Round:
    wait_until_quiet(stack.processes)
    stored, used = stack.count(), cpu_seconds(stack.processes)
    with MemoryMeter(stack.processes) as memory:
        account = load.run(replace(job, port=stack.port, headers=stack.headers))
        # rotel gives batches up when inserts take longer than the 5 s it waits for them.
        with suppress(TimeoutError):
            wait_for(lambda: stack.count() >= stored + account.spans, "all queryable", 30)
        seconds = time.time() - account.began
        wait_until_quiet(stack.processes)
    kept = stack.count() - stored
    spent = cpu_seconds(stack.processes) - used
    return Round(kept, account.spans - kept, spent, seconds, memory.peak)


def _rounds(job: Job, rounds: int) -> dict[str, list[Round]]:
    """Run both stacks at once but load them in turn, so that both meet the machine's moods."""
    found: dict[str, list[Round]] = {name: [] for name in STACKS}
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as directory,
        LoadGenerator(SHORT) as load,
        agentguard_stack(Path(directory) / "agentguard") as ours,
        rotel_stack(Path(directory) / "rotel") as theirs,
    ):
        for stack in (ours, theirs):
            _round(stack, load, Job(0, spans=5_000))
        for _ in range(rounds):
            for stack in (ours, theirs):
                found[stack.name].append(_round(stack, load, job))
    return found


def ingest(spans: int, rounds: int) -> list[Figure]:
    """CPU per span at a steady 10,000 spans a second, the same for both."""
    found = _rounds(Job(0, spans=spans, per_second=STEADY), rounds)
    ours, theirs = (statistics.median(done.us_per_span for done in found[name]) for name in STACKS)
    peak = max(done.peak_bytes for done in found["agentguard"]) / MEGABYTE
    return [
        ratio("CPU per span at 10,000 spans/s", ours, theirs, "us", at_most=0.6),
        Figure("peak memory of all processes", peak, "MB", at_most=1024),
        _astray(found),
    ]


def sustained(spans: int, rounds: int) -> list[Figure]:
    """As fast as four connections are acknowledged, until everything can be queried."""
    found = _rounds(Job(0, spans=spans), rounds)
    rates = {
        name: statistics.median(done.spans / done.seconds for done in found[name])
        for name in STACKS
    }
    cpu = {name: statistics.median(done.us_per_span for done in found[name]) for name in STACKS}
    peak = max(done.peak_bytes for done in found["agentguard"]) / MEGABYTE
    return [
        Figure(
            "sustained to queryable",
            rates["agentguard"],
            "spans/s",
            at_least=50_000,
            peer=rates["rotel"],
        ),
        ratio("CPU per span at full speed", cpu["agentguard"], cpu["rotel"], "us", at_most=0.6),
        Figure("peak memory at full speed", peak, "MB", at_most=1024),
        _astray(found),
    ]


def _astray(found: dict[str, list[Round]]) -> Figure:
    ours, theirs = (sum(abs(done.astray) for done in found[name]) for name in STACKS)
    return ratio("acknowledged, not stored once", ours, theirs, "spans", at_most=0)


def latency(spans: int, rounds: int) -> list[Figure]:
    """From each acknowledgement to the span being in a query's answer, under 10,000 spans/s."""
    delays: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as directory,
        LoadGenerator(SHORT) as load,
        agentguard_stack(Path(directory) / "agentguard") as stack,
    ):
        load.run(Job(stack.port, stack.headers, spans=5_000))
        wait_until_quiet(stack.processes)
        for _ in range(rounds):
            stored = stack.count()
            load.start(Job(stack.port, stack.headers, spans=spans, per_second=STEADY))
            seen = _counts_over_time(stack, stored + spans)
            acknowledged = sorted((done.at, done.spans) for done in load.finish().acknowledged)
            delays += _delays(acknowledged, seen, stored)
    cuts = statistics.quantiles(delays, n=100)
    return [
        Figure("acknowledged to queryable, p50", cuts[49] * 1000, "ms"),
        Figure("acknowledged to queryable, p99", cuts[98] * 1000, "ms", at_most=1000),
    ]


def _counts_over_time(stack: Stack, until: int) -> list[tuple[float, int]]:
    """Poll the count until it reaches `until`; each with the time after it was answered."""
    seen: list[tuple[float, int]] = []

    def reached() -> bool:
        seen.append((0.0, stack.count()))
        seen[-1] = (time.time(), seen[-1][1])
        return seen[-1][1] >= until

    wait_for(reached, f"{until} spans queryable", every=0.03)
    return seen


def _delays(
    acknowledged: list[tuple[float, int]], seen: list[tuple[float, int]], stored: int
) -> list[float]:
    """Pair the n-th span to be acknowledged with the first answer that counts n spans.

    Batches of concurrent connections may be stored in another order than they were acknowledged
    in; over a run the delays of the two differ by no more than one flush.
    """
    delays = []
    answers = iter(seen)
    at, counted = next(answers)
    owed = stored
    for when, spans in acknowledged:
        owed += spans
        while counted < owed:
            at, counted = next(answers)
        delays.append(max(0.0, at - when))
    return delays


def disk(spans: int, rounds: int) -> list[Figure]:
    """Bytes on disk per span of long conversations, every text of them sent once.

    `rounds` is not used: the same bytes come out each time.
    """
    per_span: dict[str, float] = {}
    for name, start in STACKS.items():
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as directory,
            LoadGenerator(replace(LONG, traces=1 + spans // SPANS_OF_LONG)) as load,
            start(Path(directory) / name) as stack,
        ):
            account = load.run(Job(stack.port, stack.headers, spans=spans, per_second=4_000))
            wait_for(lambda s=stack, n=account.spans: s.count() >= n, "all spans queryable")
            stack.optimize()
            sizes = stack.disk_bytes()
            kept = {table: sizes.get(table, 0) for table in sizes if table in stack.tables}
            per_span[name] = sum(kept.values()) / account.spans
    return [
        ratio(
            "disk per span, long conversations",
            per_span["agentguard"],
            per_span["rotel"],
            "B",
            at_most=0.5,
        )
    ]

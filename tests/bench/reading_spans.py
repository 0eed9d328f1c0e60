"""Months of agents' spans, made by the engine itself from numbers and a seed.

Each span follows from `(seed, trace, place in the trace)` alone, so the same ones can be written to
our tables and to a peer's. They go straight into `spans`, where the schema's own views take them
on to `traces` and `usage_hourly`; ten million OTLP messages would take Python an hour.

A trace is a root and groups of twenty spans: an agent, below it model calls, tools, a retrieval, an
embedding. Some loop on one tool until a guard stops them. A model call's input is the whole group's
history, each message of it kept once.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from pydoc_data import topics
from typing import Any, Final

from clickhouse_connect.driver.client import Client

MEAN_SPANS: Final = 125
LONG_TRACE: Final = 10_000
RARE_WORD: Final = "xylograph"
RARE_PHRASE: Final = "quarterly reconciliation drifted"
COPIES: Final = 10
_TRACES_AT_ONCE: Final = 1_500
_SQL: Final = Path(__file__).parent / "reading_sql"
_VOCABULARY: Final = 6_000
# No block of an INSERT grows past the memory that the embedded engine has.
_SETTINGS: Final = {
    "min_insert_block_size_rows": 100_000,
    "min_insert_block_size_bytes": 64 << 20,
    "max_insert_threads": 1,
    "max_threads": 1,
    "max_execution_time": 600,
    "max_memory_usage": 650 << 20,
    "max_query_size": 1 << 20,
    # As the collector has it: merges build them.
    "materialize_skip_indexes_on_insert": 0,
}


@dataclass(frozen=True, slots=True)
class Month:
    """What is made: `spans` of them, over `days` that end at `end`."""

    spans: int
    end: datetime
    project: str = "big"
    days: int = 30
    seed: int = 1

    @property
    def traces(self) -> int:
        """How many traces there are, of 50 to 200 spans and one of 10,000."""
        return max(self.days, self.spans // MEAN_SPANS)

    @property
    def start(self) -> datetime:
        """When the first trace starts."""
        return self.end - timedelta(days=self.days)

    @property
    def long_trace(self) -> int:
        """The number of the trace of 10,000 spans."""
        return self.traces

    def parameters(self) -> dict[str, Any]:
        """What the statements bind."""
        return {
            "seed": self.seed,
            "project": self.project,
            "start_ns": int(self.start.timestamp()) * 10**9,
            "step_ns": self.days * 86_400 * 10**9 // self.traces,
            "long_trace": self.long_trace,
            "rare_word": RARE_WORD,
            "rare_phrase": RARE_PHRASE,
        }


def month(spans: int, days: int = 30) -> Month:
    """Days that end with yesterday, whole ones, for a day is what is copied."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Month(spans, midnight, days=days)


def write(
    client: Client, what: Month, *, tables: tuple[str, ...] = ("spans", "blobs")
) -> Iterator[float]:
    """Fill `tables` (of spans, blobs, otel_traces), yielding what share has been written."""
    _vocabulary(client, what.seed)
    client.command(_statement("sources"), parameters=what.parameters())
    made = [(first, _TRACES_AT_ONCE) for first in range(0, what.traces // COPIES, _TRACES_AT_ONCE)]
    made[-1] = (made[-1][0], what.traces // COPIES - made[-1][0])
    days = [
        (copy, what.start + timedelta(days=day))
        for copy in range(1, COPIES)
        for day in range(what.days // COPIES)
    ]
    for number, (first, count) in enumerate([*made, (what.long_trace, 1)]):
        for table in tables:
            _run(client, table, what, first=first, count=count)
        yield number / len(made) / COPIES
    for number, (copy, day) in enumerate(days):
        later = copy * what.days * 86_400 // COPIES
        for table in tables:
            _run(client, f"copy_{table}", what, copy=copy, later=later, day=int(day.timestamp()))
        yield (1 + number / len(days) * (COPIES - 1)) / COPIES


def _run(client: Client, name: str, what: Month, **parameters: int) -> None:
    client.command(
        _statement(name),
        parameters=what.parameters() | parameters,
        settings=_SETTINGS | ({} if name.startswith("copy") else {"max_block_size": 64}),
    )


def _statement(table: str) -> str:
    """A statement, with what they share put in where it says `-- > NAME`."""
    text = (_SQL / f"{table}.sql").read_text("utf-8")
    return re.sub(r"-- > (\w+)", lambda found: _statement(found[1]), text)


def _vocabulary(client: Client, seed: int) -> None:
    """Words in the order that a Zipf-like choice is of: the manual's, then made-up ones."""
    words = list(
        dict.fromkeys(re.findall(r"[a-z]{2,14}", " ".join(topics.topics.values()).lower()))
    )
    rng = random.Random(seed)  # noqa: S311 - the seed must decide
    while len(words) < _VOCABULARY:
        words.append("".join(rng.choice("bcdfglmnprst") + rng.choice("aeiou") for _ in range(4)))
    client.command("CREATE TABLE IF NOT EXISTS bench_words (words Array(String)) ENGINE = Memory")
    client.command("TRUNCATE TABLE bench_words")
    client.insert("bench_words", [[words[:_VOCABULARY]]], column_names=["words"])

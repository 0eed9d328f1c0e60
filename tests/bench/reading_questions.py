"""The questions that are timed: as our query functions answer them, and as SQL over `otel_traces`.

The SQL is what a user of that schema would write: it uses the table's order and its indexes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from agentguard_storage.filters import complete, parse
from agentguard_storage.queries.burn import burn_rate
from agentguard_storage.queries.costs import by_model
from agentguard_storage.queries.hours import TimeRange
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.trace import get_trace
from agentguard_storage.queries.traces import list_traces
from tests.bench.reading_spans import RARE_PHRASE, RARE_WORD, Month

FULL: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Store:
    """The filled store: `reader` asks about the big project, `peer` is connected to `otel`."""

    reader: Reader
    peer: Client
    made: Month
    opened: Sequence[str]
    """Ids of traces of 180 to 200 spans."""
    long_trace: str
    users: Sequence[str]

    @property
    def time_range(self) -> TimeRange:
        """The whole month."""
        return TimeRange(self.made.start, self.made.end + timedelta(hours=1))


Ask = Callable[[Store, random.Random], object]


@dataclass(frozen=True, slots=True)
class Question:
    """One question, with its bound in milliseconds; `theirs` is the same of the plain schema."""

    name: str
    at_most: float
    ours: Ask
    theirs: Ask


def _listed(*filters: str) -> Ask:
    def ask(store: Store, rng: random.Random) -> object:
        text = rng.choice(filters).format(user=rng.choice(store.users))
        found = list_traces(store.reader, store.time_range, filter=parse(text), limit=50)
        # In a smaller store, what is rare may be missing.
        assert found.rows or store.made.spans < FULL, text
        return found

    return ask


# A list shows of each trace what can be summed up of its spans.
_LISTED: Final = """
SELECT
    TraceId, min(Timestamp) AS started, argMin(SpanName, Timestamp) AS root, count() AS spans,
    countIf(StatusCode = 'Error') AS errors,
    sum(toFloat64OrZero(SpanAttributes['gen_ai.usage.cost'])) AS cost
FROM otel_traces
WHERE TraceId IN (
    SELECT TraceId FROM otel_traces
    WHERE Timestamp >= fromUnixTimestamp64Nano({start:Int64})
        AND Timestamp < fromUnixTimestamp64Nano({end:Int64}) AND (%s)
    GROUP BY TraceId ORDER BY max(Timestamp) DESC LIMIT 50)
GROUP BY TraceId
ORDER BY started DESC
"""
_OF_TRACE: Final = """
SELECT * FROM otel_traces WHERE TraceId = {trace:String} ORDER BY Timestamp
"""
_BY_MODEL: Final = """
SELECT
    SpanAttributes['gen_ai.provider.name'] AS provider,
    SpanAttributes['gen_ai.request.model'] AS model,
    count(), sum(toFloat64OrZero(SpanAttributes['gen_ai.usage.cost'])) AS cost,
    sum(toUInt64OrZero(SpanAttributes['gen_ai.usage.input_tokens'])),
    sum(toUInt64OrZero(SpanAttributes['gen_ai.usage.output_tokens']))
FROM otel_traces
WHERE Timestamp >= fromUnixTimestamp64Nano({start:Int64})
    AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
    AND (SpanName LIKE 'chat %' OR SpanName LIKE 'embeddings %')
GROUP BY provider, model ORDER BY cost DESC
"""
_BURN: Final = """
SELECT count(), sum(toFloat64OrZero(SpanAttributes['gen_ai.usage.cost']))
FROM otel_traces
WHERE ServiceName = {service:String}
    AND Timestamp >= fromUnixTimestamp64Nano({end:Int64}) - INTERVAL 1 HOUR
    AND SpanName LIKE 'chat %'
"""
_VALUES: Final = """
SELECT SpanAttributes[{key:String}] AS value, count() FROM otel_traces
WHERE Timestamp >= fromUnixTimestamp64Nano({end:Int64}) - INTERVAL 1 DAY
    AND startsWith(value, {begun:String}) AND value != ''
GROUP BY value ORDER BY count() DESC LIMIT 20
"""


def _nanoseconds(store: Store) -> dict[str, int]:
    bounds = {"start": store.made.start, "end": store.made.end}
    return {name: int(time.timestamp()) * 10**9 for name, time in bounds.items()}


def _peer(store: Store, statement: str, **parameters: Any) -> object:
    asked = _nanoseconds(store) | parameters
    return store.peer.query(statement, parameters=asked).result_rows


def _listed_there(*conditions: str) -> Ask:
    def ask(store: Store, rng: random.Random) -> object:
        user = rng.choice(store.users)
        return _peer(store, _LISTED % rng.choice(conditions), user=user)

    return ask


def _said(text: str) -> str:
    keys = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.call.result")
    return " OR ".join(f"SpanAttributes['{key}'] LIKE '%{text}%'" for key in keys)


def _attribute(key: str, test: str) -> str:
    return f"SpanAttributes['{key}'] {test}"


def _opened(store: Store, rng: random.Random) -> object:
    trace = get_trace(store.reader, rng.choice(store.opened))
    assert trace is not None
    return trace


def _long(store: Store, rng: random.Random) -> object:
    trace = get_trace(store.reader, store.long_trace)
    assert trace is not None
    return trace


def _budget(store: Store, rng: random.Random) -> object:
    scope, value = rng.choice([("project", ""), ("service", "billing"), ("agent", "Coder")])
    return burn_rate(store.reader, scope, value, now=store.made.end)  # type: ignore[arg-type]


def _completed(store: Store, rng: random.Random) -> object:
    text = rng.choice(
        ["model:gpt", "agent:", "tool:re", "attr.cust", "attr.customer.tier:g", "user:user-1"]
    )
    return complete(store.reader, store.time_range, text, len(text))


_MODEL: Final = "gen_ai.request.model"
QUESTIONS: Final = (
    Question(
        "trace of 200 spans",
        50,
        _opened,
        lambda store, rng: _peer(store, _OF_TRACE, trace=rng.choice(store.opened)),
    ),
    Question(
        "list, a common value of a column",
        100,
        _listed(
            "model:gpt-4o-2024-08-06",
            "status:error",
            "agent:Coder kind:llm",
            "service:billing tool:read_file",
        ),
        _listed_there(
            _attribute(_MODEL, "= 'gpt-4o-2024-08-06'"),
            "StatusCode = 'Error'",
            _attribute("gen_ai.agent.name", "= 'Coder'") + " AND SpanName LIKE 'chat %'",
            "ServiceName = 'billing' AND SpanName = 'execute_tool read_file'",
        ),
    ),
    Question(
        "list, a rare value of a column",
        100,
        _listed(
            "model:o3-2025-04-16",
            "agent:Auditor",
            "tool:rotate_keys",
            "user:{user}",
            "guard:loop service:billing",
        ),
        _listed_there(
            _attribute(_MODEL, "= 'o3-2025-04-16'"),
            _attribute("gen_ai.agent.name", "= 'Auditor'"),
            "SpanName = 'execute_tool rotate_keys'",
            _attribute("user.id", "= {user:String}"),
            _attribute("agentguard.guard.name", "= 'loop'") + " AND ServiceName = 'billing'",
        ),
    ),
    Question(
        "list, a common attribute",
        500,
        _listed(
            "attr.customer.tier:gold",
            "attr.customer.tier:silver tool:run_tests",
            "attr.result.rows:>4900",
        ),
        _listed_there(
            _attribute("customer.tier", "= 'gold'"),
            _attribute("customer.tier", "= 'silver'") + " AND SpanName = 'execute_tool run_tests'",
            "toFloat64OrZero(SpanAttributes['result.rows']) > 4900",
        ),
    ),
    Question(
        "list, a rare attribute",
        500,
        _listed(
            "attr.incident.ticket:T-1",
            "attr.incident.ticket:*",
            "attr.result.rows:>=1000000",
            "attr.release.channel:canary",
        ),
        _listed_there(
            _attribute("incident.ticket", "= 'T-1'"),
            "mapContains(SpanAttributes, 'incident.ticket')",
            "toFloat64OrZero(SpanAttributes['result.rows']) >= 1000000",
            _attribute("release.channel", "= 'canary'"),
        ),
    ),
    Question("full text, a rare word", 400, _listed(RARE_WORD), _listed_there(_said(RARE_WORD))),
    Question(
        "full text, a common word",
        400,
        _listed("python", "module", "function"),
        _listed_there(*map(_said, ("python", "module", "function"))),
    ),
    Question(
        "full text, a phrase",
        400,
        _listed(f'"{RARE_PHRASE}"', '"the function"'),
        _listed_there(_said(RARE_PHRASE), _said("the function")),
    ),
    Question(
        "month of costs by model",
        100,
        lambda store, rng: by_model(store.reader, store.time_range),
        lambda store, rng: _peer(store, _BY_MODEL),
    ),
    Question(
        "rate of a budget",
        10,
        _budget,
        lambda store, rng: _peer(store, _BURN, service="billing"),
    ),
    Question(
        "completion",
        100,
        _completed,
        lambda store, rng: _peer(
            store, _VALUES, key=rng.choice([_MODEL, "customer.tier"]), begun="g"
        ),
    ),
    Question(
        "trace of 10,000 spans",
        1000,
        _long,
        lambda store, rng: _peer(store, _OF_TRACE, trace=store.long_trace),
    ),
)

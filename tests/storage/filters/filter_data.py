"""A fixed set of varied spans, as a program may have sent them, and what a filter finds there."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agentguard_storage.filters import Condition, parse, span_condition, trace_condition
from agentguard_storage.queries.hours import TimeRange
from agentguard_storage.queries.reader import Bounds, Reader
from tests.storage.telemetry.telemetry_store import Store, make_span, request_of

ALL_TIME = TimeRange(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
MODELS = ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "unheard-of_1")
AGENTS = ("Planner", "Researcher", "Critic")
TOOLS = ("search", "fetch page", "100%_sure")
TEXTS = (
    "please refund the customer",
    'she said "no refund" and left\nfor good',
    "Über den Wolken, REFUND!",
    "nothing of note",
)
FILLER = " It was a long message, so long that the store keeps it apart from its span." * 2
_SECOND = 10**9


@dataclass(frozen=True)
class Filled:
    """Two projects with spans: `project` is asked, `other` has its own under the same ids."""

    store: Store
    project: str
    other: str

    @property
    def reader(self) -> Reader:
        """A reader of the project."""
        return Reader(self.store.client, self.project, Bounds())

    def spans(self, text: str) -> set[tuple[str, str]]:
        """The ids of traces and spans that a filter finds."""
        (found,) = self.matches([text])
        return found

    def matches(self, texts: Sequence[str]) -> list[set[tuple[str, str]]]:
        """The same for many filters at once, in one query."""
        parameters: dict[str, object] = dict(ALL_TIME.parameters())
        columns = []
        for number, text in enumerate(texts):
            made = _renamed(span_condition(parse(text)), number)
            parameters |= made.parameters
            columns.append(f"toUInt8({made.sql}) AS c{number}")
        rows = self.reader.rows(
            f"SELECT trace_id, span_id, {', '.join(columns)} FROM spans"  # noqa: S608  compiled
            " WHERE project_id = {project:String}",
            parameters,
        )
        return [
            {(row["trace_id"], row["span_id"]) for row in rows if row[f"c{number}"]}
            for number in range(len(texts))
        ]

    def traces(self, text: str) -> set[str]:
        """The ids of traces that a filter lists."""
        made = trace_condition(parse(text))
        rows = self.reader.rows(
            "SELECT DISTINCT trace_id FROM traces"  # noqa: S608  compiled
            f" WHERE project_id = {{project:String}} AND {made.sql}",
            ALL_TIME.parameters() | made.parameters,
        )
        return {row["trace_id"] for row in rows}


def _renamed(made: Condition, number: int) -> Condition:
    names = re.compile(r"\{(f\d+:)")
    return Condition(
        names.sub(rf"{{q{number}\1", made.sql),
        {f"q{number}{name}": value for name, value in made.parameters.items()},
    )


def fill(store: Store) -> Filled:
    """Insert the spans of both projects."""
    filled = Filled(store, f"prj_{uuid4().hex[:12]}", f"prj_{uuid4().hex[:12]}")
    now = time.time_ns() // (3_600 * _SECOND) * 3_600 * _SECOND - 7_200 * _SECOND
    for seed, project in enumerate((filled.project, filled.other)):
        dice = random.Random(seed)  # noqa: S311 - a fixed choice
        for service, environment in (("shop", "prod"), ("shop", "dev"), ("back office", "prod")):
            spans = [
                span
                for number in range(5)
                for span in _trace(dice, f"{service} {environment} {number}", now)
            ]
            request = request_of(
                *spans, scope=f"scope.{service}", service_name=service,
                deployment_environment_name=environment, host_name=f"{environment}-1",
            )  # fmt: skip
            store.insert([request], project=project)
    return filled


def _trace(dice: random.Random, name: str, now: int) -> list[Span]:
    # The ids are the same in both projects.
    ids = random.Random(name)  # noqa: S311 - a fixed choice
    trace_id = ids.randbytes(16)
    span_ids = [ids.randbytes(8) for _ in range(12 + ids.randrange(16))]
    failing = dice.choice((0, 0.1, 0.4))
    session = dice.choice(("s-1", "s-2", ""))
    made = []
    for number, span_id in enumerate(span_ids):
        parent = b""
        if number:
            parent = span_ids[number - 1 if dice.random() < 0.4 else dice.randrange(number)]
        if dice.random() < 0.03:
            parent = b"\1" * 8
        start = now + dice.randrange(3_600 * _SECOND)
        fields: dict[str, Any] = {
            "trace_id": trace_id,
            "span_id": span_id,
            "parent_span_id": parent,
            "start_time_unix_nano": start,
            "end_time_unix_nano": start + dice.choice((0, 10**6, _SECOND, 3 * _SECOND)),
        }
        if dice.random() < failing:
            fields["status"] = {"code": 2, "message": dice.choice(("timeout", "no refund today"))}
        attributes = {**_attributes(dice), **({"session.id": session} if session else {})}
        span = make_span(attributes, name=attributes.pop("_name"), **fields)
        if dice.random() < 0.2:
            span.events.add(name=dice.choice(("exception", "gen_ai.choice")))
        made.append(span)
    if name.endswith("4"):
        made[0].parent_span_id = span_ids[-1]  # parents in a circle, and nothing at its top
    return made


def _attributes(dice: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {"_name": dice.choice(("step", "refund customer", "a-b_c%", "Größe"))}
    match dice.randrange(5):
        case 0 | 1:
            said = dice.choice(TEXTS)
            messages = [{"role": "user", "content": said + FILLER * dice.randrange(2)}]
            messages.append({"role": "assistant", "content": dice.choice(TEXTS) + FILLER})
            made |= {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": dice.choice(MODELS),
                "gen_ai.provider.name": dice.choice(("openai", "anthropic")),
                "gen_ai.usage.input_tokens": dice.choice((0, 10, 1_000, 100_000)),
                "gen_ai.usage.output_tokens": dice.choice((0, 10, 1_000)),
                "gen_ai.usage.cache_read.input_tokens": dice.choice((0, 10)),
                "gen_ai.input.messages": json.dumps(messages, ensure_ascii=dice.random() < 0.5),
            }
            if dice.random() < 0.3:
                made["gen_ai.response.text"] = dice.choice(TEXTS)
        case 2:
            made |= {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": dice.choice(TOOLS),
            }
        case 3:
            made |= {
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.agent.name": dice.choice(AGENTS),
            }
        case 4 if dice.random() < 0.4:
            made |= {
                "agentguard.guard.name": dice.choice(("loop", "budget")),
                "agentguard.guard.action": dice.choice(("stop", "warn")),
                "agentguard.stop.reason": "the same call again and again",
            }
    if dice.random() < 0.4:
        made["customer.tier"] = dice.choice(("gold", "silver", ""))
    if dice.random() < 0.4:
        made["n"] = dice.choice((1, 2.5, -3, "7", "seven", True, 10**12))
    if dice.random() < 0.2:
        made["a b"] = dice.choice(("x", ["x"], FILLER, FILLER + "}]"))
    if dice.random() < 0.4:
        made["user.id"] = dice.choice(("ann", "bob"))
    return made

"""Two projects' telemetry that looks as alike as it can: ids, names, users, sessions, texts.

What only one of them has carries its word, everywhere a text can be: names, attributes and their
keys, messages, events, links, resources, reasons. What is asked for one project must never show the
other's word, nor an id or number of its own.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.storage.telemetry.telemetry_store import make_span, request_of, set_value

__all__ = ["BEGAN", "EQUAL_TRACE", "OURS", "SHARED_TRACES", "THEIRS", "Tenant", "hexed"]

_HOUR_NS: Final = 3_600_000_000_000
_MS: Final = 1_000_000
BEGAN: Final = time.time_ns() // _HOUR_NS * _HOUR_NS - 5 * _HOUR_NS
"""When the oldest span started: all of it lies within the last day, whatever the hour."""


def hexed(text: str, digits: int = 32) -> str:
    """An id that follows from a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


SHARED_TRACES: Final = tuple(hexed(f"shared {number}") for number in range(3))
EQUAL_TRACE: Final = hexed("equal")


@dataclass(frozen=True)
class Tenant:
    """A project as its agents see it: `word` is in all that the other has not got."""

    word: str
    tokens: int
    """Of each call: no sum of one looks like one of the other's."""

    @property
    def own_traces(self) -> list[str]:
        """Ids of traces that only this one has."""
        return [hexed(f"{self.word} {number}") for number in range(8)]

    @property
    def own_spans(self) -> list[str]:
        """Ids of spans, in shared traces too, that only this one has."""
        traces = (*SHARED_TRACES, *self.own_traces)
        return [hexed(f"{self.word} {trace} {name}", 16) for trace in traces for name in _OWN]

    def batches(self) -> tuple[list[ExportTraceServiceRequest], list[ExportTraceServiceRequest]]:
        """All that it sends, in two halves; each has spans of the shared traces."""
        requests = [self._equal(), *self._shared(), *self._owned()]
        return requests[::2], requests[1::2]

    def _equal(self) -> ExportTraceServiceRequest:
        """The same, byte for byte, whoever sends it."""
        root = _span(EQUAL_TRACE, hexed("equal root", 16), "", "plan", 0, 900, _agent("planner"))
        call = _llm("hello from a question that everybody asks", "gpt-4o", 100)
        llm = _span(EQUAL_TRACE, hexed("equal llm", 16), root, "chat gpt-4o", 10, 300, call)
        return request_of(root, llm, scope="agents", service_name="crawler")

    def _shared(self) -> Iterator[ExportTraceServiceRequest]:
        for number, trace in enumerate(SHARED_TRACES):
            yield from self._trace(trace, "", number)
            yield from self._trace(trace, self.word, number)

    def _owned(self) -> Iterator[ExportTraceServiceRequest]:
        for number, trace in enumerate(self.own_traces):
            yield from self._trace(trace, self.word, number + 3)

    def _trace(self, trace: str, mark: str, number: int) -> Iterator[ExportTraceServiceRequest]:
        """A run of agents: without a mark, names and span ids are those of the other as well."""
        seed = f"{mark} {trace}".strip()
        at = number * 35 * 60_000 + bool(mark)
        ids = {name: hexed(f"{seed} {name}", 16) for name in _OWN}
        said = f"{self.word} asked about question {number}"
        common = {
            "user.id": _marked("ada", mark),
            "session.id": _marked(f"session-{number % 2}", mark),
            _marked("tier", mark): _marked("gold", mark),
            "secret": self.word,
        }
        root = _span(
            trace, ids["root"], "", _marked("research", mark), at, 60_000,
            _agent(_marked("planner", mark)) | common | {"input.value": said},
        )  # fmt: skip
        calls = [
            _span(
                trace, ids[name], root, _marked("chat", mark), at + 1_000 * turn, 800,
                _llm(said, _marked("gpt-4o" if turn else "acme-1", mark), self.tokens + turn)
                | common,
            )
            for turn, name in enumerate(("llm", "llm again"))
        ]  # fmt: skip
        tool = _span(
            trace, ids["tool"], calls[0], _marked("execute_tool search", mark), at + 500, 200,
            _tool(_marked("search", mark), said) | common,
        )  # fmt: skip
        tool.status.code, tool.status.message = 2, _marked("no answer", self.word)
        event = tool.events.add(name=_marked("retried", mark), time_unix_nano=BEGAN + at * _MS)
        set_value(event.attributes.add(key="why").value, said)
        link = tool.links.add(trace_id=bytes.fromhex(trace), span_id=bytes.fromhex(ids["root"]))
        set_value(link.attributes.add(key="why").value, said)
        tool.trace_state = f"vendor={self.word}"
        guard = _span(
            trace, ids["guard"], root, "guard loop", at + 5_000, 1, _guard(self.word) | common
        )
        yield request_of(
            root, *calls,
            scope=_marked("agents", mark),
            service_name=_marked("crawler", mark),
            deployment_environment=_marked("prod", mark),
            owner=self.word,
        )  # fmt: skip
        # Late spans, of another service and scope, in a request of their own.
        yield request_of(
            tool, guard, scope=_marked("tools", mark), service_name=_marked("searcher", mark)
        )


# Long texts lie apart, by their hash: the first is the same for both, down to the trace's id.
_MANNERS: Final = "You are a helpful planner. " * 8
_LONG: Final = "and it is a long story that fills more than a line of any terminal, " * 3
_OWN: Final = ("root", "llm", "llm again", "tool", "guard")
OURS: Final = Tenant("quokka", 1_000)
THEIRS: Final = Tenant("narwhal", 777_000)


def _marked(text: str, mark: str) -> str:
    return f"{text} {mark}".strip() if mark else text


def _span(
    trace: str, span: str, parent: Span | str, name: str, at_ms: int, took_ms: int,
    attributes: dict[str, Any],
) -> Span:  # fmt: skip
    start = BEGAN + at_ms * _MS
    return make_span(
        attributes,
        trace_id=bytes.fromhex(trace),
        span_id=bytes.fromhex(span),
        parent_span_id=parent.span_id if isinstance(parent, Span) else b"",
        name=name,
        start_time_unix_nano=start,
        end_time_unix_nano=start + took_ms * _MS,
    )


def _agent(name: str) -> dict[str, Any]:
    return {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}


def _llm(said: str, model: str, tokens: int) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": tokens,
        "gen_ai.usage.output_tokens": tokens // 10,
        "gen_ai.usage.cost": tokens / 1_000_000,
        "gen_ai.input.messages": _messages(system=_MANNERS, user=f"{said}; {_LONG}"),
        "gen_ai.output.messages": _messages(assistant=f"an answer to {said}; {_LONG}"),
    }


def _messages(**texts: str) -> str:
    return json.dumps(
        [
            {"role": role, "parts": [{"type": "text", "content": text}]}
            for role, text in texts.items()
        ]
    )


def _tool(name: str, said: str) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.call.arguments": json.dumps({"query": said}),
        "gen_ai.tool.call.result": f"nothing about {said}; {_LONG}",
    }


def _guard(word: str) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "guard",
        "agentguard.guard.name": "loop",
        "agentguard.guard.action": "stop",
        "agentguard.guard.reason": f"the same call came again: {word}",
        "agentguard.stop.reason": f"loop: {word}",
        "agentguard.guard.limit": 3,
        "agentguard.guard.used": 4,
    }

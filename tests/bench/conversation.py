"""Agent conversations as spans in the OpenTelemetry GenAI conventions, before they get ids.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

from agentguard.prices import Usage
from tests.bench.text import Corpus

TAG = "~TAG~~~~"
"""Eight characters that are replaced on each send, so that no text is ever sent twice."""

TOOLS = ("search_documents", "read_file", "run_query", "fetch_page", "run_tests")
MODELS = (
    ("openai", "gpt-4o-mini-2024-07-18"),
    ("openai", "gpt-4o-2024-08-06"),
    ("anthropic", "claude-sonnet-4-5-20250929"),
    ("gcp.gemini", "gemini-2.5-flash"),
)
AGENTS = ("researcher", "planner", "coder", "reviewer", "support")


@dataclass(frozen=True, slots=True)
class Profile:
    """How large and how many the conversations are."""

    turns: int
    words: int
    """In a message, on average."""
    traces: int
    """At the same time, in one service."""
    services: int
    pause: float
    """Seconds that the user thinks before each message, in the median."""


@dataclass(slots=True)
class Sketch:
    """A span before it has ids: times are nanoseconds since the conversation began."""

    name: str
    kind: int
    parent: int | None
    start: int
    end: int = 0
    attributes: dict[str, Any] = field(default_factory=dict)
    priced: tuple[str, str, Usage] | None = None


class Conversation:
    """One trace: an agent that, turn by turn, asks its model, runs a tool, and asks again."""

    def __init__(self, rng: random.Random, corpus: Corpus, profile: Profile) -> None:
        self._rng = rng
        self._corpus = corpus
        self._words = profile.words
        self._clock = 0
        self._cached = 0
        self._messages: list[dict[str, Any]] = []
        self._agent = rng.choice(AGENTS)
        self._id = f"conv_{corpus.name()}{TAG}"
        self._provider, self._model = rng.choice(MODELS)
        self._system = [{"type": "text", "content": corpus.prose(profile.words)}]
        self.spans = [Sketch(f"invoke_agent {self._agent}", 1, None, 0)]
        self.spans[0].attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": self._provider,
            "gen_ai.agent.name": self._agent,
            "gen_ai.agent.id": f"asst_{rng.getrandbits(64):016x}",
            "gen_ai.conversation.id": self._id,
        }
        for _ in range(profile.turns):
            self._tick(profile.pause * 1000)
            self._say("user", self._text())
            self._chat(calls_tool=True)
            self._tool()
            self._chat(calls_tool=False)
        self.spans[0].end = self._tick(2)

    def _text(self) -> str:
        words = max(4, int(self._rng.lognormvariate(0, 0.6) * self._words))
        return f"{self._corpus.prose(words)} [{TAG}]"

    def _tick(self, milliseconds: float) -> int:
        self._clock += int(self._rng.lognormvariate(0, 0.5) * milliseconds * 1e6)
        return self._clock

    def _say(self, role: str, content: str) -> None:
        self._messages.append({"role": role, "parts": [{"type": "text", "content": content}]})

    def _chat(self, *, calls_tool: bool) -> None:
        span = Sketch(f"chat {self._model}", 3, 0, self._tick(5))
        asked = json.dumps(self._messages)
        reply: dict[str, Any] = {"role": "assistant", "parts": [self._reply(calls_tool)]}
        self._messages.append(reply)
        finish = "tool_call" if calls_tool else "stop"
        written = json.dumps([reply | {"finish_reason": finish}])
        usage = self._usage(len(asked) // 4, len(written) // 4)
        span.priced = (self._provider, self._model, usage)
        span.attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": self._provider,
            "gen_ai.request.model": self._model,
            "gen_ai.response.model": self._model,
            "gen_ai.response.id": f"chatcmpl-{self._rng.getrandbits(96):024x}{TAG}",
            "gen_ai.response.finish_reasons": [finish],
            "gen_ai.request.temperature": 0.2,
            "gen_ai.request.max_tokens": 4096,
            "gen_ai.conversation.id": self._id,
            "gen_ai.usage.input_tokens": usage.total_input,
            "gen_ai.usage.output_tokens": usage.output + usage.reasoning,
            "gen_ai.usage.cache_read.input_tokens": usage.cache_read,
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
            "server.address": "api.example.com",
            "server.port": 443,
            "gen_ai.system_instructions": json.dumps(self._system),
            "gen_ai.input.messages": asked,
            "gen_ai.output.messages": written,
        }
        self.spans.append(span)
        self._http(len(self.spans) - 1)
        span.end = self._tick(3)

    def _reply(self, calls_tool: bool) -> dict[str, Any]:
        if not calls_tool:
            return {"type": "text", "content": self._text()}
        return {
            "type": "tool_call",
            "id": f"call_{self._rng.getrandbits(64):016x}{TAG}",
            "name": self._rng.choice(TOOLS),
            "arguments": {"query": self._corpus.prose(6), "path": self._corpus.name()},
        }

    def _usage(self, asked: int, written: int) -> Usage:
        cached, self._cached = self._cached, asked // 128 * 128
        reasoning = written // 3 if self._model.startswith("gemini") else 0
        return Usage(asked - cached, cached, 0, written - reasoning, reasoning)

    def _http(self, parent: int) -> None:
        span = Sketch("POST", 3, parent, self._tick(1))
        span.attributes = {
            "http.request.method": "POST",
            "url.full": "https://api.example.com/v1/chat/completions",
            "server.address": "api.example.com",
            "http.response.status_code": 200,
            "network.protocol.version": "1.1",
        }
        span.end = self._tick(900)
        self.spans.append(span)

    def _tool(self) -> None:
        call = self._messages[-1]["parts"][0]
        long = self._rng.random() < 0.3
        result = self._corpus.code(max(2, self._words // 8)) if long else self._text()
        span = Sketch(f"execute_tool {call['name']}", 1, 0, self._tick(2))
        span.end = self._tick(80)
        span.attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": call["name"],
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": call["id"],
            "gen_ai.tool.call.arguments": json.dumps(call["arguments"]),
            "gen_ai.tool.call.result": json.dumps({"output": result, "ref": TAG}),
        }
        self.spans.append(span)
        part = {"type": "tool_call_response", "id": call["id"], "response": f"{result} [{TAG}]"}
        self._messages.append({"role": "tool", "parts": [part]})

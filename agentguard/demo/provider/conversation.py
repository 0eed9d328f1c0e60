"""What every provider protocol boils down to: a conversation in, an answer and its usage out."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Answer",
    "Conversation",
    "Message",
    "Responder",
    "ToolCall",
    "Usage",
    "count_tokens",
    "echo",
    "measure",
    "stable_id",
    "tool_call",
]

_TOKEN = re.compile(r"\w{1,6}|[^\w\s]")
_TOKENS_PER_MESSAGE = 4
_CACHE_BLOCK = 64
_REASONING_MODELS = ("gpt-5", "o1", "o3", "o4")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool call asked for by the model; `arguments` is a JSON object as text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the history; `role` is system, user, assistant or tool."""

    role: str
    text: str
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request to a model, free of any provider's wire format."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[str, ...] = ()

    def last(self, role: str) -> str:
        """The text of the newest message of that role, or an empty string."""
        return next((m.text for m in reversed(self.messages) if m.role == role), "")

    def count(self, role: str) -> int:
        """How many messages of that role the history holds."""
        return sum(m.role == role for m in self.messages)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says: text, tool calls, or both."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, disjoint: no token is in two fields.

    `input` is what was read uncached, `output` what was said aloud.
    """

    input: int = 0
    cache_read: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def prompt(self) -> int:
        """All input tokens, cached ones included."""
        return self.input + self.cache_read

    @property
    def completion(self) -> int:
        """All output tokens, reasoning included."""
        return self.output + self.reasoning

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input + other.input,
            self.cache_read + other.cache_read,
            self.output + other.output,
            self.reasoning + other.reasoning,
        )


Responder = Callable[[Conversation], Answer]


def count_tokens(text: str) -> int:
    """A stable stand-in for a tokenizer: pieces of up to six letters, and punctuation marks."""
    return len(_TOKEN.findall(text))


def measure(conversation: Conversation, answer: Answer) -> Usage:
    """Usage of a call, a function of its content alone, so that concurrency cannot change it.

    Everything up to the last assistant message was sent before: it counts as cached, in whole
    blocks, as providers do (https://platform.openai.com/docs/guides/prompt-caching).
    """
    sizes = [_message_tokens(m) for m in conversation.messages]
    turns = [i for i, m in enumerate(conversation.messages) if m.role == "assistant"]
    seen = sum(sizes[: turns[-1]]) if turns else 0
    cached = seen - seen % _CACHE_BLOCK
    spoken = count_tokens(answer.text) + sum(_call_tokens(c) for c in answer.tool_calls)
    return Usage(
        input=sum(sizes) - cached,
        cache_read=cached,
        output=max(spoken, 1),
        reasoning=_reasoning_tokens(conversation),
    )


def echo(conversation: Conversation) -> Answer:
    """The default script: call the first tool offered once, then answer with a stable digest."""
    if conversation.tools and not conversation.count("tool"):
        question = json.dumps({"query": conversation.last("user")[:80]})
        return Answer(tool_calls=(tool_call(conversation, conversation.tools[0], question),))
    digest = _digest(conversation)[:8]
    return Answer(f"Answer {digest}: {conversation.last('user')[:200]}")


def stable_id(prefix: str, conversation: Conversation) -> str:
    """An id of a response, the same for the same conversation."""
    return f"{prefix}{_digest(conversation)[:24]}"


def tool_call(conversation: Conversation, name: str, arguments: str | dict[str, Any]) -> ToolCall:
    """A tool call whose id depends on the conversation, so that replaying gives the same id."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    seed = f"{_digest(conversation)}{name}{text}"
    return ToolCall(f"call_{hashlib.sha256(seed.encode()).hexdigest()[:24]}", name, text)


def _message_tokens(message: Message) -> int:
    calls = sum(_call_tokens(c) for c in message.tool_calls)
    return _TOKENS_PER_MESSAGE + count_tokens(message.text) + calls


def _call_tokens(call: ToolCall) -> int:
    return count_tokens(call.name) + count_tokens(call.arguments)


def _reasoning_tokens(conversation: Conversation) -> int:
    if not conversation.model.startswith(_REASONING_MODELS):
        return 0
    return 32 + 16 * (int(_digest(conversation)[:4], 16) % 8)


def _digest(conversation: Conversation) -> str:
    return hashlib.sha256(repr(conversation).encode()).hexdigest()

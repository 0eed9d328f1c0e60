"""One operation of an agent, as guards see it, whoever made its span."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from agentguard import semconv
from agentguard.prices.model import Usage

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from agentguard.guards.guard import Guard
    from agentguard.guards.state import RunState

__all__ = ["MODEL_KINDS", "SCOPE_ATTRIBUTES", "Call", "Kind", "Outcome", "Scope"]

Kind = Literal["llm", "embedding", "tool", "agent", "retrieval", "workflow"]
"""The kinds of span that guards are asked about, as the store calls them."""

MODEL_KINDS = frozenset({"llm", "embedding"})

Outcome = Literal["open", "ok", "error", "cancelled", "abandoned", "refused"]
"""`abandoned` is a stream that nobody read to its end; `refused` never began."""

Scope = Literal["run", "goal", "session", "user", "agent", "tool", "model"]

SCOPE_ATTRIBUTES = {
    "goal": semconv.RUN_GOAL,
    "session": semconv.SESSION_ID,
    "user": semconv.USER_ID,
    "agent": semconv.AGENT_NAME,
}
"""The attributes that name what a call is for."""


class Call:
    """An operation that begins, goes on and ends: a model call, a tool call, an agent.

    Its boundary fills in what it knows; what it does not know is None. `content` and `arguments`
    are known in the process even where spans do not capture content.
    """

    # What begins the same for each call is kept once, here: a call is made before every operation.
    outcome: Outcome = "open"
    ended: float | None = None
    error: str | None = None
    """What went wrong: `{type}: {message}`."""
    usage: Usage | None = None
    """Tokens used, disjoint, once known."""
    cost: Decimal | None = None
    """US dollars, where something other than the price table says so."""
    output: object = None
    """What came back, where known: text, or a mapping with `text` and `tool_calls`."""
    streamed_chars = 0
    """Characters of a streamed answer that have arrived so far."""
    attempts = 0
    """Requests sent for this call: retries of one call are one call."""
    admitted = False
    is_told = False
    """Whether what the model is asked was known at the start: its request need not be read too."""
    passed: tuple[tuple[RunState, Guard], ...] = ()
    """The guards that let it begin, and have yet to be told how it ended, with their runs."""
    answered = False
    """Whether a request of it has its answer: another one in its place is another call."""
    provider: str | None = None
    model: str | None = None
    max_tokens: int | None = None
    """The output tokens that the request allows."""
    span: Span | None = None
    """The innermost span that stands for a model call, while it is open."""
    has_span = False
    """Whether a span stands for it, or stood."""
    traced_by: Literal["ours", "client", "other"] = "ours"
    """Whose span that is: `client` is an instrumentor of the model's client, `other` anybody else's
    around it."""
    response_id: str | None = None
    tool_call_ids: tuple[str | None, ...] = ()
    """The ids of the tool calls in `output`, which differ where the same is asked again."""
    finish_reasons: tuple[str, ...] = ()
    """Why the model ended its answer, one per choice."""
    first_chunk: float | None = None
    """When the first piece of a streamed answer arrived, on the clock of `started`."""
    size: int | None = None
    """Bytes of text in what a model is sent, once a guard has measured it."""
    _arguments: Callable[[], object] | object = None
    _content: Callable[[], object] | object = None

    def __init__(
        self,
        kind: Kind,
        name: str,
        run: RunState,
        *,
        parent: Call | None = None,
        attributes: Mapping[str, object] | None = None,
        provider: str | None = None,
        model: str | None = None,
        max_tokens: int | None = None,
        arguments: Callable[[], object] | object = None,
        content: Callable[[], object] | object = None,
    ) -> None:
        self.kind = kind
        self.name = name
        """The tool's or the agent's name; the model's for a model call."""
        self.run = run
        """The innermost run that the call is part of."""
        self.parent = parent
        """The operation that this one is part of, in this process."""
        self.attributes: Mapping[str, object] = attributes or {}
        """What the call inherits and its span said at its start: session, user, agent, goal."""
        if provider is not None:
            self.provider = provider
        if model is not None:
            self.model = model
        if max_tokens is not None:
            self.max_tokens = max_tokens
        if arguments is not None:
            self._arguments = arguments
        if content is not None:
            self._content = content
        self.started = time.monotonic()
        self.held: dict[object, Any] = {}
        """What each guard remembers of this call between its hooks, by guard."""

    @property
    def is_model_call(self) -> bool:
        """Whether it is paid for by the token."""
        return self.kind in MODEL_KINDS

    @property
    def arguments(self) -> object:
        """What a tool is given: a mapping, or text; None where it is not known."""
        if callable(self._arguments):
            self._arguments = self._arguments()
        return self._arguments

    @arguments.setter
    def arguments(self, value: Callable[[], object] | object) -> None:
        self._arguments = value

    @property
    def has_arguments(self) -> bool:
        """Whether it is known what a tool or an agent is given; cheaper than to look at it."""
        return self._arguments is not None

    @property
    def has_content(self) -> bool:
        """Whether it is known what a model is sent; cheaper than to look at it."""
        return self._content is not None

    @property
    def content(self) -> object:
        """What a model is sent: messages, or text; None where it is not known."""
        content = self._content
        if callable(content):
            content = self._content = content()
        return content

    @content.setter
    def content(self, value: Callable[[], object] | object) -> None:
        self._content = value
        self.size = None

    def measure(self, size: Callable[[object], int]) -> int | None:
        """The size of what a model is sent, counted so once; None where it is not known."""
        content = self._content
        if type(content) is not list and callable(content):
            content = self._content = content()
        if content is not None:
            self.size = size(content)
        return self.size

    def scope(self, scope: Scope) -> str | None:
        """The name of the run, goal, session, user, agent, tool or model that the call is for."""
        if scope == "run":
            return self.run.id
        if scope == "model":
            return self.model
        if scope == "tool":
            return self.name if self.kind == "tool" else self._enclosing("tool")
        found = self.attributes.get(SCOPE_ATTRIBUTES[scope])
        return None if found is None else str(found)

    def enclosing(self, kind: Kind) -> Call | None:
        """The nearest operation of that kind that this one is part of."""
        call = self.parent
        while call is not None and call.kind != kind:
            call = call.parent
        return call

    def _enclosing(self, kind: Kind) -> str | None:
        found = self.enclosing(kind)
        return found.name if found else None

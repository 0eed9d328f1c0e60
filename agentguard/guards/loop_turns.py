"""What a model asks its tools for, and is told, turn by turn, in a conversation that grows.

Where nobody tells the guards of tool calls, as in a program of which only the model client is
known, this is all that there is to see of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from agentguard.guards.call import Call
from agentguard.guards.loop_answer import Answer, says_wait
from agentguard.guards.loop_answers import field, messages, opening_of, said
from agentguard.guards.loop_track import Step, Track
from agentguard.guards.normalise import Forms, forms

__all__ = ["Round", "Turns"]

_MOST_CONVERSATIONS: Final = 16
_OWN_WORDS: Final = ("function_call", "reasoning")
"""What a model said itself, in the items of OpenAI's Responses, which have no role."""


class Round(NamedTuple):
    """The tools that a model asked for in each turn of a cycle, and how often it went round."""

    tools: list[str]
    times: int
    waits: bool


class Turns:
    """The latest turns of one caller's conversations.

    Conversations are told apart by how they open. One that does not grow is a new one: asking the
    same of a model several times over, to choose among its answers, is no loop.
    """

    __slots__ = ("_conversations", "_repeats", "_window", "is_suspicious")

    def __init__(self, repeats: int, window: int | None) -> None:
        self._repeats = repeats
        self._window = window
        self._conversations: dict[int, _Conversation] = {}
        self.is_suspicious = False
        """Whether what the next request tells the model may be the same once too often."""

    def hear(self, call: Call) -> Round | None:
        """Take in what a request tells the model; the turn that it was told the same of so often.

        A turn counts when its answer is known: what failed may be asked for again.
        """
        sent = messages(call.content)
        conversation = self._conversations.get(opening_of(sent))
        return None if conversation is None else conversation.hear(sent, self._repeats)

    def answered(self, call: Call, tools: object) -> Round | None:
        """Take in the request and the tools that are asked for; the cycle that this begins anew."""
        if not tools and not self._conversations:
            return None
        sent = messages(call.content)
        opening = opening_of(sent)
        conversation = self._conversations.pop(opening, None)
        found = None if conversation is None else conversation.hear(sent, self._repeats)
        self.is_suspicious = False
        if not tools:
            return found
        if conversation is None or conversation.size >= len(sent):
            conversation = _Conversation(Track(self._repeats, self._window, _asked_for))
        self._conversations[opening] = conversation
        if len(self._conversations) > _MOST_CONVERSATIONS:
            del self._conversations[next(iter(self._conversations))]
        begun = conversation.ask(call, len(sent))
        self.is_suspicious = conversation.same >= self._repeats - 1
        return found or begun


class _Conversation:
    __slots__ = ("_track", "same", "size")

    def __init__(self, track: Track) -> None:
        self._track = track
        self.size = 0
        """Messages of the latest request."""
        self.same = 0
        """How many of the latest turns asked for the same and were told the same."""

    def hear(self, sent: list[object], repeats: int) -> Round | None:
        steps = self._track.steps
        if not steps or len(sent) <= self.size or steps[-1].told is not None:
            return None
        told = list(_told(sent[self.size :]))
        if not told:
            return None
        latest = steps[-1]
        waits = any(map(says_wait, told))
        latest.told, latest.failed = Answer(told, says_wait=waits), False
        is_same = len(steps) > 1 and latest.is_same(steps[-2])
        self.same = self.same + 1 if is_same else 1
        return Round([latest.name], self.same, waits) if self.same >= repeats else None

    def ask(self, call: Call, size: int) -> Round | None:
        track = self._track
        self.size = size
        if track.steps and track.steps[-1].told is None:
            # Who does not know what came of it cannot tell progress from a circle.
            track.forget()
            self.same = 0
        step = Step(call)
        step.name = ", ".join(name for name, _ in _tools(call))
        track.begun.append(step)
        track.look()
        circle = track.circle()
        if circle is None or len(circle.steps) == 1:
            return None
        waits = any(step.waits for step in circle.steps)
        return Round([step.name for step in circle.steps], circle.rounds, waits)


def _tools(call: Call) -> Iterator[tuple[str, object]]:
    _, tools = said(call.output)
    for tool in tools if isinstance(tools, Iterable) else ():
        yield str(field(tool, "name")), field(tool, "arguments")


def _asked_for(call: Call) -> Forms:
    """The forms of what the tools are asked, without the ids of the calls."""
    each = [forms(arguments) for _, arguments in _tools(call)]
    return tuple(plain for plain, _ in each), tuple(loose for _, loose in each)


def _told(sent: Iterable[object]) -> Iterator[object]:
    """What others than the model say in the messages: the ids around it are new each time."""
    for message in sent:
        if field(message, "role") == "assistant" or field(message, "type") in _OWN_WORDS:
            continue
        inside = next(
            (found for name in ("content", "output", "text") if (found := field(message, name))),
            None,
        )
        if isinstance(inside, list | tuple):
            yield from _told(inside)
        else:
            yield message if inside is None else inside

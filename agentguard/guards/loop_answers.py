"""What an agent is told again and again: the same failure, the same answer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from agentguard.guards.loop_answer import Answer
from agentguard.guards.loop_track import Step
from agentguard.guards.normalise import forms

__all__ = ["Answers", "field", "messages", "opening_hash", "opening_message", "opening_of", "said"]

_MORE: Final = 2
"""How much oftener different calls may fail the same way than the same call may be made."""
_MORE_QUESTIONS: Final = 5
"""How much oftener a question may be put in other words, and nothing be found."""
_SAYS_NOTHING: Final = (int, float, type(None))
"""Answers that do not say whether anything came of it."""
_SETTING: Final = ("system", "developer")
_TARGETS: Final = frozenset({
    "path", "file", "filename", "file_path", "filepath", "url", "uri", "href", "package", "table",
    "selector", "element", "target", "command", "cmd", "query", "sql", "code", "script", "module",
    "test", "document", "key",
})  # fmt: skip


class Answers:
    """The latest answers of one caller's tools, and those in words of its models."""

    __slots__ = ("_failures", "_repeats", "_said", "_told")

    def __init__(self, repeats: int) -> None:
        self._repeats = repeats
        # Each holds but a few: deques would take longer to make than to use.
        self._failures: list[Step] = []
        self._told: list[Step] = []
        self._said: list[tuple[Answer, int]] = []

    def failed(self, step: Step) -> int:
        """How often this failure came in a row, where that is too often; otherwise 0.

        The same failure of one tool, while no tool works, `repeats` times where it is called for
        the same file, page or package each time, or in much the same words, and two times more
        where it is not: three sites that cannot be reached are not a circle, three patches of one
        file that do not apply are.
        """
        self._told.clear()
        failures = self._failures
        if failures and not (failures[-1].name == step.name and _are_alike(failures[-1], step)):
            failures.clear()
        failures.append(step)
        del failures[: -(self._repeats + _MORE)]
        if len(failures) < self._repeats:
            return 0
        # Of the last ones, for an agent may come to one file by way of others.
        latest = [_parts(each) for each in failures][-self._repeats :]
        same = frozenset.intersection(*latest)
        share = any(map(_is_target, same)) or all(
            _is_reworded(before, parts) for before, parts in pairwise(latest)
        )
        most = self._repeats if share else self._repeats + _MORE
        return len(failures) if len(failures) >= most else 0

    def told(self, step: Step) -> int:
        """How often one tool found nothing in a row, where that is too often; otherwise 0.

        Only answers that say that nothing came of it count: to write ten files brings back ten
        times `ok`. And only to questions that have words in common, each with the one before: of
        fifty customers to be looked up, many may not be found.
        """
        self._failures.clear()
        told = self._told
        if isinstance(step.told, _SAYS_NOTHING):
            step.asked = None
            told.clear()
            return 0
        if told and told[-1].name != step.name:
            told.clear()
        told.append(step)
        del told[: -(self._repeats + _MORE_QUESTIONS)]
        # Nothing is looked into before there are as many as are too many.
        return 0 if len(told) < self._repeats + _MORE_QUESTIONS else self._fruitless_in_a_row()

    def _fruitless_in_a_row(self) -> int:
        told = self._told
        later: Step | None = None
        for step in reversed(told):
            is_fruitless = step.answer is not None and step.answer.is_fruitless
            if not is_fruitless or not (later is None or _is_asked_again(step, later)):
                break
            later = step
        else:
            return len(told)
        while told.pop(0) is not step:
            pass
        return 0

    def said(self, answer: Answer | None, size: int) -> int:
        """How often a model gave this answer in words, and no other, if too often.

        `size` is the number of messages that it was sent: it grows within one conversation. A model
        that sorts things says the same of many of them, in a new one each.
        """
        said = self._said
        if answer is None:
            said.clear()
            return 0
        if said and not (said[-1][1] < size and said[-1][0].is_like(answer)):
            said.clear()
        said.append((answer, size))
        del said[: -self._repeats]
        return len(said) if len(said) == self._repeats else 0


def messages(content: object) -> list[object]:
    """The messages that a model is sent, the newest last."""
    if type(content) is list:
        return content
    if isinstance(content, Mapping):
        content = content.get("messages", content.get("input", [content]))
    return content if isinstance(content, list) else [content]


def opening_of(sent: list[object]) -> int:
    """A hash of how a conversation opens, which tells it from others."""
    return opening_hash(opening_message(sent))


def opening_message(sent: list[object]) -> object:
    """The first message, but for what an agent sets out with in all of its conversations."""
    for message in sent:
        if field(message, "role") not in _SETTING:
            return message
    return None


def opening_hash(message: object) -> int:
    """A hash of the message that a conversation opens with; 0 where there is none."""
    if message is None:
        return 0
    content = field(message, "content")
    return _hash_of(content) if isinstance(content, str) else hash(forms(message)[1])


@lru_cache(64)
def _hash_of(text: str) -> int:
    return hash(forms(text)[1])


def field(value: object, name: str) -> Any:
    """A field of a message: a mapping, or an object of the client's own types."""
    # Asking whether it is a mapping takes longer than all the rest.
    if type(value) is dict or isinstance(value, Mapping):
        return value.get(name)
    return None if isinstance(value, str) else getattr(value, name, None)


def said(output: object) -> tuple[str, object]:
    """A model's answer in words, and the tools that it asked for."""
    if type(output) is dict or isinstance(output, Mapping):
        text = output.get("text")
        return (text if isinstance(text, str) else ""), output.get("tool_calls")
    return (output, None) if isinstance(output, str) else ("", None)


def _are_alike(before: Step, step: Step) -> bool:
    """Whether both brought back the same."""
    told, answer = before.answer, step.answer
    return told is not None and answer is not None and told.is_like(answer)


def _is_asked_again(before: Step, step: Step) -> bool:
    return _are_alike(before, step) and _is_reworded(_parts(before), _parts(step))


def _parts(step: Step) -> frozenset[object]:
    """The arguments, each with its name."""
    asked = step.asked
    return frozenset(asked) if isinstance(asked, tuple) else frozenset((asked,))


def _is_target(part: object) -> bool:
    """Whether the argument says what a tool is to work on, rather than how."""
    return isinstance(part, tuple) and bool(part) and str(part[0]).lower() in _TARGETS


def _is_reworded(asked: frozenset[object], now: frozenset[object]) -> bool:
    """Whether one question is the other, or has words in common with it where they differ."""
    return asked == now or bool(_words(asked - now) & _words(now - asked))


def _words(parts: frozenset[object]) -> set[str]:
    values = (part[-1] if isinstance(part, tuple) and part else part for part in parts)
    return {
        word.rstrip("s")
        for value in values
        if isinstance(value, str)
        for word in value.lower().split()
        if len(word) > 2
    }

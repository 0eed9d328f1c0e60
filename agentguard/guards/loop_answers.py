"""What an agent is told again and again: the same failure, the same answer."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from agentguard.guards.call import Call
from agentguard.guards.normalise import Answer, forms

__all__ = ["Answers", "field", "messages", "opening_of", "said", "says_wait"]

_MORE: Final = 2
"""How much oftener different calls may fail the same way than the same call may be made."""
_MORE_QUESTIONS: Final = 5
"""How much oftener a question may be put in other words, and nothing be found."""
_FRUITLESS: Final = re.compile(
    "no result|no match|not found|nothing|no such|denied|blocked|captcha|invalid|error|failed|"
    "unable|cannot|0 results|no documents|unavailable",
    re.IGNORECASE,
)
_SETTING: Final = ("system", "developer")
_TARGETS: Final = frozenset({
    "path", "file", "filename", "file_path", "filepath", "url", "uri", "href", "package", "table",
    "selector", "element", "target", "command", "cmd", "query", "sql", "code", "script", "module",
    "test", "document", "key",
})  # fmt: skip
_LONGEST: Final = 400
_MOST_PARTS: Final = 40
# As words: not in `depending`, nor in `processing.py`.
_WAITING: Final = re.compile(
    r"""(?<![\w/.-])(?:pending|queued|running|in[ _-]progress|processing|not[ ](?:yet[ ])?ready|
        waiting|building|starting|scheduled|try[ ]again[ ]later|not[ ](?:yet[ ])?finished|
        still[ ](?:\w+ing|in|not|queued|scheduled))(?![\w/-]|\.\w)""",
    re.IGNORECASE | re.VERBOSE,
)


class Answers:
    """The latest answers of one caller's tools, and those in words of its models."""

    __slots__ = ("_failures", "_repeats", "_said", "_told")

    def __init__(self, repeats: int) -> None:
        self._repeats = repeats
        self._failures: deque[tuple[str, Answer, frozenset[object]]] = deque(maxlen=repeats + _MORE)
        self._told: deque[tuple[str, Answer, frozenset[object]]] = deque(
            maxlen=repeats + _MORE_QUESTIONS
        )
        self._said: deque[tuple[Answer, int]] = deque(maxlen=repeats)

    def failed(self, call: Call, error: Answer) -> int:
        """How often this failure came in a row, where that is too often; otherwise 0.

        The same failure of one tool, while no tool works, `repeats` times where it is called for
        the same file, page or package each time, or in much the same words, and two times more
        where it is not: three sites that cannot be reached are not a circle, three patches of one
        file that do not apply are.
        """
        self._told.clear()
        failures = self._failures
        if failures and not (failures[-1][0] == call.name and failures[-1][1].is_like(error)):
            failures.clear()
        failures.append((call.name, error, _parts(call.arguments)))
        # Of the last ones, for an agent may come to one file by way of others.
        latest = [parts for *_, parts in failures][-self._repeats :]
        same = frozenset.intersection(*latest)
        share = any(map(_is_target, same)) or all(
            _is_reworded(before, parts) for before, parts in pairwise(latest)
        )
        most = self._repeats if share else self._repeats + _MORE
        return len(failures) if len(failures) >= most else 0

    def told(self, call: Call, answer: Answer, output: object) -> int:
        """How often one tool in a row, asked in other words, found nothing, if too often.

        Only answers that say that nothing came of it count: to write ten files brings back ten
        times `ok`. And only to questions that have words in common, each with the one before: of
        fifty customers to be looked up, many may not be found.
        """
        self._failures.clear()
        told = self._told
        if not _is_fruitless(output):
            told.clear()
            return 0
        parts = _parts(call.arguments)
        if told:
            name, before, asked = told[-1]
            if not (name == call.name and before.is_like(answer) and _is_reworded(asked, parts)):
                told.clear()
        told.append((call.name, answer, parts))
        return len(told) if len(told) == told.maxlen else 0

    def worked(self) -> None:
        """A tool brought back something of which nothing is known, or that says to wait."""
        self._failures.clear()
        self._told.clear()

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
        return len(said) if len(said) == said.maxlen else 0


def messages(content: object) -> list[object]:
    """The messages that a model is sent, the newest last."""
    if isinstance(content, Mapping):
        content = content.get("messages", content.get("input", [content]))
    return content if isinstance(content, list) else [content]


def opening_of(sent: list[object]) -> int:
    """A hash of how a conversation opens, which tells it from others.

    That is the first message, but for what an agent sets out with in all of them.
    """
    for message in sent:
        if field(message, "role") not in _SETTING:
            content = field(message, "content")
            return _hash_of(content) if isinstance(content, str) else hash(forms(message)[1])
    return 0


@lru_cache(64)
def _hash_of(text: str) -> int:
    return hash(forms(text)[1])


def field(value: object, name: str) -> Any:
    """A field of a message: a mapping, or an object of the client's own types."""
    if isinstance(value, Mapping):
        return value.get(name)
    return None if isinstance(value, str) else getattr(value, name, None)


def said(output: object) -> tuple[str, object]:
    """A model's answer in words, and the tools that it asked for."""
    if isinstance(output, Mapping):
        text = output.get("text")
        return (text if isinstance(text, str) else ""), output.get("tool_calls")
    return (output, None) if isinstance(output, str) else ("", None)


def says_wait(answer: object) -> bool:
    """Whether the answer is that something is not ready yet."""
    text = _short_text(answer)
    return text is not None and _WAITING.search(text) is not None


def _parts(arguments: object) -> frozenset[object]:
    """The arguments, each with its name."""
    plain, _ = forms(arguments)
    return frozenset(plain) if isinstance(plain, tuple) else frozenset((plain,))


def _is_target(part: object) -> bool:
    """Whether the argument says what a tool is to work on, rather than how."""
    return isinstance(part, tuple) and bool(part) and str(part[0]).lower() in _TARGETS


def _is_fruitless(output: object) -> bool:
    """Whether the answer says that nothing came of it."""
    if isinstance(output, list | dict) and not output:
        return True
    text = _short_text(output)
    return text is not None and _FRUITLESS.search(text) is not None


def _short_text(answer: object) -> str | None:
    """The answer as text; None where it is too long, or too short, to say such a thing."""
    if answer is None or isinstance(answer, int | float):
        return None
    if not isinstance(answer, str):
        # To write out all of a table takes long, only to see that it is no short text.
        if _parts_in(answer, _MOST_PARTS) > _MOST_PARTS:
            return None
        answer = repr(answer)
    return answer if len(answer) <= _LONGEST else None


def _parts_in(value: object, most: int) -> int:
    """How many values are in the value, itself counted; counts no further than beyond `most`."""
    inside: Iterable[object] = ()
    if isinstance(value, Mapping):
        inside = value.values()
    elif isinstance(value, list | tuple):
        inside = value
    parts = 1
    for part in inside:
        if parts > most:
            break
        parts += _parts_in(part, most - parts)
    return parts


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

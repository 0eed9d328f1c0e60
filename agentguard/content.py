"""Turning what agents say and pass around into bounded JSON text.

Nothing here raises: content is recorded beside the work, and must not be able to break it.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from math import isfinite

from agentguard.message_parts import as_message

__all__ = ["to_json", "to_message", "to_messages", "to_text"]

log = logging.getLogger("agentguard")

MAX_DEPTH = 32
CUT = "…[cut]"


def to_json(value: object, limit: int) -> str:
    """The value as valid JSON holding about `limit` characters of content at most.

    Models and dataclasses become objects, bytes their length, and whatever else JSON does not
    know its `repr`. What does not fit is cut and marked.
    """
    return _encoded(lambda: value, limit)


def to_text(value: object, limit: int) -> str:
    """A string as it is, anything else as JSON; bounded like `to_json`."""
    if issubclass(type(value), str):
        return _encodable(_clip(str(value), limit))
    return to_json(value, limit)


def to_messages(messages: object, role: str, limit: int) -> str:
    """Messages as JSON in the shape of `gen_ai.input.messages`: `{"role", "parts": [...]}`.

    Takes a string, one message or a sequence of them, in the shapes that `as_message` knows; what
    they are made of beside that is kept. `role` is for messages that do not tell theirs.
    """

    def listed() -> list[object]:
        if isinstance(messages, Sequence) and not isinstance(messages, str):
            return [as_message(message, role) for message in messages]
        return [as_message(messages, role)]

    return _encoded(listed, limit)


def to_message(value: object, role: str, limit: int) -> str:
    """A function's arguments or result as one message; a lone argument stands for itself."""

    def listed() -> list[object]:
        said = value
        if isinstance(value, Mapping) and len(value) == 1:
            (said,) = value.values()
        return [as_message(to_text(said, limit), role)]

    return _encoded(listed, limit)


def _encoded(make: Callable[[], object], limit: int) -> str:
    try:
        plain = _Reducer(limit).reduce(make(), MAX_DEPTH)
        return _encodable(json.dumps(plain, ensure_ascii=False, separators=(",", ":")))
    except Exception:
        log.debug("Content could not be recorded", exc_info=True)
        return json.dumps("[content that could not be read]")


def _clip(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + CUT


def _encodable(text: str) -> str:
    """The text without lone surrogates, which no exporter can encode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


class _Reducer:
    """Reduces a value to what JSON knows, spending at most `budget` characters on it."""

    def __init__(self, budget: int) -> None:
        self.budget = budget

    def reduce(self, value: object, depth: int) -> object:
        if self.budget <= 0 or depth <= 0:
            return CUT
        if value is None or isinstance(value, (bool, int)):
            self.budget -= 4
            return value if value is None or abs(int(value)) < 2**63 else str(value)[:100]
        if isinstance(value, float):
            self.budget -= 8
            return value if isfinite(value) else str(value)
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self._text(f"<{len(value)} bytes>")
        return self._structure(value, depth - 1)

    def _structure(self, value: object, depth: int) -> object:
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, (Sequence, AbstractSet)):
            return self._items(value, depth)
        if is_dataclass(value) and not isinstance(value, type):
            named: dict[object, object] = {
                part.name: getattr(value, part.name, None) for part in fields(value)
            }
            return self._mapping(named, depth)
        dump = getattr(value, "model_dump", None)
        if callable(dump) and not isinstance(value, type):
            return self.reduce(dump(), depth)
        return self._text(_safe_repr(value))

    def _mapping(self, value: Mapping[object, object], depth: int) -> dict[str, object]:
        reduced: dict[str, object] = {}
        for key, item in value.items():
            if self.budget <= 0:
                reduced[CUT] = len(value) - len(reduced)
                break
            name = self._text(key if isinstance(key, str) else _safe_repr(key))
            reduced[name] = self.reduce(item, depth)
        return reduced

    def _items(self, value: "Sequence[object] | AbstractSet[object]", depth: int) -> list[object]:
        reduced: list[object] = []
        for item in value:
            if self.budget <= 0:
                reduced.append(CUT)
                break
            reduced.append(self.reduce(item, depth))
        return reduced

    def _text(self, text: str) -> str:
        clipped = _clip(text, self.budget)
        self.budget -= len(clipped) + 2
        return clipped


def _safe_repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - the boundary: a user's __repr__
        return f"<{type(value).__name__}>"

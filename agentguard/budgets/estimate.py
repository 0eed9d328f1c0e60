"""How many tokens a call will use, before anybody has counted them.

Bytes of UTF-8 over 2.5 are tokens here. Measured with the tokenizers cl100k_base, o200k_base,
Anthropic's and DeepSeek's published ones, a token is 4.0 to 5.1 bytes of English or Python, 2.2 to
5.0 of German, Polish, Turkish, Russian, Chinese, Japanese or Korean, 2.5 to 2.7 of JSON: the
estimate is high by up to twice, on purpose. It is low for ids (1.5), tables of numbers (2.0) and
base64 (1.4).

What a model's calls really used corrects it from the second call on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from agentguard.prices.meter import TokenPrice

__all__ = ["DEFAULT_INPUT", "DEFAULT_OUTPUT", "Habit", "size"]

DEFAULT_INPUT: Final = 1_000
"""Tokens sent with a first call whose content is not known."""
DEFAULT_OUTPUT: Final = 1_000
"""Tokens answered to a first call that does not say how many it allows."""

# An image: 1,600 tokens is the most that Anthropic charges for one at its standard size
# (https://docs.claude.com/en/docs/build-with-claude/vision), and more than OpenAI's high detail
# of a 1024 x 1024 one. Its base64 says nothing about its tokens.
_MEDIA_BYTES: Final = 4_000
_MEDIA: Final = frozenset(
    {"image", "image_url", "input_image", "audio", "input_audio", "file", "input_file", "document"}
)
_TEXTS: Final = ("content", "text", "parts", "blocks", "tool_calls", "additional_kwargs")
_ENVELOPE: Final = 20
"""Bytes for a message's role and its separators: some 4 to 8 tokens in chat formats."""
_NUMBER_BYTES: Final = 3
"""A token: embeddings may be sent the numbers of tokens in the place of text."""
_MOST_PARTS: Final = 100_000
_NOTHING_KNOWN: Final = (0, 1)
_is_ascii: Final = str.isascii


def size(content: object) -> int:
    """Bytes of text in what a model is sent or says: text, messages, or any nesting of them.

    Messages may be mappings or a framework's objects. An image or a file counts as 4,000 bytes.
    """
    if type(content) is not list:
        return _size_of([content])
    total = 0
    others: list[object] = []
    for message in content:
        # What nearly every message is, `{"role", "content"}`, and quicker than to ask first
        # whether it is: `_is_ascii` raises for what is no text.
        try:
            text = message.get("content")
            if len(message) == 2:
                total += _ENVELOPE + (len(text) if _is_ascii(text) else _length(text))
                continue
        except Exception:  # noqa: BLE001, S110 - the boundary of other people's objects
            pass
        others.append(message)
    return total + _size_of(others) if others else total


def _size_of(parts: list[object]) -> int:
    """Bytes of text in all the parts, which are used up."""
    total = 0
    for _ in range(_MOST_PARTS):
        if not parts:
            break
        part = parts.pop()
        if isinstance(part, str):
            total += _length(part)
        elif isinstance(part, Mapping):
            kind = part.get("type")
            if isinstance(kind, str) and kind in _MEDIA:
                total += _MEDIA_BYTES
            else:
                parts.extend(part)
                parts.extend(part.values())
        elif isinstance(part, list | tuple):
            parts.extend(part)
        elif isinstance(part, bytes | bytearray | memoryview):
            total += _MEDIA_BYTES
        elif isinstance(part, int | float):
            total += _NUMBER_BYTES
        elif part is not None:
            parts.extend(_texts_of(part))
    return total


def _texts_of(message: object) -> list[object]:
    """What a framework's message says; nothing where its attributes cannot be read."""
    try:
        return [getattr(message, name, None) for name in _TEXTS]
    except Exception:  # noqa: BLE001 - the boundary of other people's objects
        return []


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


class Habit:
    """What the calls of one model used so far. A race between two calls loses one correction."""

    __slots__ = ("_per_kilochar", "known", "model", "output", "price", "provider")

    def __init__(self, provider: str | None = None, model: str | None = None) -> None:
        self.provider = provider
        self.model = model
        self.price: TokenPrice | None = None
        """The model's price, where that is known and does not change with time."""
        self.output = DEFAULT_OUTPUT
        """Tokens that will be answered: nearly the most of late."""
        self.known: tuple[int | None, int] = _NOTHING_KNOWN
        """Bytes of the last call's content, and the tokens that it was: more is counted on top."""
        self._per_kilochar = 410

    def input_for(self, size: int | None) -> int:
        """Tokens that will be sent, given the bytes of the content; None where it is not known.

        An agent sends what it sent before and a little more: that counts as it was counted, and
        only the rest by its bytes.
        """
        last_size, sent = self.known
        if size is None:
            return DEFAULT_INPUT if self.known is _NOTHING_KNOWN else sent
        if last_size is None:
            return 1 + size * 2 // 5
        if size >= last_size:
            return sent + (size - last_size) * 2 // 5
        # Something shorter: what is not in the content, such as the tools offered, is sent again.
        besides = max(0, sent - last_size * 2 // 5)
        return min(sent, 1 + size * 2 // 5 + besides)

    def streamed(self, chars: int) -> int:
        """Tokens of so many characters of an answer."""
        return -(-chars * self._per_kilochar // 1024)

    def chars(self, tokens: int) -> int:
        """Characters that so many tokens are enough for."""
        return tokens * 1024 // self._per_kilochar

    def learn(self, size: int | None, sent: int, answered: int) -> None:
        """Take in what a call really used."""
        if sent:
            self.known = size, sent
        # Falls slowly: one short answer does not make the next one short.
        falling = answered + (self.output - answered) * 7 // 8
        self.output = max(answered, falling)

    def learn_text(self, chars: int, tokens: int) -> None:
        """Take in how many tokens the characters of a streamed answer were."""
        if chars >= 200 and tokens:
            # Bounded by what tokenizers do: 8 characters to a token of prose, and for scripts
            # that they know badly two tokens to a character.
            self._per_kilochar = min(2048, max(128, tokens * 1024 // chars))

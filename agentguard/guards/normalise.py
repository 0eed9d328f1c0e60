"""What makes two calls, or two answers, the same though they are not written alike.

Two forms are made of each. In the *plain* one only what never means anything is gone: white space,
the order of keys, and values whose name says that they are made anew for each call (`request_id`,
`timestamp`, `nonce`). In the *loose* one so are values that look like such: UUIDs, long hex ids,
times of day, durations. They may well mean something (reading the documents of a list, one after
the other, by their ids), so what is alike in this form only is the same only where the answers are.
"""

from __future__ import annotations

import json
import marshal
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

__all__ = ["Forms", "forms", "message_forms", "text_form"]

Forms = tuple[object, object]
"""The plain and the loose form; equal to each other where nothing looks like noise."""

_NOISE_NAME: Final = re.compile(
    r"""(?:.*[_.-])?(?:
        nonce|timestamp|ts|now|salt|attempt|attempt_no|retry|retry_count|retries|etag|sent_at|
        (?:request|req|trace|span|call|tool_call|message|msg|correlation|idempotency|invocation|run|
           event|x_request)[_-]?(?:id|key|uuid)|
        created_at|updated_at|requested_at|called_at|time_?stamp|cache_?buster|traceparent|_
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_LOOKS_LIKE_NOISE: Final = re.compile(
    r"""
    (?<![0-9a-z])(?=[0-9a-frmct/])(?:   # so that most characters are passed over at once
      [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}      # UUID
    | \d{4}-\d\d-\d\d[T\ ]\d\d:(?!00:00)\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?  # ISO 8601
    | \b\d\d:\d\d:\d\d(?:[.,]\d+)?\b                                    # a time of day
    | \b1[5-9]\d{8}(?:\d{3})?(?:\.\d+)?\b                               # Unix time
    | \b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{12,}\b                # hex digests and ids
    | \b0x[0-9a-f]{6,}\b                                                # addresses
    | \b(?:req|msg|call|run|trace|chatcmpl|toolu)[_-][0-9a-z]{6,}\b     # ids with a prefix
    | \b\d+(?:\.\d+)?\s?(?:ms|us|µs|s|sec|secs|seconds)\b               # durations
    | /tmp/[\w./-]+                                                     # temporary files
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
# An argument that is nothing but an id tells what the call is about.
_IS_AN_ID: Final = re.compile(r"[0-9a-z]+(?:[_/.-][0-9a-z]+)*", re.IGNORECASE)
# Most texts have nothing that looks like noise, and these tell quickly. Each begins with a set of
# characters and minds the case itself, so that the search passes over all others at once.
_DIGIT: Final = re.compile(r"\d")
_DIGITS: Final = b"0123456789"
_DIGITS_AND_ODD_SPACE: Final = _DIGITS + b"\t\n\v\f\r\x1c\x1d\x1e\x1f"
_NOISE_FROM_A_DIGIT: Final = re.compile(
    r"""\d(?:
        \d{3} | :\d | [xX]                                         # dates, times, addresses
      | \s?(?:[mu\u00b5\u03bc]?s|secs?|seconds)\b                   # durations
      | [0-9a-fA-F]{6} | (?<=[0-9a-fA-F]{6}\d)                     # one half of a digest
    )""",
    re.VERBOSE,
)
_NOISE_FROM_A_PREFIX: Final = re.compile(r"[_-](?<=[eglnquEGLNQU].)(?=[0-9a-zA-Z]{6})\w*\d")
_TWELVE: Final = re.compile(r"[a-f0-9]{12}", re.IGNORECASE)
_HYPHENS_IN_A_UUID: Final = 4
_CLOCKS_BEGIN: Final = 1_500_000_000_000
"""Milliseconds since 1970."""
_SHORT: Final = 256
_MOST_READ: Final = 8_192
_MOST_PARSED: Final = 65_536
_MOST_PARTS: Final = 1_000
"""Parts of a value that are looked into; a part is a value, or 64 characters of a text."""
_DEEPEST: Final = 8
_ROLES: Final = frozenset(("assistant", "developer", "system", "tool", "user"))
_ROLE_AND_CONTENT: Final = 2
_SCALARS: Final = (int, float, bool, type(None))
_GROUPS: Final = list | tuple | set | frozenset


def forms(arguments: object) -> Forms:
    """The forms of a call's arguments: text, JSON as text, a mapping, or anything else."""
    if arguments is None:
        return None, None
    if isinstance(arguments, str):
        arguments = _parsed(arguments)
    if type(arguments) is dict:
        # What most tools are given, and most messages are: a few names with texts and numbers.
        kept = []
        for key, value in arguments.items():
            kind = type(value)
            if kind is str and len(value) <= _SHORT:
                # Costs less than to look for white space that is odd.
                value = " ".join(value.split())
                if _may_look_like_noise(value) and not _IS_AN_ID.fullmatch(value):
                    break
            elif kind is str and len(value) <= _MOST_READ:
                value, loose = _long_text(value)
                if loose is not value:
                    break
            elif not (value is None or kind is bool or (kind is int and value < _CLOCKS_BEGIN)):
                break
            if type(key) is not str:
                break
            if not _is_made_anew(key):
                kept.append((key, value))
        else:
            # By their names: no two are the same, so that no values are compared.
            kept.sort()
            simple = tuple(kept)
            return simple, simple
    plain, loose, is_noisy = _walk(arguments, 0, [_MOST_PARTS])
    return plain, loose if is_noisy else plain


def message_forms(message: object) -> Forms:
    """The forms of a message of a conversation, which is nearly always a role and a text."""
    if type(message) is dict and len(message) == _ROLE_AND_CONTENT:
        content = message.get("content")
        if type(content) is str and len(content) <= _MOST_READ and message.get("role") in _ROLES:
            plain, loose = _long_text(content) if len(content) > _SHORT else _text(content)
            told = message["role"], plain
            return told, told if loose is plain else (message["role"], loose)
    return forms(message)


def _may_look_like_noise(text: str) -> bool:
    """Whether `_LOOKS_LIKE_NOISE` has to be asked: false for most texts, in a microsecond."""
    if "/tmp/" in text:  # noqa: S108 - what it looks like
        return True
    if text.count("-") >= _HYPHENS_IN_A_UUID and _TWELVE.search(text):
        return True
    if not _has_digit(text):
        return False
    return (
        _NOISE_FROM_A_DIGIT.search(text) is not None
        or _NOISE_FROM_A_PREFIX.search(text) is not None
    )


def _has_digit(text: str) -> bool:
    if not text.isascii():
        return _DIGIT.search(text) is not None
    # Leaving digits out takes a tenth of the time of looking for one.
    plain = text.encode()
    return len(plain.translate(None, _DIGITS)) < len(plain)


def _walk(value: object, depth: int, left: list[int]) -> tuple[Any, Any, bool]:
    """The plain form, the loose one, and whether they differ.

    `left` is the number of parts that may yet be looked into: what is beyond is compared as it is.
    """
    left[0] -= 1
    if isinstance(value, str):
        left[0] -= min(len(value), _MOST_READ) >> 6
        if left[0] < 0:
            form: object = hash(value)
            return form, form, False
        if len(value) > _MOST_READ:
            form = text_form(value)
            return form, form, False
        text, loose = _long_text(value) if len(value) > _SHORT else _text(value)
        return text, loose, loose is not text
    if isinstance(value, _SCALARS):
        if type(value) in (int, float) and _is_clock(value):
            return value, "~", True
        return value, value, False
    is_large = isinstance(value, Mapping | _GROUPS) and len(value) > left[0]
    if is_large or left[0] < 0 or depth >= _DEEPEST:
        form = _as_it_is(value)
        return form, form, False
    if isinstance(value, Mapping):
        items = [
            (str(key), *_walk(item, depth + 1, left))
            for key, item in value.items()
            if not _is_made_anew(str(key))
        ]
        items.sort(key=_first)
        return (
            tuple((key, plain) for key, plain, _, _ in items),
            tuple((key, loose) for key, _, loose, _ in items),
            any(noisy for *_, noisy in items),
        )
    if isinstance(value, _GROUPS):
        parts = [_walk(item, depth + 1, left) for item in value]
        return (
            tuple(plain for plain, _, _ in parts),
            tuple(loose for _, loose, _ in parts),
            any(noisy for *_, noisy in parts),
        )
    return _walk(_described(value), depth + 1, left)


def _text(value: str) -> tuple[str, str]:
    """The forms of a text: one and the same where nothing in it looks like noise."""
    if _is_plain(value):
        # To take it apart at each space takes longer than all else that is done with it.
        plain = value.strip(" ")
        return plain, plain
    plain = " ".join(value.split())
    if _may_look_like_noise(plain) and not _IS_AN_ID.fullmatch(plain):
        loose = _LOOKS_LIKE_NOISE.sub("~", plain)
        if loose != plain:
            return plain, loose
    return plain, plain


def _is_plain(text: str) -> bool:
    """Whether nothing in it looks like noise, and it has single spaces between its words only.

    False for some such texts too.
    """
    if not text.isascii() or "  " in text or "/tmp/" in text:  # noqa: S108 - what noise looks like
        return False
    if text.count("-") >= _HYPHENS_IN_A_UUID:
        return False
    encoded = text.encode()
    return len(encoded.translate(None, _DIGITS_AND_ODD_SPACE)) == len(encoded)


# What a conversation opens with is read with each of its requests.
_long_text = lru_cache(64)(_text)


def _as_it_is(value: Any) -> int:
    """A hash of all that is in the value, quickly.

    Of equal values that share their parts differently it may differ: then a repetition is missed.
    """
    try:
        # Writes what is there twice once only, and knows what contains itself.
        return hash(marshal.dumps(value))
    except ValueError:
        return hash(repr(value))


@lru_cache(4096)
def _is_made_anew(name: str) -> bool:
    return _NOISE_NAME.fullmatch(name) is not None


def _first(item: tuple[Any, ...]) -> str:
    name: str = item[0]
    return name


def _described(value: object) -> object:
    """The fields of a data class or a model, and the type of what shows none."""
    fields = getattr(value, "__dict__", None)
    return {**fields, "": type(value).__name__} if fields else repr(value)


def _is_clock(value: Any) -> bool:
    """Whether the number looks like milliseconds, or a fraction of seconds, since 1970."""
    return _CLOCKS_BEGIN < value < 2_100_000_000_000 or (
        isinstance(value, float) and 1_500_000_000 < value < 2_100_000_000 and value % 1 != 0
    )


def text_form(text: str) -> object:
    """The loose form of a text; of one that is too long, that of its beginning and end."""
    if len(text) > _MOST_READ:
        half = _MOST_READ // 2
        return (text_form(text[:half]), hash(text[half:-half]), text_form(text[-half:]))
    return _LOOKS_LIKE_NOISE.sub("~", " ".join(text.split()))


def _parsed(text: str) -> object:
    if len(text) > _MOST_PARSED:
        return text
    if text[:1] not in ("{", "[") and text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text

"""ClickHouse's errors: code, name and text, and the HTTP status that each code has."""

from __future__ import annotations

import re

__all__ = ["EngineError"]

_PREFIX = re.compile(r"(?:Code: (\d+)\. DB::Exception: )+")
_NAMES = re.compile(r"(?:\s*\((?:version [^()]*|[A-Z][A-Z0-9_]+)\)\.?)+\s*\Z")
_NAME = re.compile(r"\(([A-Z][A-Z0-9_]+)\)")
_STD_EXCEPTION = 1001

# https://github.com/ClickHouse/ClickHouse/blob/master/src/Server/HTTP/exceptionCodeToHTTPStatus.cpp
_STATUS = (
    {194: 401, 159: 408, 381: 411, 48: 501, 209: 503, 76: 503, 439: 503}
    | dict.fromkeys((192, 193, 497, 512, 516), 403)
    | dict.fromkeys(
        (6, 8, 15, 25, 26, 27, 36, 38, 41, 44, 53, 62, 72, 117, 167, 168, 223, 321,
         376, 427, 441, 675, 676),
        400,
    )
    | dict.fromkeys((46, 47, 50, 56, 60, 63, 73, 78, 81, 99, 115, 336, 511), 404)
    | {307: 413}
)  # fmt: skip


class EngineError(Exception):
    """An error as ClickHouse answers it: `Code: 60. DB::Exception: ... (UNKNOWN_TABLE)`."""

    def __init__(self, code: int, name: str, message: str, status: int | None = None) -> None:
        self.code = code
        self.name = name
        self.status = status or _STATUS.get(code, 500)
        super().__init__(f"Code: {code}. DB::Exception: {message.rstrip('. ')}. ({name})")

    @classmethod
    def parse(cls, text: str) -> EngineError:
        """Read the engine's own text, in which wrapped errors repeat their code and name."""
        prefix = _PREFIX.match(text)
        if prefix is None:
            return cls(_STD_EXCEPTION, "STD_EXCEPTION", text)
        names = _NAMES.search(text)
        name = _NAME.search(text, names.start()) if names else None
        message = text[prefix.end() : names.start() if names else len(text)]
        return cls(int(prefix.group(1)), name.group(1) if name else "UNKNOWN", message)

    @classmethod
    def access_denied(cls, message: str) -> EngineError:
        """Return the error for something that this user may not do."""
        return cls(497, "ACCESS_DENIED", message)

    @classmethod
    def bad_request(cls, message: str) -> EngineError:
        """Return the error for a request that cannot be understood."""
        return cls(36, "BAD_ARGUMENTS", message)

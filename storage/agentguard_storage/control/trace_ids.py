"""Ids of traces and spans, as people and agents write them."""

import re
from typing import Final

from agentguard_storage.control.errors import InvalidValue

__all__ = ["checked_span_id", "checked_trace_id"]

_TRACE: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_SPAN: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)


def checked_trace_id(text: str) -> str:
    """The id in lower case. Raises InvalidValue for what OpenTelemetry would not call one."""
    value = text.strip().lower()
    if not _TRACE.fullmatch(value) or not int(value, 16):
        raise InvalidValue("a trace's id is 32 hexadecimal digits, and not all zero")
    return value


def checked_span_id(text: str) -> str:
    """The id in lower case. Raises InvalidValue for what OpenTelemetry would not call one."""
    value = text.strip().lower()
    if not _SPAN.fullmatch(value) or not int(value, 16):
        raise InvalidValue("a span's id is 16 hexadecimal digits, and not all zero")
    return value

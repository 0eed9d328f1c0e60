"""Reads the parts of OpenAI requests that chat completions and responses share."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from agentguard.demo.provider.errors import ProtocolError

__all__ = ["required", "text_of", "tool_names"]


def required(body: Mapping[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    """A field that must be there and of that type; ProtocolError 400 naming it otherwise."""
    value = body.get(name)
    if value is None:
        raise ProtocolError(
            HTTPStatus.BAD_REQUEST, f"Missing required parameter: '{name}'.", param=name
        )
    if not isinstance(value, kind):
        raise ProtocolError(
            HTTPStatus.BAD_REQUEST,
            f"Invalid type for '{name}': {type(value).__name__}.",
            param=name,
        )
    return value


def text_of(content: object) -> str:
    """The text of a message content, which is a string or a list of typed parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(str(p["text"]) for p in content if isinstance(p, dict) and "text" in p)


def tool_names(tools: Iterable[Mapping[str, Any]] | None) -> tuple[str, ...]:
    """Names of the function tools offered; chat nests them in `function`, responses does not."""
    return tuple(str((t.get("function") or t).get("name", "")) for t in tools or ())

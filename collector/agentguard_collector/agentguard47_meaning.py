"""What a line of agentguard47 says, in the names of OpenTelemetry's GenAI conventions.

Its tracer knows spans and events, each with a name and free `data`. What an operation is stands in
the name's first word, which its decorators and its integrations (LangChain, LangGraph, CrewAI, the
patched model clients) write.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from agentguard import semconv

__all__ = ["Attributes", "attributes_of", "is_guard", "is_model_call", "own_cost", "usage_of"]

Attributes: TypeAlias = dict[str, str | bool | int | float]

_CALL_EVENTS: Final = ("llm.result", "llm.end")
_ABOUT_TOOLS: Final = ("tool.result", "tool.error", "tool.retry", "tool.check")
_WORKFLOWS: Final = ("chain", "node", "task", "crew")
_GUARDS: Final = ("budget", "loop", "retry", "rate_limit", "timeout")
_MOST_TOKENS: Final = 10**10

# Of its own usage and of the providers', which it passes on where it does not know better.
_COUNTS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    semconv.USAGE_INPUT_TOKENS: (("input_tokens",), ("prompt_tokens",)),
    semconv.USAGE_OUTPUT_TOKENS: (("output_tokens",), ("completion_tokens",)),
    semconv.USAGE_CACHE_READ_INPUT_TOKENS: (
        ("cached_input_tokens",),
        ("cache_read_input_tokens",),
        ("prompt_tokens_details", "cached_tokens"),
        ("input_tokens_details", "cached_tokens"),
        ("input_token_details", "cache_read"),
    ),
    semconv.USAGE_CACHE_WRITE_INPUT_TOKENS: (
        ("cache_write_input_tokens",),
        ("cache_creation_input_tokens",),
        ("input_token_details", "cache_creation"),
    ),
    semconv.USAGE_REASONING_OUTPUT_TOKENS: (
        ("reasoning_tokens",),
        ("thinking_tokens",),
        ("completion_tokens_details", "reasoning_tokens"),
        ("output_tokens_details", "reasoning_tokens"),
        ("output_tokens_details", "thinking_tokens"),
        ("output_token_details", "reasoning"),
    ),
}
_CACHED: Final = (semconv.USAGE_CACHE_READ_INPUT_TOKENS, semconv.USAGE_CACHE_WRITE_INPUT_TOKENS)
# What there is a name for; all other data is kept under `agentguard47.data.`.
_DATA: Final = {
    "model": semconv.REQUEST_MODEL,
    "provider": semconv.PROVIDER_NAME,
    "request_id": semconv.RESPONSE_ID,
    "user_id": semconv.USER_ID,
    "prompts": semconv.INPUT_VALUE,
    "inputs": semconv.INPUT_VALUE,
    "response": semconv.OUTPUT_VALUE,
    "outputs": semconv.OUTPUT_VALUE,
    "output": semconv.OUTPUT_VALUE,
    "result": semconv.OUTPUT_VALUE,
}


def is_guard(name: str) -> bool:
    """Tell whether an event is a guard's verdict; what it says of costs repeats another event."""
    return name.startswith("guard.")


def usage_of(name: str, data: Mapping[str, Any]) -> Attributes:
    """The token counts in `data.usage` or LangChain's `data.token_usage`; empty where none are.

    What a guard says repeats another event's. The input includes cached tokens and the output
    reasoning, as the conventions want it: Anthropic's input does not, which its names or the total
    show.
    """
    usage = data.get("usage") or data.get("token_usage")
    if not isinstance(usage, dict) or is_guard(name):
        return {}
    found: dict[str, int] = {}
    for counted, places in _COUNTS.items():
        count = next(filter(None, (_count(usage, place) for place in places)), 0)
        if count:
            found[counted] = count
    cached = sum(found.get(part, 0) for part in _CACHED)
    said = found.get(semconv.USAGE_INPUT_TOKENS, 0)
    total = _count(usage, ("total_tokens",))
    apart = (
        total == said + found.get(semconv.USAGE_OUTPUT_TOKENS, 0) + cached
        if total
        else not {"cache_read_input_tokens", "cache_creation_input_tokens"}.isdisjoint(usage)
    )
    if cached and (apart or cached > said):
        found[semconv.USAGE_INPUT_TOKENS] = said + cached
    return dict(found)


def _count(usage: Mapping[str, Any], place: tuple[str, ...]) -> int:
    value: Any = usage
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    return int(value) if whole and 0 < value < _MOST_TOKENS else 0


def is_model_call(kind: str, name: str, usage: Attributes) -> bool:
    """Tell whether a line reports what a model call used, which the span around one does not."""
    return bool(usage) or (kind == "event" and name in _CALL_EVENTS)


def own_cost(kind: str, name: str, data: Mapping[str, Any], stated: float | None) -> object:
    """What a line says it cost, not checked yet: `cost_usd`, or that in an event's data.

    LangChain's handler and old releases put it there. As in agentguard47's own sums, a guard's
    verdict counts with its `cost_usd` alone: its data repeats the call that tripped it.
    """
    if stated is not None or kind != "event" or is_guard(name):
        return stated
    return data.get("cost_usd")


def attributes_of(
    kind: str, name: str, data: Mapping[str, Any], call: Attributes | None
) -> Attributes:
    """All that a line's name and data say, as span attributes; `call` is the usage of a call."""
    found: Attributes = {}
    for key, value in data.items():
        known = _DATA.get(key)
        if known is not None and known not in found and value is not None:
            found[known] = value if isinstance(value, str) else _text(value)
        elif isinstance(value, str | bool | float) or _is_int64(value):
            found[f"agentguard47.data.{key}"] = value
        elif value is not None:
            found[f"agentguard47.data.{key}"] = _text(value)
    found.update(_operation(kind, name, data, call))
    return found


def _operation(
    kind: str, name: str, data: Mapping[str, Any], call: Attributes | None
) -> Iterator[tuple[str, str | int | float | bool]]:
    first, _, rest = name.partition(".")
    if call is not None:
        yield semconv.OPERATION_NAME, semconv.CHAT
        yield from call.items()
    elif kind == "event" and is_guard(name):
        yield from _verdict(rest, data)
    elif tool := _tool(kind, name, data):
        yield semconv.OPERATION_NAME, semconv.EXECUTE_TOOL
        yield semconv.TOOL_NAME, tool
        arguments = {key: value for key, value in data.items() if key not in ("tool", "output")}
        if arguments:
            yield semconv.TOOL_CALL_ARGUMENTS, _text(arguments)
    elif kind == "span" and first == "agent":
        yield semconv.OPERATION_NAME, semconv.INVOKE_AGENT
        yield semconv.AGENT_NAME, rest or first
    elif kind == "span" and first in _WORKFLOWS:
        yield semconv.OPERATION_NAME, semconv.INVOKE_WORKFLOW


def _tool(kind: str, name: str, data: Mapping[str, Any]) -> str:
    """The tool that a line is a call of; empty for what merely tells about one."""
    first, _, rest = name.partition(".")
    if first == "step" and kind == "span":
        return str(data.get("tool") or "")
    if first != "tool" or (kind == "event" and name in _ABOUT_TOOLS):
        return ""
    if name == "tool.call":
        return str(data.get("tool_name") or rest)
    return rest or str(data.get("tool_name") or "")


def _verdict(what: str, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield semconv.OPERATION_NAME, semconv.GUARD
    yield semconv.GUARD_NAME, next((guard for guard in _GUARDS if what.startswith(guard)), what)
    reason = str(data.get("message") or data.get("error") or what)
    yield semconv.GUARD_REASON, reason
    if what.endswith("warning"):
        yield semconv.GUARD_ACTION, "warn"
    else:
        yield semconv.GUARD_ACTION, "stop"
        yield semconv.STOP_REASON, reason


def _is_int64(value: object) -> bool:
    return isinstance(value, int) and -(2**63) <= value < 2**63


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)

"""The span of a model call, made at its client's edge where nobody else's stands for it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import Span, SpanKind

from agentguard import semconv
from agentguard.answer_attributes import answer_attributes
from agentguard.content import to_messages, to_text
from agentguard.inheritance import hand_down, inherited
from agentguard.runtime import runtime
from agentguard.span_attributes import add_attributes
from agentguard.span_scope import record_error

if TYPE_CHECKING:
    from agentguard.boundary.request import Asked
    from agentguard.guards.call import Call

__all__ = ["begin_span", "end_span"]

log = logging.getLogger("agentguard")

_OPERATIONS: Final = {"llm": semconv.CHAT, "embedding": semconv.EMBEDDINGS}

# Of a request's body: the attribute, and the type that its value has to be of.
_PARAMETERS: Final[Mapping[str, tuple[str, type | tuple[type, ...]]]] = {
    "temperature": (semconv.REQUEST_TEMPERATURE, (int, float)),
    "top_p": (semconv.REQUEST_TOP_P, (int, float)),
    "top_k": (semconv.REQUEST_TOP_K, (int, float)),
    "seed": (semconv.REQUEST_SEED, int),
    "stream": (semconv.REQUEST_STREAM, bool),
    "n": (semconv.REQUEST_CHOICE_COUNT, int),
    "frequency_penalty": (semconv.REQUEST_FREQUENCY_PENALTY, (int, float)),
    "presence_penalty": (semconv.REQUEST_PRESENCE_PENALTY, (int, float)),
    "dimensions": (semconv.EMBEDDINGS_DIMENSION_COUNT, int),
}


def begin_span(asked: Asked) -> Span | None:
    """Start the span, in the current context; None where it cannot be made."""
    try:
        operation = _OPERATIONS[asked.kind]
        attributes: dict[str, Any] = {
            semconv.OPERATION_NAME: operation,
            semconv.PROVIDER_NAME: asked.provider,
        }
        if asked.model is not None:
            attributes[semconv.REQUEST_MODEL] = asked.model
        if asked.max_tokens is not None:
            attributes[semconv.REQUEST_MAX_TOKENS] = asked.max_tokens
        _add_parameters(attributes, asked.body)
        if asked.host:
            attributes[semconv.SERVER_ADDRESS] = asked.host
            if asked.port:
                attributes[semconv.SERVER_PORT] = asked.port
        if runtime.capture_content:
            _add_content(attributes, asked)
        name = f"{operation} {asked.model}" if asked.model else operation
        span = runtime.tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        shared = inherited()
        if shared:
            hand_down(span, shared)
    except Exception:
        log.debug("A model call could not be traced", exc_info=True)
        return None
    return span


def end_span(span: Span, call: Call, error: BaseException | None = None) -> None:
    """Write what came back, or what went wrong, and end the span. Raises nothing."""
    try:
        if span.is_recording():
            add_attributes(span, answer_attributes(call))
            if error is not None:
                record_error(span, error)
    except Exception:
        log.debug("An answer could not be recorded", exc_info=True)
    span.end()


def _add_parameters(attributes: dict[str, Any], body: Mapping[str, Any]) -> None:
    for name, value in body.items():
        known = _PARAMETERS.get(name)
        if known is not None and isinstance(value, known[1]):
            attributes[known[0]] = value
    stop = body.get("stop") or body.get("stop_sequences")
    if isinstance(stop, str):
        attributes[semconv.REQUEST_STOP_SEQUENCES] = (stop,)
    elif isinstance(stop, list):
        attributes[semconv.REQUEST_STOP_SEQUENCES] = tuple(map(str, stop))


def _add_content(attributes: dict[str, Any], asked: Asked) -> None:
    limit = runtime.max_content_length
    if asked.kind == "llm":
        attributes[semconv.INPUT_MESSAGES] = to_messages(asked.content, "user", limit)
        tools = asked.body.get("tools")
        if tools:
            attributes[semconv.TOOL_DEFINITIONS] = to_text(tools, limit)
    else:
        attributes[semconv.INPUT_VALUE] = to_text(asked.content, limit)

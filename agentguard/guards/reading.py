"""What a span says of the operation that it stands for, in any of the three vocabularies."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Final, NamedTuple

from agentguard import semconv
from agentguard.guards.call import Call, Kind
from agentguard.guards.usage import usage_of
from agentguard.vocabulary import read

__all__ = ["Description", "describe", "finish", "kind_at_start"]

_OPENINFERENCE: Final[Mapping[object, Kind]] = {
    "LLM": "llm",
    "DECISION": "llm",
    "EMBEDDING": "embedding",
    "RETRIEVER": "retrieval",
    "RERANKER": "retrieval",
    "TOOL": "tool",
    "AGENT": "agent",
    "CHAIN": "workflow",
}
_OPERATIONS: Final[Mapping[object, Kind]] = {
    "chat": "llm",
    "text_completion": "llm",
    "generate_content": "llm",
    "responses": "llm",
    "completion": "llm",
    "llm_request": "llm",
    "embeddings": "embedding",
    "retrieval": "retrieval",
    "vector_db_retrieve": "retrieval",
    "execute_tool": "tool",
    "invoke_agent": "agent",
    "create_agent": "agent",
    "invoke_workflow": "workflow",
    "execute_task": "workflow",
}
_TRACELOOP: Final[Mapping[object, Kind]] = {
    "workflow": "workflow",
    "task": "workflow",
    "agent": "agent",
    "tool": "tool",
}
_REQUEST_TYPES: Final[Mapping[object, Kind]] = {
    "chat": "llm",
    "completion": "llm",
    "embedding": "embedding",
    "rerank": "retrieval",
}
# By the conventions a span is called `{operation} {what}`; Traceloop's `{client}.{operation}` says
# so before its attributes do.
_NAMES: Final[Mapping[str, Kind]] = {
    "chat": "llm",
    "text_completion": "llm",
    "generate_content": "llm",
    "embeddings": "embedding",
    "execute_tool": "tool",
    "invoke_agent": "agent",
    "openai.chat": "llm",
    "openai.completion": "llm",
    "openai.response": "llm",
    "openai.embeddings": "embedding",
    "anthropic.chat": "llm",
    "anthropic.completion": "llm",
}


class Description(NamedTuple):
    """What `Call` takes. `arguments` and `content` are None, text, or make what they stand for."""

    name: str
    provider: str | None
    model: str | None
    max_tokens: int | None
    arguments: Callable[[], object] | object
    content: Callable[[], object] | object


def kind_at_start(name: str, attributes: Mapping[str, object]) -> Kind | None:
    """The kind of operation, from what is known when a span starts; None for any other span.

    The rules are those by which the store finds the kind of a span, and the span's name where no
    attribute says it.
    """
    if attributes:
        said = attributes.get("openinference.span.kind")
        if said is not None:
            return _OPENINFERENCE.get(said)
        said = attributes.get(semconv.OPERATION_NAME)
        if said is not None:
            kind = _OPERATIONS.get(said)
            if kind is None and said != semconv.GUARD and semconv.REQUEST_MODEL in attributes:
                return "llm"
            return kind
        said = attributes.get("traceloop.span.kind")
        if said is not None:
            return _TRACELOOP.get(said)
        said = attributes.get("llm.request.type")
        if said is not None:
            return _REQUEST_TYPES.get(said)
    return _NAMES.get(name.partition(" ")[0])


def describe(kind: Kind, name: str, attributes: Mapping[str, object]) -> Description:
    """What the span says at its start of an operation of that kind."""
    said = read(attributes)
    if kind not in ("llm", "embedding"):
        arguments = said.get("tool_arguments") or said.get("input") if kind == "tool" else None
        called = _called(kind, name, said)
        return Description(called, _provider(said), None, None, _json(arguments), None)
    model, most = said.get("request_model"), attributes.get(semconv.REQUEST_MAX_TOKENS)
    if "invocation_parameters" in said:
        parameters = _parsed(said["invocation_parameters"])
        if isinstance(parameters, dict):
            most = most or parameters.get("max_completion_tokens") or parameters.get("max_tokens")
            model = model or parameters.get("model")
    model = model or said.get("response_model")
    return Description(
        str(model) if model else name.partition(" ")[2] or name,
        _provider(said),
        str(model) if model else None,
        int(most) if isinstance(most, int | float) else None,
        None,
        _json(said.get("input")),
    )


def finish(call: Call, attributes: Mapping[str, object], scope: str = "") -> None:
    """Fill in what an ended span says of the call, where the call's boundary knew no better.

    `scope` is the name of the instrumentation scope.
    """
    if not call.is_model_call:
        if call.output is None:
            call.output = _output(attributes)
        return
    said = read(attributes)
    if call.provider is None:
        call.provider = _provider(said)
    answered_by = said.get("response_model") or said.get("request_model")
    if answered_by:
        call.model = str(answered_by)
    if call.usage is None:
        call.usage = usage_of(said, call.provider or "", scope)
    if call.cost is None and "stated_cost" in said:
        call.cost = _amount(said["stated_cost"])
    if call.output is None:
        call.output = _output(attributes)


def _provider(said: Mapping[str, object]) -> str | None:
    name = said.get("provider") or said.get("system")
    return str(name).lower() if name else None


def _called(kind: Kind, name: str, said: Mapping[str, object]) -> str:
    """The name of a tool, an agent or a step."""
    # An agent's name is handed down to the spans inside: only on its own span is it its own.
    own = (said.get(kind) if kind in ("tool", "agent") else None) or said.get("entity")
    if own:
        return str(own)
    first_word, _, rest = name.partition(" ")
    return rest if rest and first_word in _OPERATIONS else name


def _output(attributes: Mapping[str, object]) -> object:
    for name in (
        semconv.OUTPUT_MESSAGES,
        semconv.TOOL_CALL_RESULT,
        "traceloop.entity.output",
        semconv.OUTPUT_VALUE,
    ):
        said = attributes.get(name)
        if said is not None:
            return said
    return None


def _amount(said: object) -> Decimal | None:
    if isinstance(said, bool) or not isinstance(said, int | float | str):
        return None
    try:
        amount = Decimal(str(said))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None


def _json(said: object) -> Callable[[], object] | object:
    """What is said, taken apart only when somebody looks at it."""
    return partial(_parsed, said) if isinstance(said, str) else said


def _parsed(said: object) -> object:
    """What the JSON stands for; what is said itself where it is none."""
    if not isinstance(said, str) or said[:1] not in ("{", "["):
        return said
    try:
        return json.loads(said)
    except ValueError:
        return said

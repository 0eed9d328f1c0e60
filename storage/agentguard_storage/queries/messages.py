"""What was said in a span: its messages, in one form for all three vocabularies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from agentguard import semconv
from agentguard_storage.queries import message_forms as forms
from agentguard_storage.queries.contents import SpanEvent
from agentguard_storage.queries.message_forms import Message, Part
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.span_rows import SpanRow
from agentguard_storage.queries.trace import get_span

__all__ = ["Message", "Part", "SpanMessages", "messages_of", "span_messages"]


@dataclass(frozen=True, slots=True)
class SpanMessages:
    """What went into a span and what came out.

    System instructions are the first of `input`, with the role `system`. The arguments of a tool
    are a `tool_call` in `input`, its result a `tool_call_response` in `output`. `left_out` counts
    messages at the beginning of `input` that were not wanted.
    """

    input: list[Message] = field(default_factory=list)
    output: list[Message] = field(default_factory=list)
    left_out: int = 0


# The event that carries messages where a span shall not:
# https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-events.md
_DETAILS: Final = "gen_ai.client.inference.operation.details"
_ARGUMENTS: Final = (
    semconv.TOOL_CALL_ARGUMENTS,
    semconv.INPUT_VALUE,
    "traceloop.entity.input",
    "tool.parameters",
)
_RESULTS: Final = (semconv.TOOL_CALL_RESULT, semconv.OUTPUT_VALUE, "traceloop.entity.output")


def span_messages(
    reader: Reader,
    trace_id: str,
    span_id: str,
    *,
    limit: int | None = None,
    newest: int | None = None,
) -> SpanMessages | None:
    """Return what was said in a span; None where the project has none such.

    `limit` and `newest` are those of `messages_of`.
    """
    span = get_span(reader, trace_id, span_id)
    return None if span is None else messages_of(span, limit=limit, newest=newest)


def messages_of(
    span: SpanRow, *, limit: int | None = None, newest: int | None = None
) -> SpanMessages:
    """Return what was said in a span that was read with its contents.

    Texts are cut after `limit` characters, and `Part.length` says how long they were; of the input,
    the `newest` messages are kept, system instructions aside. Whatever cannot be read as messages
    is one text, as it is.
    """
    said = _attributes(span.attributes, span.events)
    found = _of_a_tool(span, said) if span.kind == "tool" else _of_a_model(said)
    if newest is not None:
        found = _newest(found, newest)
    return found if limit is None else _cut(found, limit)


def _attributes(
    attributes: Mapping[str, object], events: Sequence[SpanEvent]
) -> Mapping[str, object]:
    of_events = [event.attributes for event in events if event.name == _DETAILS]
    if not of_events:
        return attributes
    return {name: value for each in (*of_events, attributes) for name, value in each.items()}


def _of_a_model(said: Mapping[str, object]) -> SpanMessages:
    instructions = forms.instructions(said.get(semconv.SYSTEM_INSTRUCTIONS))
    incoming = (
        forms.parsed(said.get(semconv.INPUT_MESSAGES))
        or forms.openinference(said, "llm.input_messages")
        or forms.traceloop(said, "gen_ai.prompt")
        or forms.plain_text(said, (semconv.INPUT_VALUE, "traceloop.entity.input"), "")
        or forms.plain_text(said, (semconv.RETRIEVAL_QUERY_TEXT,), "user")
    )
    outgoing = (
        forms.parsed(said.get(semconv.OUTPUT_MESSAGES))
        or forms.openinference(said, "llm.output_messages")
        or forms.traceloop(said, "gen_ai.completion")
        or forms.documents(said)
        or forms.plain_text(said, (semconv.OUTPUT_VALUE, "traceloop.entity.output"), "")
    )
    return SpanMessages(instructions + incoming, outgoing)


def _of_a_tool(span: SpanRow, said: Mapping[str, object]) -> SpanMessages:
    call_id = forms.text_of(said.get(semconv.TOOL_CALL_ID))
    asked = next((said[name] for name in _ARGUMENTS if name in said), None)
    told = next((said[name] for name in _RESULTS if name in said), None)
    tool = span.tool or span.name
    incoming, outgoing = [], []
    if asked is not None:
        call = Part.of("tool_call", asked, tool=tool, call_id=call_id)
        incoming.append(Message("assistant", [call]))
    if told is not None:
        response = Part.of("tool_call_response", told, tool=tool, call_id=call_id)
        outgoing.append(Message("tool", [response]))
    return SpanMessages(incoming, outgoing)


def _newest(said: SpanMessages, newest: int) -> SpanMessages:
    first = 0
    while first < len(said.input) and said.input[first].role in ("system", "developer"):
        first += 1
    kept = max(len(said.input) - max(newest, 0), first)
    return replace(said, input=said.input[:first] + said.input[kept:], left_out=kept - first)


def _cut(said: SpanMessages, limit: int) -> SpanMessages:
    def shorter(messages: list[Message]) -> list[Message]:
        return [
            replace(
                message, parts=[replace(part, text=part.text[:limit]) for part in message.parts]
            )
            for message in messages
        ]

    return replace(said, input=shorter(said.input), output=shorter(said.output))

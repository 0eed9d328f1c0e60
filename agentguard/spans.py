"""Spans by the GenAI semantic conventions, as context managers.

    with agentguard.chat_span("gpt-5", provider="openai") as chat:
        answer = client.responses.create(...)
        chat.record_usage(input_tokens=900, output_tokens=40, cache_read=512)

Inside the `with` block the span is the current one, in this thread and this async task. An
exception is recorded on the span and goes on unchanged. Names and attributes are listed in
`agentguard.semconv`, with their sources.
"""

import time
from collections.abc import Sequence
from functools import partial

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from agentguard import semconv
from agentguard.answer_attributes import answer_attributes
from agentguard.content import to_message, to_messages
from agentguard.inheritance import inherited, with_inherited
from agentguard.prices.model import Usage
from agentguard.span_attributes import add_attributes, attributes_of
from agentguard.span_scope import Attributes, SpanScope, present

__all__ = [
    "AgentSpan",
    "ChatSpan",
    "EmbeddingsSpan",
    "RetrievalSpan",
    "TaskSpan",
    "ToolSpan",
    "WorkflowSpan",
    "agent_span",
    "chat_span",
    "embeddings_span",
    "retrieval_span",
    "task_span",
    "tool_span",
    "workflow_span",
]


class ToolSpan(SpanScope):
    """The execution of a tool: `execute_tool {name}`."""

    __slots__ = ()
    operation = "tool"

    def record_input(self, value: object) -> None:
        """Record the arguments of the call."""
        self._record(semconv.TOOL_CALL_ARGUMENTS, value)

    def record_output(self, value: object) -> None:
        """Record the result of the call."""
        self._record(semconv.TOOL_CALL_RESULT, value)


class AgentSpan(SpanScope):
    """The invocation of an agent: `invoke_agent {name}`. Spans inside carry the agent's name."""

    __slots__ = ()
    operation = "agent"

    def _outer(self) -> Context:
        context = super()._outer()
        shared = dict(inherited(context))
        shared.pop(semconv.AGENT_ID, None)
        for key in (semconv.AGENT_NAME, semconv.AGENT_ID):
            if key in self.attributes:
                shared[key] = self.attributes[key]
        return with_inherited(shared, context)

    def record_input(self, value: object) -> None:
        """Record what the agent was asked, as a user's message."""
        self._record(semconv.INPUT_MESSAGES, value, partial(to_message, role="user"))

    def record_output(self, value: object) -> None:
        """Record what the agent answered, as an assistant's message."""
        self._record(semconv.OUTPUT_MESSAGES, value, partial(to_message, role="assistant"))


class WorkflowSpan(SpanScope):
    """A run of several steps or agents: `invoke_workflow {name}`."""

    __slots__ = ()
    operation = "workflow"

    def record_input(self, value: object) -> None:
        """Record what the workflow was given, as a user's message."""
        self._record(semconv.INPUT_MESSAGES, value, partial(to_message, role="user"))

    def record_output(self, value: object) -> None:
        """Record what came of it, as an assistant's message."""
        self._record(semconv.OUTPUT_MESSAGES, value, partial(to_message, role="assistant"))


class TaskSpan(SpanScope):
    """A step of an agent's own work: `task {name}`."""

    __slots__ = ()


class EmbeddingsSpan(SpanScope):
    """A call that turns text into vectors: `embeddings {model}`."""

    __slots__ = ()
    kind = SpanKind.CLIENT
    operation = "embedding"

    def record_usage(self, *, input_tokens: int | None = None) -> None:
        """Record the tokens the provider counted."""
        if self._call is not None:
            self._call.usage = Usage(input=input_tokens or 0)
        self._set({semconv.USAGE_INPUT_TOKENS: input_tokens})


class RetrievalSpan(SpanScope):
    """A search in a data source: `retrieval {data source}`."""

    __slots__ = ()
    kind = SpanKind.CLIENT
    operation = "retrieval"

    def record_input(self, value: object) -> None:
        """Record the query."""
        self._record(semconv.RETRIEVAL_QUERY_TEXT, value)

    def record_output(self, value: object) -> None:
        """Record the documents found, such as `[{"id": "doc-1", "score": 0.95}]`."""
        self._record(semconv.RETRIEVAL_DOCUMENTS, value)


class ChatSpan(SpanScope):
    """A call to a chat model: `chat {model}`."""

    __slots__ = ("_started",)
    kind = SpanKind.CLIENT
    operation = "llm"

    def open(self) -> Context:
        """Start the span, and the clock for the first chunk."""
        self._started = time.perf_counter()
        return super().open()

    def close(self, error: BaseException | None = None) -> None:
        """End the span, with what the model's client told of the answer where nobody else did."""
        call = self._call
        if call is not None and self.span.is_recording():
            if call.span is self.span:
                said = attributes_of(self.span)
                told = answer_attributes(call)
                if not told.keys().isdisjoint(said):
                    told = {key: value for key, value in told.items() if key not in said}
                add_attributes(self.span, told)
            else:
                self.span.set_attribute(semconv.WRAPS_MODEL_CALL, True)
        super().close(error)

    def record_usage(
        self,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cache_read: int | None = None,
        cache_write: int | None = None,
        reasoning: int | None = None,
    ) -> None:
        """Record token counts, the conventions' way.

        `input_tokens` includes those read from and written to a cache, `output_tokens` those
        spent on reasoning: where a provider reports them apart (Anthropic does), add them up.
        """
        if self._call is not None and (input_tokens is not None or output_tokens is not None):
            read, written, thought = cache_read or 0, cache_write or 0, reasoning or 0
            self._call.usage = Usage(
                input=max((input_tokens or 0) - read - written, 0),
                cache_read=read,
                cache_write=written,
                output=max((output_tokens or 0) - thought, 0),
                reasoning=thought,
            )
        self._set(
            {
                semconv.USAGE_INPUT_TOKENS: input_tokens,
                semconv.USAGE_OUTPUT_TOKENS: output_tokens,
                semconv.USAGE_CACHE_READ_INPUT_TOKENS: cache_read,
                semconv.USAGE_CACHE_WRITE_INPUT_TOKENS: cache_write,
                semconv.USAGE_REASONING_OUTPUT_TOKENS: reasoning,
            }
        )

    def record_response(
        self,
        *,
        model: str | None = None,
        id: str | None = None,  # noqa: A002 - the conventions' word
        finish_reasons: Sequence[str] | None = None,
    ) -> None:
        """Record what the response says of itself; `finish_reasons` has one per choice."""
        if self._call is not None and model is not None:
            self._call.model = model
        self._set(
            {
                semconv.RESPONSE_MODEL: model,
                semconv.RESPONSE_ID: id,
                semconv.RESPONSE_FINISH_REASONS: finish_reasons,
            }
        )

    def record_first_chunk(self) -> None:
        """Record that the first chunk of a streamed response arrived now."""
        elapsed = time.perf_counter() - self._started
        self.span.set_attribute(semconv.RESPONSE_TIME_TO_FIRST_CHUNK, elapsed)

    def record_messages(
        self,
        *,
        input: object = None,  # noqa: A002 - the conventions' word
        output: object = None,
        system: object = None,
    ) -> None:
        """Record the conversation. Kept only when content is captured.

        `input` and `output` are strings or messages, one or several; a message is either
        `{"role", "content"}` or the conventions' `{"role", "parts"}`. `system` is text.
        """
        if input is not None:
            self._record(semconv.INPUT_MESSAGES, input, partial(to_messages, role="user"))
        if output is not None:
            self._record(semconv.OUTPUT_MESSAGES, output, partial(to_messages, role="assistant"))
        if system is not None:
            parts = [{"type": "text", "content": system}] if isinstance(system, str) else system
            self._record(semconv.SYSTEM_INSTRUCTIONS, parts)

    def record_input(self, value: object) -> None:
        """Record the messages sent."""
        self.record_messages(input=value)

    def record_output(self, value: object) -> None:
        """Record the messages received."""
        self.record_messages(output=value)


def agent_span(
    name: str,
    *,
    id: str | None = None,  # noqa: A002 - the conventions' word
    description: str | None = None,
    attributes: Attributes | None = None,
) -> AgentSpan:
    """A span for one invocation of the agent."""
    described = {
        semconv.OPERATION_NAME: semconv.INVOKE_AGENT,
        semconv.AGENT_NAME: name,
        semconv.AGENT_ID: id,
        semconv.AGENT_DESCRIPTION: description,
    }
    return AgentSpan(f"{semconv.INVOKE_AGENT} {name}", present(described, attributes))


def tool_span(
    name: str,
    *,
    call_id: str | None = None,
    type: str = "function",  # noqa: A002 - the conventions' word
    description: str | None = None,
    attributes: Attributes | None = None,
) -> ToolSpan:
    """A span for one execution of the tool.

    `call_id` is the id the model gave its request for the call; `type` is `function`,
    `extension` or `datastore`.
    """
    described = {
        semconv.OPERATION_NAME: semconv.EXECUTE_TOOL,
        semconv.TOOL_NAME: name,
        semconv.TOOL_TYPE: type,
        semconv.TOOL_CALL_ID: call_id,
        semconv.TOOL_DESCRIPTION: description,
    }
    return ToolSpan(f"{semconv.EXECUTE_TOOL} {name}", present(described, attributes))


def task_span(name: str, *, attributes: Attributes | None = None) -> TaskSpan:
    """A span for a step of an agent's own work."""
    return TaskSpan(f"task {name}", present({semconv.TASK_NAME: name}, attributes))


def workflow_span(name: str, *, attributes: Attributes | None = None) -> WorkflowSpan:
    """A span for one run of a workflow: a graph, a crew, a team, a chain of steps."""
    described = {semconv.OPERATION_NAME: semconv.INVOKE_WORKFLOW, semconv.WORKFLOW_NAME: name}
    return WorkflowSpan(f"{semconv.INVOKE_WORKFLOW} {name}", present(described, attributes))


def chat_span(
    model: str,
    *,
    provider: str,
    temperature: float | None = None,
    top_p: float | None = None,
    max_tokens: int | None = None,
    attributes: Attributes | None = None,
) -> ChatSpan:
    """A span for one call to a chat model. `provider` is such as `openai` or `anthropic`."""
    described: dict[str, AttributeValue] = {
        semconv.OPERATION_NAME: semconv.CHAT,
        semconv.PROVIDER_NAME: provider,
        semconv.REQUEST_MODEL: model,
    }
    if temperature is not None:
        described[semconv.REQUEST_TEMPERATURE] = temperature
    if top_p is not None:
        described[semconv.REQUEST_TOP_P] = top_p
    if max_tokens is not None:
        described[semconv.REQUEST_MAX_TOKENS] = max_tokens
    if attributes:
        described |= attributes
    return ChatSpan(f"{semconv.CHAT} {model}", described)


def embeddings_span(
    model: str, *, provider: str, attributes: Attributes | None = None
) -> EmbeddingsSpan:
    """A span for one call to an embedding model."""
    described = {
        semconv.OPERATION_NAME: semconv.EMBEDDINGS,
        semconv.PROVIDER_NAME: provider,
        semconv.REQUEST_MODEL: model,
    }
    return EmbeddingsSpan(f"{semconv.EMBEDDINGS} {model}", present(described, attributes))


def retrieval_span(data_source: str, *, attributes: Attributes | None = None) -> RetrievalSpan:
    """A span for one search in the data source."""
    described = {
        semconv.OPERATION_NAME: semconv.RETRIEVAL,
        semconv.DATA_SOURCE_ID: data_source,
    }
    return RetrievalSpan(f"{semconv.RETRIEVAL} {data_source}", present(described, attributes))

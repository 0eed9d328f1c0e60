"""The attribute names AgentGuard writes and reads.

`gen_ai.*` names follow OpenTelemetry's GenAI semantic conventions:

- attributes: https://github.com/open-telemetry/semantic-conventions-genai
- spans: https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-spans.md
- agents: https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-agent-spans.md

General names come from https://opentelemetry.io/docs/specs/semconv/, and `input.value` with
`output.value` from OpenInference
(https://arize-ai.github.io/openinference/spec/attributes/semantic-conventions.html).
They are spelled out here because importing `opentelemetry.semconv` costs more than it saves.
"""

from typing import Final

# Operations: the values of `gen_ai.operation.name`.
CHAT: Final = "chat"
EMBEDDINGS: Final = "embeddings"
EXECUTE_TOOL: Final = "execute_tool"
INVOKE_AGENT: Final = "invoke_agent"
INVOKE_WORKFLOW: Final = "invoke_workflow"
RETRIEVAL: Final = "retrieval"

OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
WORKFLOW_NAME: Final = "gen_ai.workflow.name"

AGENT_NAME: Final = "gen_ai.agent.name"
AGENT_ID: Final = "gen_ai.agent.id"
AGENT_DESCRIPTION: Final = "gen_ai.agent.description"

TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_DESCRIPTION: Final = "gen_ai.tool.description"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_CALL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_CALL_RESULT: Final = "gen_ai.tool.call.result"

REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
REQUEST_TOP_P: Final = "gen_ai.request.top_p"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_TOP_K: Final = "gen_ai.request.top_k"
REQUEST_SEED: Final = "gen_ai.request.seed"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_CHOICE_COUNT: Final = "gen_ai.request.choice.count"
REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
REQUEST_STOP_SEQUENCES: Final = "gen_ai.request.stop_sequences"
EMBEDDINGS_DIMENSION_COUNT: Final = "gen_ai.embeddings.dimension.count"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"

# Input tokens include those read from and written to a cache; output tokens include reasoning.
USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
USAGE_CACHE_READ_INPUT_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
USAGE_CACHE_WRITE_INPUT_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
USAGE_REASONING_OUTPUT_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"

INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"

DATA_SOURCE_ID: Final = "gen_ai.data_source.id"
RETRIEVAL_QUERY_TEXT: Final = "gen_ai.retrieval.query.text"
RETRIEVAL_DOCUMENTS: Final = "gen_ai.retrieval.documents"

INPUT_VALUE: Final = "input.value"
OUTPUT_VALUE: Final = "output.value"

SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"
SESSION_ID: Final = "session.id"
USER_ID: Final = "user.id"
SERVICE_NAME: Final = "service.name"
DEPLOYMENT_ENVIRONMENT_NAME: Final = "deployment.environment.name"

RUN_ID: Final = "agentguard.run.id"
RUN_NAME: Final = "agentguard.run.name"
RUN_TAGS: Final = "agentguard.run.tags"
TASK_NAME: Final = "agentguard.task.name"
RUN_GOAL: Final = "agentguard.run.goal"
RUN_OUTCOME: Final = "agentguard.run.outcome"

# The values of `agentguard.run.outcome`.
COMPLETED: Final = "completed"
FAILED: Final = "failed"
STOPPED: Final = "stopped"

WRAPS_MODEL_CALL: Final = "agentguard.wraps_model_call"
"""True on a span around a model call that has a span of its own inside: tokens and cost are counted
there and not here."""

# A guard's verdict: on a span of its own (operation `guard`), and on the root span of the run.
GUARD: Final = "guard"
GUARD_NAME: Final = "agentguard.guard.name"
GUARD_ACTION: Final = "agentguard.guard.action"
GUARD_REASON: Final = "agentguard.guard.reason"
GUARD_LIMIT: Final = "agentguard.guard.limit"
GUARD_USED: Final = "agentguard.guard.used"
GUARD_UNIT: Final = "agentguard.guard.unit"
GUARD_CALL: Final = "agentguard.guard.call"
STOP_REASON: Final = "agentguard.stop.reason"

"""Token usage as real instrumentors report it, with the disjoint counts each report means.

Three API calls, one per provider, each seen through every vocabulary. Every case names the code
that makes the attributes; `tests/interop/test_interop_usage.py` runs those that run offline.

Raw usage of the calls:

- OpenAI: prompt 1000 of which cached 640; completion 300 of which reasoning 200.
  https://platform.openai.com/docs/guides/prompt-caching and /reasoning
- Anthropic: input 50, cache creation 200, cache read 750 (each beside the others); output 300 of
  which thinking 120. https://docs.claude.com/en/docs/build-with-claude/prompt-caching
- Gemini: prompt 1000 of which cached 600; candidates 180, thoughts 120 beside them; total 1300.
  https://ai.google.dev/api/generate-content#UsageMetadata

OTel's conventions count cached tokens in `gen_ai.usage.input_tokens` and reasoning tokens in
`gen_ai.usage.output_tokens`:
https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-spans.md
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Disjoint:
    """Token counts of which no token is in two; together they are what was billed."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """All tokens."""
        return self.input + self.cache_read + self.cache_write + self.output + self.reasoning


@dataclass(frozen=True)
class UsageCase:
    """The usage attributes of one span, and what they mean."""

    id: str
    vocabulary: str
    provider: str
    scope: str
    attributes: Mapping[str, str | int]
    expected: Disjoint
    source: str
    kind: str = "llm"


OPENAI = Disjoint(input=360, cache_read=640, output=100, reasoning=200)
ANTHROPIC = Disjoint(input=50, cache_read=750, cache_write=200, output=180, reasoning=120)
ANTHROPIC_WITHOUT_THINKING = Disjoint(input=50, cache_read=750, cache_write=200, output=300)
GEMINI = Disjoint(input=400, cache_read=600, output=180, reasoning=120)

_GENAI = "gen_ai.usage."
_OI = "llm.token_count."
_CHAT = {"gen_ai.operation.name": "chat"}
_LLM = {"openinference.span.kind": "LLM"}


def _genai(provider: str, **attributes: int) -> dict[str, str | int]:
    named = {_GENAI + name.replace("__", "."): value for name, value in attributes.items()}
    return _CHAT | {"gen_ai.provider.name": provider} | named


def _openinference(provider: str, **attributes: int) -> dict[str, str | int]:
    named = {_OI + name.replace("__", "."): value for name, value in attributes.items()}
    return _LLM | {"llm.system": provider} | named


CASES = [
    UsageCase(
        id="genai-openai",
        vocabulary="genai",
        provider="openai",
        scope="opentelemetry.instrumentation.genai.openai",
        attributes=_genai(
            "openai",
            input_tokens=1000,
            output_tokens=300,
            cache_read__input_tokens=640,
            reasoning__output_tokens=200,
        ),
        expected=OPENAI,
        source="opentelemetry-instrumentation-genai-openai 1.3b0 utils.py set_chat_usage",
    ),
    UsageCase(
        id="genai-anthropic",
        vocabulary="genai",
        provider="anthropic",
        scope="opentelemetry.instrumentation.genai.anthropic",
        attributes=_genai(
            "anthropic",
            input_tokens=1000,
            output_tokens=300,
            cache_read__input_tokens=750,
            cache_write__input_tokens=200,
            reasoning__output_tokens=120,
        ),
        expected=ANTHROPIC,
        source="opentelemetry-instrumentation-genai-anthropic 1.3b0 "
        "messages_extractors.py extract_usage_tokens: adds both cache counts to the input",
    ),
    UsageCase(
        id="genai-anthropic-cache-creation",
        vocabulary="genai",
        provider="anthropic",
        scope="opentelemetry.instrumentation.anthropic",
        attributes=_genai(
            "anthropic",
            input_tokens=1000,
            output_tokens=300,
            cache_read__input_tokens=750,
            cache_creation__input_tokens=200,
        ),
        expected=ANTHROPIC_WITHOUT_THINKING,
        source="semantic conventions 1.40: cache_creation, which 1.3b0 of util-genai renamed",
    ),
    UsageCase(
        id="genai-anthropic-raw",
        vocabulary="genai",
        provider="anthropic",
        scope="my.own.wrapper",
        attributes=_genai(
            "anthropic",
            input_tokens=50,
            output_tokens=300,
            cache_read__input_tokens=750,
            cache_creation__input_tokens=200,
        ),
        expected=ANTHROPIC_WITHOUT_THINKING,
        source="Anthropic's usage copied as it is; pydantic/logfire PR 1812 fixed such a case. "
        "More cached than input tokens cannot be inclusive",
    ),
    UsageCase(
        id="genai-gemini",
        vocabulary="genai",
        provider="gcp.gemini",
        scope="opentelemetry.instrumentation.google_genai",
        attributes=_genai(
            "gcp.gemini",
            input_tokens=1000,
            output_tokens=300,
            cache_read__input_tokens=600,
            reasoning__output_tokens=120,
        ),
        expected=GEMINI,
        source="opentelemetry-instrumentation-google-genai 1.3b0 generate_content.py: "
        "adds thoughts to candidates",
    ),
    UsageCase(
        id="genai-old-names",
        vocabulary="genai",
        provider="openai",
        scope="opentelemetry.instrumentation.openai_v2",
        attributes=_CHAT
        | {
            "gen_ai.system": "openai",
            "gen_ai.usage.prompt_tokens": 1000,
            "gen_ai.usage.completion_tokens": 300,
        },
        expected=Disjoint(input=1000, output=300),
        source="semantic conventions 1.26 and before",
    ),
    UsageCase(
        id="openinference-openai",
        vocabulary="openinference",
        provider="openai",
        scope="openinference.instrumentation.openai",
        attributes=_openinference(
            "openai",
            total=1300,
            prompt=1000,
            completion=300,
            prompt_details__cache_read=640,
            prompt_details__audio=0,
            completion_details__reasoning=200,
            completion_details__audio=0,
        ),
        expected=OPENAI,
        source="openinference-instrumentation-openai 0.1.66 "
        "_response_attributes_extractor.py _get_attributes_from_completion_usage",
    ),
    UsageCase(
        id="openinference-anthropic",
        vocabulary="openinference",
        provider="anthropic",
        scope="openinference.instrumentation.anthropic",
        attributes=_openinference(
            "anthropic",
            total=1300,
            prompt=1000,
            completion=300,
            prompt_details__cache_read=750,
            prompt_details__cache_write=200,
            completion_details__reasoning=120,
        ),
        expected=ANTHROPIC,
        source="openinference-instrumentation-anthropic 3.1.0 _utils.py _get_token_counts",
    ),
    UsageCase(
        id="openinference-anthropic-raw",
        vocabulary="openinference",
        provider="anthropic",
        scope="openinference.instrumentation.anthropic",
        attributes=_openinference(
            "anthropic",
            prompt=50,
            completion=300,
            prompt_details__cache_read=750,
            prompt_details__cache_write=200,
        ),
        expected=ANTHROPIC_WITHOUT_THINKING,
        source="earlier releases and hand-written spans: input_tokens as Anthropic gives it",
    ),
    UsageCase(
        id="openinference-bedrock-converse",
        vocabulary="openinference",
        provider="anthropic",
        scope="openinference.instrumentation.langchain",
        attributes=_openinference(
            "anthropic",
            total=6300,
            prompt=5000,
            completion=300,
            prompt_details__cache_read=800,
            prompt_details__cache_write=200,
        ),
        expected=Disjoint(input=5000, cache_read=800, cache_write=200, output=300),
        source="Bedrock Converse: the total says that cached tokens are beside the input, "
        "https://github.com/Arize-ai/openinference/issues/2381",
    ),
    UsageCase(
        id="openinference-gemini",
        vocabulary="openinference",
        provider="google",
        scope="openinference.instrumentation.google_genai",
        attributes=_openinference(
            "google",
            total=1300,
            prompt=1000,
            completion=300,
            prompt_details__cache_read=600,
            completion_details__reasoning=120,
        ),
        expected=GEMINI,
        source="openinference-instrumentation-google-genai 1.4.14 _utils.py",
    ),
    UsageCase(
        id="openinference-embedding",
        vocabulary="openinference",
        provider="openai",
        scope="openinference.instrumentation.openai",
        attributes={
            "openinference.span.kind": "EMBEDDING",
            "llm.system": "openai",
            "llm.token_count.total": 21,
            "llm.token_count.prompt": 21,
        },
        expected=Disjoint(input=21),
        source="openinference-instrumentation-openai 0.1.66 _get_attributes_from_embedding_usage",
        kind="embedding",
    ),
    UsageCase(
        id="traceloop-openai",
        vocabulary="traceloop",
        provider="openai",
        scope="opentelemetry.instrumentation.openai.v1",
        attributes=_genai(
            "openai",
            total_tokens=1300,
            input_tokens=1000,
            output_tokens=300,
            cache_read__input_tokens=640,
            reasoning_tokens=200,
        ),
        expected=OPENAI,
        source="opentelemetry-instrumentation-openai 0.62.4 shared/__init__.py "
        "_set_response_attributes and chat_wrappers.py",
    ),
    UsageCase(
        id="traceloop-openai-streamed",
        vocabulary="traceloop",
        provider="openai",
        scope="opentelemetry.instrumentation.openai.v1",
        attributes=_genai(
            "openai",
            total_tokens=1300,
            input_tokens=1000,
            output_tokens=300,
            cache_read__input_tokens=640,
        ),
        expected=Disjoint(input=360, cache_read=640, output=300),
        source="the same, streamed: reasoning tokens are not reported apart",
    ),
    UsageCase(
        id="traceloop-anthropic",
        vocabulary="traceloop",
        provider="anthropic",
        scope="opentelemetry.instrumentation.anthropic",
        attributes=_genai(
            "anthropic",
            total_tokens=1300,
            input_tokens=1000,
            output_tokens=300,
            cache_read__input_tokens=750,
            cache_creation__input_tokens=200,
        ),
        expected=ANTHROPIC_WITHOUT_THINKING,
        source="opentelemetry-instrumentation-anthropic 0.62.4 __init__.py _set_token_usage",
    ),
    UsageCase(
        id="traceloop-anthropic-old-names",
        vocabulary="traceloop",
        provider="anthropic",
        scope="opentelemetry.instrumentation.anthropic",
        attributes={
            "llm.request.type": "chat",
            "gen_ai.system": "Anthropic",
            "gen_ai.usage.prompt_tokens": 1000,
            "gen_ai.usage.completion_tokens": 300,
            "llm.usage.total_tokens": 1300,
            "gen_ai.usage.cache_read_input_tokens": 750,
            "gen_ai.usage.cache_creation_input_tokens": 200,
        },
        expected=ANTHROPIC_WITHOUT_THINKING,
        source="opentelemetry-semantic-conventions-ai 0.4: names with underscores",
    ),
    UsageCase(
        id="traceloop-bedrock",
        vocabulary="traceloop",
        provider="aws.bedrock",
        scope="opentelemetry.instrumentation.bedrock",
        attributes=_genai(
            "aws.bedrock",
            total_tokens=5300,
            input_tokens=5000,
            output_tokens=300,
            cache_read__input_tokens=800,
            cache_creation__input_tokens=200,
        ),
        expected=Disjoint(input=5000, cache_read=800, cache_write=200, output=300),
        source="opentelemetry-instrumentation-bedrock 0.62.4 span_utils.py "
        "converse_usage_record: Bedrock's inputTokens as they are",
    ),
    UsageCase(
        id="traceloop-gemini",
        vocabulary="traceloop",
        provider="gcp.gen_ai",
        scope="opentelemetry.instrumentation.google_generativeai",
        attributes=_genai(
            "gcp.gen_ai",
            total_tokens=1300,
            input_tokens=1000,
            output_tokens=180,
            cache_read__input_tokens=600,
        ),
        expected=GEMINI,
        source="opentelemetry-instrumentation-google-generativeai 0.62.4 span_utils.py: "
        "candidates alone, so that thoughts are only in the total",
    ),
    UsageCase(
        id="both-vocabularies-on-one-span",
        vocabulary="openinference",
        provider="openai",
        scope="openinference.instrumentation.openai",
        attributes=_openinference(
            "openai",
            prompt=1000,
            completion=300,
            prompt_details__cache_read=640,
            completion_details__reasoning=200,
        )
        | _genai("openai", input_tokens=1000, output_tokens=300, cache_read__input_tokens=640),
        expected=OPENAI,
        source="openinference-instrumentation 0.1.72 _genai_conversion.py writes both",
    ),
    UsageCase(
        id="agent-totals",
        vocabulary="genai",
        provider="openai",
        scope="opentelemetry.util.genai",
        attributes=_genai("openai", input_tokens=5000, output_tokens=900)
        | {"gen_ai.operation.name": "invoke_agent"},
        expected=Disjoint(),
        source="opentelemetry-util-genai 1.3b0 _agent_invocation.py: an agent span repeats the "
        "tokens of the calls below it, which are already counted there",
        kind="agent",
    ),
]

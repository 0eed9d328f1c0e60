"""Plain OpenTelemetry: a program that does not know AgentGuard sends it its model calls.

    export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318
    export OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20YOUR_KEY
    python examples/plain_opentelemetry.py

Needs `openai` and `opentelemetry-instrumentation-genai-openai` (`pip install --pre`: it has no
other release yet). The model is a local server that speaks OpenAI's protocol; with `OpenAI()` in
its place, and OPENAI_API_KEY set, it is the real one.
"""

from typing import Any

from openai import OpenAI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from agentguard.demo.provider import ProviderServer

INSTRUCTIONS = (
    "You are a biologist who is patient with children. Answer in one sentence, with words that a "
    "child of eight knows, and never guess: say so when nobody knows."
)
QUESTIONS = ("Do otters hold hands?", "Why?")


def main() -> None:
    """Hold a conversation of two turns, every call a span of one trace."""
    provider = TracerProvider(resource=Resource.create({"service.name": "plain-opentelemetry"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    tracer = provider.get_tracer(__name__)
    with (
        ProviderServer() as model,
        OpenAI(api_key=model.api_key, base_url=model.base_url) as client,
        tracer.start_as_current_span("conversation"),
    ):
        converse(client)
    provider.shutdown()


def converse(client: OpenAI) -> None:
    """Ask each question with everything that was said before it."""
    history: list[Any] = [{"role": "system", "content": INSTRUCTIONS}]
    for question in QUESTIONS:
        history.append({"role": "user", "content": question})
        reply = client.chat.completions.create(model="gpt-4o-mini", messages=history)
        answer = reply.choices[0].message.content
        history.append({"role": "assistant", "content": answer})
        print(f"{question} {answer}")


if __name__ == "__main__":
    main()

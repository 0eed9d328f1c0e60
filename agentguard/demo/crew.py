"""A small research crew: a planner, two researchers at work in parallel, a writer and a critic.

    python -m agentguard.demo.crew --instrumentor genai --provider-url http://127.0.0.1:9999/v1

The crew's own steps are traced by our decorators, its model calls by the instrumentor of another
project. The provider's key is read from OPENAI_API_KEY; AGENTGUARD_ENDPOINT and
AGENTGUARD_API_KEY say where spans go. Prints one JSON line: `trace_id` and `report`.
"""

import argparse
import asyncio
import json
import sys
from typing import Any

import openai
from openai.types.chat import ChatCompletionSystemMessageParam, ChatCompletionUserMessageParam
from opentelemetry import trace

import agentguard
from agentguard.demo.instrumentors import INSTRUMENTORS, InstrumentorMissingError
from agentguard.demo.library import TOOL_SCHEMAS, Library
from agentguard.demo.script import CRITIC, PLANNER, RESEARCHER, WRITER

__all__ = ["Crew", "main"]

TOPIC = "tracing for AI agents"
_FAST, _THOROUGH = "gpt-4o-mini", "gpt-5-mini"


class Crew:
    """Agents that share a client; `investigate` is the whole of a run."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self._client = client
        self._library = Library(client)

    async def investigate(self, topic: str) -> str:
        """Plans, researches, writes, and revises until the critic accepts; returns the report."""
        questions = await self.plan(topic)
        notes = await asyncio.gather(*(self.research(q) for q in questions))
        history: list[Any] = [_system(WRITER), _user("\n\n".join(notes))]
        report = await self.write(history)
        while not (review := await self.criticise(report)).startswith("ACCEPT"):
            history += [{"role": "assistant", "content": report}, _user(review)]
            report = await self.write(history)
        return report

    @agentguard.agent(name="planner")
    async def plan(self, topic: str) -> list[str]:
        """Questions to research."""
        reply = await self._client.chat.completions.create(
            model=_THOROUGH, messages=[_system(PLANNER), _user(f"Topic: {topic}")]
        )
        questions: list[str] = json.loads(reply.choices[0].message.content or "[]")
        return questions

    @agentguard.agent(name="researcher")
    async def research(self, question: str) -> str:
        """Notes on one question, after as many tool calls as the model wants."""
        history: list[Any] = [_system(RESEARCHER), _user(question)]
        while True:
            reply = await self._client.chat.completions.create(
                model=_FAST, messages=history, tools=TOOL_SCHEMAS
            )
            message = reply.choices[0].message
            history.append(message.model_dump(exclude_none=True))
            if not message.tool_calls:
                return message.content or ""
            for call in message.tool_calls:
                if call.type == "function":
                    result = await self._library.use(call.function.name, call.function.arguments)
                    answer = {"role": "tool", "tool_call_id": call.id, "content": result}
                    history.append(answer)

    @agentguard.agent(name="writer")
    async def write(self, history: list[Any]) -> str:
        """The report, streamed."""
        stream = await self._client.chat.completions.create(
            model=_FAST, messages=history, stream=True, stream_options={"include_usage": True}
        )
        parts = [c.choices[0].delta.content async for c in stream if c.choices]
        return "".join(part or "" for part in parts)

    @agentguard.agent(name="critic")
    async def criticise(self, report: str) -> str:
        """A verdict that starts with ACCEPT or REVISE."""
        reply = await self._client.responses.create(
            model=_THOROUGH, instructions=CRITIC, input=report
        )
        return reply.output_text


def main(arguments: list[str] | None = None) -> int:
    """Runs the crew once; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m agentguard.demo.crew")
    parser.add_argument("--instrumentor", choices=sorted(INSTRUMENTORS), default="genai")
    parser.add_argument("--provider-url", required=True)
    parser.add_argument("--topic", default=TOPIC)
    options = parser.parse_args(arguments)
    # Model calls are traced by the instrumentor that was chosen, and by nobody else.
    tracing = agentguard.init(
        service_name=f"research-crew-{options.instrumentor}", instrument="none"
    )
    try:
        INSTRUMENTORS[options.instrumentor].instrument()
    except InstrumentorMissingError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    line = asyncio.run(_run(options.provider_url, options.topic))
    if not tracing.flush():
        sys.stderr.write(f"not every span could be sent: {tracing.stats}\n")
        return 1
    sys.stdout.write(f"{json.dumps(line)}\n")
    return 0


async def _run(provider_url: str, topic: str) -> dict[str, str]:
    async with openai.AsyncOpenAI(base_url=provider_url) as client:
        with agentguard.run("research"):
            trace_id = trace.get_current_span().get_span_context().trace_id
            report = await Crew(client).investigate(topic)
    return {"trace_id": trace.format_trace_id(trace_id), "report": report}


def _system(text: str) -> ChatCompletionSystemMessageParam:
    return {"role": "system", "content": text}


def _user(text: str) -> ChatCompletionUserMessageParam:
    return {"role": "user", "content": text}


if __name__ == "__main__":
    sys.exit(main())

"""The crew's runaway: a researcher who never finishes, and is stopped.

    python -m agentguard.demo.runaway --ailment stuck --provider-url http://127.0.0.1:9999/v1

It catches every exception and goes on, for a hundred turns, as agents do. For each ailment there is
a guard that stops it. Prints one JSON line: `Runaway`.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import openai
from opentelemetry import trace

import agentguard
from agentguard import BudgetGuard, Guard, LoopGuard, TimeoutGuard
from agentguard.demo.ailments import AILMENTS, TURNS, Ailment, Runaway
from agentguard.demo.instrumentors import INSTRUMENTORS, InstrumentorMissingError
from agentguard.demo.library import TOOL_SCHEMAS
from agentguard.execution.receipt import Receipt

__all__ = ["main"]

_MODEL = "gpt-4o-mini"
_SLOW_S = 0.2
_HUNG_S = 600
_ANSWERED = 2
"""How many searches the library answers before it hangs."""
_CURES: dict[Ailment, Callable[[], Guard]] = {
    "stuck": LoopGuard,
    "greedy": lambda: BudgetGuard(max_cost_usd=0.001),
    "slow": lambda: TimeoutGuard(max_seconds=1.5),
}


class _Researcher:
    def __init__(self, client: openai.AsyncOpenAI, ailment: Ailment) -> None:
        self._client = client
        self._ailment = ailment
        self._searches = 0

    @agentguard.agent(name="researcher")
    async def research(self, question: str) -> None:
        """Search, and search, and search."""
        system = f"You are a researcher who is {self._ailment}."
        history: list[Any] = [
            {"role": "system", "content": system},
            {"role": "user", "content": question},
        ]
        for _ in range(TURNS):
            try:
                history += await self._turn(history)
            except Exception as problem:  # noqa: BLE001 - this is what is wrong with it
                history.append({"role": "user", "content": f"That failed: {problem}. Go on."})

    async def _turn(self, history: list[Any]) -> list[Any]:
        reply = await self._client.chat.completions.create(
            model=_MODEL, messages=history, tools=TOOL_SCHEMAS
        )
        message = reply.choices[0].message
        said: list[Any] = [message.model_dump(exclude_none=True)]
        for call in message.tool_calls or ():
            if call.type == "function":
                found = await self.search_library(**json.loads(call.function.arguments))
                said.append({"role": "tool", "tool_call_id": call.id, "content": found})
        return said

    @agentguard.tool
    async def search_library(self, query: str) -> str:
        """Titles as a JSON array."""
        self._searches += 1
        if self._ailment == "slow":
            await asyncio.sleep(_SLOW_S if self._searches <= _ANSWERED else _HUNG_S)
        return json.dumps([] if self._ailment == "stuck" else [f"Something about {query}"])


def main(arguments: list[str] | None = None) -> int:
    """Lets it run once; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m agentguard.demo.runaway")
    parser.add_argument("--ailment", choices=AILMENTS, required=True)
    parser.add_argument("--instrumentor", choices=sorted(INSTRUMENTORS), default="genai")
    parser.add_argument("--provider-url", required=True)
    options = parser.parse_args(arguments)
    tracing = agentguard.init(service_name="research-crew-runaway")
    try:
        INSTRUMENTORS[options.instrumentor].instrument()
    except InstrumentorMissingError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    line = asyncio.run(_run(options.provider_url, options.ailment))
    if not tracing.flush():
        sys.stderr.write(f"not every span could be sent: {tracing.stats}\n")
        return 1
    sys.stdout.write(f"{json.dumps(asdict(line))}\n")
    return 0


async def _run(provider_url: str, ailment: Ailment) -> Runaway:
    run = agentguard.run(f"runaway, {ailment}", guards=[_CURES[ailment]()])
    trace_id = 0
    async with openai.AsyncOpenAI(base_url=provider_url) as client:
        try:
            with run:
                trace_id = trace.get_current_span().get_span_context().trace_id
                await _Researcher(client, ailment).research("What do otters cost?")
        except agentguard.RunStopped:
            # A deadline cancels what is inside of the run; other stops the runaway swallowed.
            pass
    stop = run.stopped
    if stop is None or run.state is None:
        raise RuntimeError(f"nothing stopped a runaway that is {ailment}")
    receipt = Receipt.of(run.state)
    return Runaway(
        trace.format_trace_id(trace_id),
        ailment,
        stop.guard,
        stop.reason,
        stop.at,
        receipt.calls,
        receipt.refused_calls,
        str(receipt.cost_usd),
        str(receipt.saved_usd),
    )


if __name__ == "__main__":
    sys.exit(main())

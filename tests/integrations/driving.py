"""Runs the runaway agents of one framework, in a Python of its own, and says what became of them.

A module of `runaways` names its forms and calls `main(FORMS)`. Each form is run under each guard,
against a provider of its own, and catches whatever it likes. One JSON line each: `Outcome`.

    python -m tests.integrations.openai_client.runaways [--in-turns] [form[:guard] ...]
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from zlib import crc32

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import agentguard
from agentguard.demo.provider import ProviderServer
from agentguard.demo.provider.conversation import Answer, Conversation, tool_call
from tests.integrations.spans import Spans

GUARDS: dict[str, Callable[[], agentguard.Guard]] = {
    "loop": agentguard.LoopGuard,
    "budget": lambda: agentguard.BudgetGuard(max_calls=4),
    "deadline": lambda: agentguard.TimeoutGuard(max_seconds=0.9),
}
STOPPED_BY = {"loop": "loop", "budget": "budget", "deadline": "timeout"}
TURNS = 40
"""Turns that a form makes at most, where it is its own loop."""

IN_TURNS = "--in-turns"


def guard_in_turn(form: str) -> str:
    """The guard that a form is run under where it is run under one: about a third each."""
    return list(GUARDS)[crc32(form.encode()) % len(GUARDS)]


@dataclass(frozen=True)
class Provider:
    """Where the model is, and how the agent is wrong: `loop`, `budget` or `deadline`."""

    base_url: str
    """Ends in `/v1`, as OpenAI's clients want it; `root` is without, for Anthropic's."""
    api_key: str
    guard: str

    @property
    def root(self) -> str:
        """The address without `/v1`."""
        return self.base_url.removesuffix("/v1")

    @property
    def pause(self) -> float:
        """Seconds between two turns: what makes a deadline pass, and else nearly none."""
        return 0.05 if self.guard == "deadline" else 0.002

    def question(self, turn: int) -> str:
        """What to ask in that turn: always the same only where a loop is to be found."""
        return "What is new about otters?" if self.guard == "loop" else f"Question number {turn}?"


Form = Callable[[Provider], None] | Callable[[Provider], Awaitable[None]]


@dataclass
class Outcome:
    """What became of one form under one guard."""

    form: str
    guard: str
    stopped_by: str | None
    raised: str | None
    """The type of what reached the caller of the form; None where the form swallowed it."""
    requests: int
    late: int
    """Requests that reached the provider after the stop."""
    calls: int
    """Model calls that the run counted."""
    tokens: int
    billed: int
    """Tokens, as the run and as the provider counted them."""
    spans: list[tuple[str, int, int, int, int]]
    """Model, and input, cached, output and reasoning tokens of each model span that counts."""
    log: list[tuple[str, int, int, int, int]]
    """The same, of each request that was answered."""
    traces: int
    orphans: list[str]
    left: list[str]
    """Threads and tasks that were not there before."""
    seconds: float


def runaway(guard: str) -> Callable[[Conversation], Answer]:
    """A model that never finishes: it asks for the first tool there is, again and again.

    With the same words where a loop is to be found. Tools take `query`.
    """

    def answer(conversation: Conversation) -> Answer:
        turn = conversation.count("tool") + conversation.count("assistant")
        query = "otters" if guard == "loop" else f"otters, part {turn}"
        if not conversation.tools:
            return Answer("I have to look into that again." if guard == "loop" else f"{query}: no.")
        return Answer(
            tool_calls=(tool_call(conversation, conversation.tools[0], {"query": query}),)
        )

    return answer


def search(query: str) -> str:
    """Search the library for a query; what agents have as their tool. Takes a moment."""
    time.sleep(0.05)
    return "[]" if query == "otters" else f"Something about {query}."


def main(forms: Mapping[str, Form], respond: Callable[..., Any] = runaway) -> None:
    """Run what the command line asks for, by default everything; print one line each.

    With `--in-turns`, each form under one guard, in turns.
    """
    chosen = [name.partition(":") for name in sys.argv[1:]] or [(form, "", "") for form in forms]
    if sys.argv[1:] == [IN_TURNS]:
        chosen = [(form, ":", guard_in_turn(form)) for form in forms]
    provider, memory = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    # Spans are kept here; where they would be sent there is nobody.
    handle = agentguard.init(tracer_provider=provider, endpoint="http://127.0.0.1:9")
    for form, _, guard in chosen:
        for each in [guard] if guard else GUARDS:
            memory.clear()
            outcome = _run(form, forms[form], each, memory, respond)
            sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
            sys.stdout.flush()
    handle.shutdown()
    sys.stdout.write(json.dumps({"ended": time.time()}) + "\n")


def _run(
    name: str, form: Form, guard: str, memory: InMemorySpanExporter, respond: Callable[..., Any]
) -> Outcome:
    before = set(threading.enumerate())
    tasks: list[str] = []
    raised: str | None = None
    run = agentguard.run("runaway", guards=[GUARDS[guard]()])
    with ProviderServer(respond(guard), pause_s=0.02 if guard == "deadline" else 0.0) as server:
        at = Provider(server.base_url, server.api_key, guard)
        before.update(threading.enumerate())
        began = time.monotonic()
        try:
            if inspect.iscoroutinefunction(form):
                asyncio.run(_run_async(form, run, at, tasks))
            else:
                with run:
                    form(at)
        except Exception as error:  # noqa: BLE001 - what reaches the caller is looked at
            raised = type(error).__name__
        seconds = time.monotonic() - began
        # Whatever would go on by itself is given the time to do so.
        time.sleep(0.1)
        requests = server.requests()
    stop = run.stopped
    # What was let begin before the stop may arrive after it.
    grace = 0.1 if guard == "deadline" or "parallel" in name else 0.0
    spans = Spans(memory.get_finished_spans())
    return Outcome(
        form=name,
        guard=guard,
        stopped_by=stop.guard if stop else None,
        raised=raised,
        requests=len(requests),
        late=sum(r.received_at > (stop.at + grace) * 1e9 for r in requests) if stop else -1,
        calls=run.tally.calls,
        tokens=sum(run.tally.usage),
        billed=sum(r.usage.prompt + r.usage.completion for r in requests if r.usage),
        spans=spans.model_calls(),
        log=sorted(
            (r.model, r.usage.input, r.usage.cache_read, r.usage.output, r.usage.reasoning)
            for r in requests
            if r.usage
        ),
        traces=len(spans.traces()),
        orphans=spans.orphans(),
        left=[*_left(before), *tasks],
        seconds=round(seconds, 3),
    )


async def _run_async(form: Any, run: agentguard.Run, at: Provider, tasks: list[str]) -> None:
    try:
        async with run:
            await form(at)
    finally:
        # What runs beside the one that failed is given the time to find out.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        _, pending = await asyncio.wait(others, timeout=2) if others else (None, set())
        tasks += [repr(task.get_coro()) for task in pending if not _is_kept(task)]


def _is_kept(task: asyncio.Task[Any]) -> bool:
    """Whether a library has the task for as long as its event loop runs, stopped or not."""
    return "LoggingWorker._worker_loop" in repr(task.get_coro())


def _left(before: set[threading.Thread]) -> list[str]:
    """Threads that would keep the process from ending."""
    return [
        thread.name
        for thread in threading.enumerate()
        if thread not in before
        and thread.is_alive()
        and not thread.daemon
        # Idle threads of an event loop or a pool that a library keeps, which end with the process.
        and not thread.name.startswith(("asyncio_", "litellm", "ThreadPoolExecutor-"))
    ]

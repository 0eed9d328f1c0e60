"""Sends a known workload with agentguard47's HttpSink; runs in a Python that has agentguard47.

`URL KEY COPY`: 10,000 events from sixteen threads go to the URL, and a copy of every line into a
file. Prints what agentguard47 itself says that all of it cost.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from agentguard.evaluation import summarize_trace
from agentguard.tracing import TraceSink

from agentguard import HttpSink, Tracer

THREADS, TRACES, STEPS, CALLS = 16, 200, 5, 5


class Copying(TraceSink):
    """Hands each line on and keeps it."""

    def __init__(self, sink):
        self.sink, self.lines = sink, []

    def emit(self, event):
        """Hand it on."""
        self.lines.append(event)
        self.sink.emit(event)


def run(tracer, number):
    """One agent's run: in each of 5 steps 5 calls of a model, and a tool that gives 5 answers."""
    with tracer.trace("agent.research", data={"number": number}) as agent:
        for step in range(STEPS):
            for call in range(CALLS):
                usage = {"input_tokens": 100 + call, "output_tokens": 7, "total_tokens": 107 + call}
                agent.event(
                    "llm.result",
                    data={"model": "gpt-4o", "provider": "openai", "usage": usage},
                    cost_usd=(number * 25 + step * 5 + call + 1) / 1_000_000,
                )
            with agent.span("tool.search", data={"query": f"{number}/{step}"}) as tool:
                for answer in range(CALLS):
                    tool.event("tool.result", data={"result": "r" * answer})


def main(url, key, copy):
    """Send everything; what is left in the sink's buffer is sent at its shutdown."""
    sink = Copying(HttpSink(url, key, batch_size=100, flush_interval=0.2, _allow_private=True))
    tracer = Tracer(sink, service="moved", session_id="night", metadata={"env": "production"})
    with ThreadPoolExecutor(THREADS) as threads:
        for done in [threads.submit(run, tracer, number) for number in range(TRACES)]:
            done.result()
    sink.sink.shutdown()
    Path(copy).write_text("".join(json.dumps(line) + "\n" for line in sink.lines))
    sys.stdout.write(json.dumps({"cost": summarize_trace(sink.lines)["cost_usd"]}))


main(*sys.argv[1:])

"""Runs, and what spans inherit from runs and agents."""

import asyncio
import threading

from opentelemetry import baggage, context
from opentelemetry.propagate import extract, inject

import agentguard


def test_run(recorded):
    """A run is a workflow's span with its id, name, session, user and tags."""
    with agentguard.run("nightly", session="s", user="u", tags=["a", "b"], id="r-1") as run:
        assert agentguard.current_run() is run
        assert (run.id, run.name) == ("r-1", "nightly")
    assert agentguard.current_run() is None
    assert recorded.attributes("invoke_workflow nightly") == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "nightly",
        "agentguard.run.id": "r-1",
        "agentguard.run.name": "nightly",
        "agentguard.run.tags": ("a", "b"),
        "agentguard.run.outcome": "completed",
        "session.id": "s",
        "gen_ai.conversation.id": "s",
        "user.id": "u",
    }


async def test_everybody_inherits(recorded):
    """Spans made inside, by others and in tasks too, carry run, session, user and agent."""
    theirs = recorded.provider.get_tracer("theirs")

    async def work() -> None:
        with theirs.start_as_current_span("theirs", attributes={"gen_ai.conversation.id": "own"}):
            await asyncio.sleep(0)

    with (
        agentguard.run("r", session="s", user="u") as run,
        agentguard.agent_span("planner", id="a-1"),
    ):
        await asyncio.create_task(work())
        with agentguard.tool_span("t"):
            pass
    expected = {
        "agentguard.run.id": run.id,
        "agentguard.run.name": "r",
        "session.id": "s",
        "user.id": "u",
        "gen_ai.agent.name": "planner",
        "gen_ai.agent.id": "a-1",
    }
    assert recorded.attributes("theirs") == {**expected, "gen_ai.conversation.id": "own"}
    assert recorded.attributes("execute_tool t").items() >= expected.items()


def test_agents_inside_agents(recorded):
    """An inner agent's spans carry its name, and never the outer agent's id."""
    theirs = recorded.provider.get_tracer("theirs")
    with agentguard.agent_span("outer", id="o"):
        with agentguard.agent_span("inner"), agentguard.tool_span("t"):
            pass
        with theirs.start_as_current_span("x", attributes={"gen_ai.agent.name": "foreign"}):
            pass
        with agentguard.tool_span("after"):
            pass
    assert recorded.attributes("execute_tool t")["gen_ai.agent.name"] == "inner"
    assert "gen_ai.agent.id" not in recorded.attributes("execute_tool t")
    assert "gen_ai.agent.id" not in recorded.attributes("invoke_agent inner")
    assert "gen_ai.agent.id" not in recorded.attributes("x")
    assert recorded.attributes("execute_tool after")["gen_ai.agent.id"] == "o"


def test_runs_inside_runs(recorded):
    """An inner run has its own id and keeps the session unless it has one of its own."""
    with agentguard.run("outer", session="s"), agentguard.run("inner"):
        pass
    inner, outer = (
        recorded.attributes("invoke_workflow inner"),
        recorded.attributes("invoke_workflow outer"),
    )
    assert inner["session.id"] == "s"
    assert inner["agentguard.run.id"] != outer["agentguard.run.id"]


async def test_decorated_runs(recorded):
    """A decorated function of any kind is a run of its own at each call."""

    @agentguard.run("sync", user="u")
    def once() -> str:
        return agentguard.current_run().id

    @agentguard.run("async")
    async def later() -> str:
        await asyncio.sleep(0)
        return agentguard.current_run().id

    ids = [once(), once(), await later(), *await asyncio.gather(later(), later())]
    assert len(set(ids)) == 5
    assert [span.attributes["agentguard.run.id"] for span in recorded.spans[:2]] == ids[:2]
    assert recorded.spans[0].attributes["user.id"] == "u"


def test_baggage(recorded):
    """With baggage a run reaches another service's spans, without the user; else it stays home."""
    headers: dict[str, str] = {}
    with agentguard.run("r", session="s", user="u", baggage=True, id="r-1"):
        inject(headers)
    with agentguard.run("private"):
        assert baggage.get_all() == {}

    token = context.attach(extract(headers))
    with agentguard.tool_span("remote"):
        pass
    recorded.provider.get_tracer("theirs").start_span("theirs").end()
    context.detach(token)
    for name in ("execute_tool remote", "theirs"):
        attributes = recorded.attributes(name)
        assert attributes["agentguard.run.id"] == "r-1"
        assert attributes["session.id"] == "s"
        assert "user.id" not in attributes


def test_threads(recorded):
    """A plain thread starts outside; a propagated function and our pool's jobs are inside."""
    found: list = []

    def look(label: str) -> None:
        run = agentguard.current_run()
        found.append((label, run and run.name))
        with agentguard.tool_span(label):
            pass

    with agentguard.run("r"):
        inside = agentguard.propagate(look)
        pool = agentguard.ContextThreadPoolExecutor(4)
        submitted = pool.submit(look, "submitted")
        mapped = pool.map(look, ["mapped"])
    threads = [threading.Thread(target=look, args=("plain",))]
    threads += [threading.Thread(target=inside, args=("propagated",)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    submitted.result()
    list(mapped)
    pool.shutdown()
    assert sorted(set(found)) == [
        ("mapped", "r"),
        ("plain", None),
        ("propagated", "r"),
        ("submitted", "r"),
    ]
    assert recorded.parent("execute_tool mapped") == "invoke_workflow r"
    assert recorded.names.count("execute_tool propagated") == 20

"""Runs under guards: refused, latched, nested, in tasks and threads, stopped from outside."""

import asyncio
import logging
import pickle
import threading
from functools import partial
from typing import Any

import pytest
from opentelemetry import context as otel_context

import agentguard
from agentguard import Call, Guard, Refused, RunStopped, ToolDenied
from agentguard.runtime import runtime


class AtMost(Guard):
    """Lets so many calls of a kind begin, counted for each run."""

    def __init__(self, limit: int, kind: str = "llm", **options: Any) -> None:
        super().__init__(**options)
        self.limit, self.kind, self.seen = limit, kind, 0
        self.ended: list[str] = []
        self.lock = threading.Lock()

    def on_start(self, call: Call):
        """Object to the call after the last."""
        with self.lock:
            if call.kind == self.kind and self.seen >= self.limit:
                return self.stop("enough", limit=self.limit, used=self.seen + 1, unit="calls")
            self.seen += call.kind == self.kind
        return None

    def on_end(self, call: Call):
        """Remember how it ended."""
        self.ended.append(call.outcome)


class NoShell(Guard):
    """Denies one tool."""

    def on_start(self, call: Call):
        """Object to the shell."""
        return self.deny("no shell here") if call.name == "shell" else None


class Broken(Guard):
    """Has a bug."""

    def on_start(self, call: Call):
        """Fail."""
        raise ZeroDivisionError("a bug")


def chat() -> None:
    """One model call, by our own span helper."""
    with agentguard.chat_span("gpt-5", provider="openai"):
        pass


def test_refused_and_latched(spans):
    """The first refusal stops the run: later model, tool and agent calls are refused alike."""
    with agentguard.run("r", guards=[AtMost(2)]) as run:
        chat()
        chat()
        for _ in range(3):
            with pytest.raises(RunStopped, match="enough"):
                chat()
        with pytest.raises(RunStopped), agentguard.tool_span("t"):
            pass
        with pytest.raises(RunStopped), agentguard.agent_span("a"):
            pass
    assert run.stopped is not None
    assert (run.stopped.limit, run.stopped.used, run.stopped.unit) == (2, 3, "calls")
    assert (run.tally.calls, run.tally.refused.total()) == (2, 5)
    assert len(spans.named("chat gpt-5")) == 2


def test_recorded(spans):
    """A stop is a guard span with its figures, and on the run's own span; only the first one."""
    with agentguard.run("r", guards=[AtMost(1)]):
        chat()
        for _ in range(3):
            with pytest.raises(Refused):
                chat()
    said = {
        "agentguard.guard.name": "at_most",
        "agentguard.guard.action": "stop",
        "agentguard.guard.reason": "enough",
        "agentguard.guard.limit": 1,
        "agentguard.guard.used": 2,
        "agentguard.guard.unit": "calls",
        "agentguard.stop.reason": "enough",
    }
    own = spans.attributes("guard at_most")
    assert own.items() >= {**said, "gen_ai.operation.name": "guard"}.items()
    assert own["agentguard.guard.call"] == "gpt-5"
    root = spans.attributes("invoke_workflow r")
    assert root.items() >= {**said, "agentguard.run.outcome": "stopped"}.items()
    assert root["agentguard.run.id"] == own["agentguard.run.id"]


def test_not_stopped_not_touched(spans):
    """A run that no guard objects to says that it completed, or failed, and nothing of guards."""
    with agentguard.run("fine", guards=[AtMost(2)]) as run:
        chat()
    with pytest.raises(KeyError), agentguard.run("bad", guards=[AtMost(2)]):
        raise KeyError
    assert run.stopped is None
    for name, outcome in (("fine", "completed"), ("bad", "failed")):
        found = spans.attributes(f"invoke_workflow {name}")
        assert found["agentguard.run.outcome"] == outcome
        assert not any("guard." in key.removeprefix("agentguard.") for key in found)


def test_deny(spans):
    """A denied tool is refused each time, and the run goes on."""
    with agentguard.run("r", guards=[NoShell()]) as run:
        for _ in range(2):
            with pytest.raises(ToolDenied, match="no shell here"), agentguard.tool_span("shell"):
                pass
        with agentguard.tool_span("other"):
            chat()
    assert run.stopped is None
    assert [s.attributes["agentguard.guard.action"] for s in spans.named("guard no_shell")] == [
        "deny",
        "deny",
    ]


def test_each_run_its_own(spans):
    """Each run counts for itself, as a context manager and as a decorator."""
    guard = AtMost(1)

    @agentguard.run("decorated", guards=[guard])
    def once() -> None:
        chat()

    for _ in range(3):
        once()
        with agentguard.run("with", guards=[guard]) as run:
            chat()
        assert run.guards[0].seen == 1
    assert guard.seen == 0


def test_nested(spans):
    """A nested run is watched by its own guards and by those around it; its stop is its own."""
    with agentguard.run("outer", guards=[AtMost(4)]) as outer:
        with agentguard.run("inner", guards=[AtMost(1)]) as inner:
            chat()
            with pytest.raises(RunStopped):
                chat()
        assert outer.stopped is None
        chat()
        with agentguard.run("second") as second:
            chat()
            with pytest.raises(RunStopped, match="run outer"):
                chat()
        assert second.stopped == outer.stopped
        with agentguard.run("third") as third, pytest.raises(RunStopped):
            chat()
    assert (inner.stopped.run_name, outer.stopped.run_name) == ("inner", "outer")
    assert third.stopped == outer.stopped
    assert spans.attributes("invoke_workflow inner")["agentguard.guard.limit"] == 1


def test_a_guard_let_go(spans):
    """A guard that let a call begin is told when another one refuses it."""
    with agentguard.run("r", guards=[AtMost(9), AtMost(1)]) as run:
        chat()
        with pytest.raises(RunStopped):
            chat()
    assert run.guards[0].ended == ["ok", "refused"]
    assert run.guards[1].ended == ["ok"]


@pytest.mark.parametrize(("mode", "action"), [("warn", "warn"), ("observe", "observe")])
def test_modes(spans, caplog, mode, action):
    """Warn and observe refuse nothing and record once; only warn is logged."""
    with (
        caplog.at_level(logging.WARNING, "agentguard"),
        agentguard.run("r", guards=[AtMost(1, mode=mode)]) as run,
    ):
        for _ in range(4):
            chat()
    assert run.stopped is None
    assert run.tally.calls == 4
    assert spans.attributes("guard at_most")["agentguard.guard.action"] == action
    assert len(caplog.records) == (1 if mode == "warn" else 0)


def test_broken_guard(spans):
    """A guard's own error is recorded and never raised; `closed` stops the run for it."""
    with agentguard.run("open", guards=[Broken()]) as run:
        chat()
    assert run.stopped is None
    assert spans.attributes("guard broken")["agentguard.guard.action"] == "error"
    guards = [Broken(on_error="closed")]
    with (
        agentguard.run("closed", guards=guards),
        pytest.raises(RunStopped, match="ZeroDivisionError: a bug"),
    ):
        chat()


class Deaf(AtMost):
    """Says that it does not look at tools."""

    def looks_at(self, kind: str) -> bool:
        """At anything else."""
        return kind != "tool"


def test_a_guard_is_asked_about_what_it_looks_at(spans):
    """Neither before nor after anything else; the others are."""
    with agentguard.run("nightly", guards=[Deaf(5, "tool"), AtMost(5, "tool")]) as run:
        chat()
        with agentguard.tool_span("search"):
            pass
    deaf, other = run.guards
    assert (deaf.seen, deaf.ended) == (0, ["ok"])
    assert (other.seen, other.ended) == (1, ["ok", "ok"])


def test_a_budget_that_tells_tools_apart(spans):
    """A tool's own budget is found by the calls inside of it, where no other guard looks at tools.

    So it is beside a deadline, which leaves tools to its watchdog.
    """
    guards = [agentguard.BudgetGuard(max_calls=1, per="tool"), agentguard.TimeoutGuard(60)]
    with agentguard.run("r", guards=guards):
        for _ in range(2):
            chat()
        with agentguard.tool_span("draw"):
            chat()
        with agentguard.tool_span("search"):
            chat()
            with pytest.raises(RunStopped, match="tool search: "):
                chat()


def test_a_budget_that_looks_at_more(spans):
    """A subclass that asks about tools as well is asked about tools."""

    class NoTools(agentguard.BudgetGuard):
        def on_start(self, call: Call):
            return self.deny("no tools") if call.kind == "tool" else super().on_start(call)

    with agentguard.run("nightly", guards=[NoTools(max_calls=1)]):
        with pytest.raises(ToolDenied), agentguard.tool_span("search"):
            pytest.fail("not reached")
        chat()
        with pytest.raises(Refused):
            chat()


def test_bad_options():
    """A mode that there is not is refused when the guard is made."""
    with pytest.raises(agentguard.ConfigurationError, match="loud"):
        AtMost(1, mode="loud")
    with pytest.raises(agentguard.ConfigurationError, match="ajar"):
        AtMost(1, on_error="ajar")


def test_their_spans(spans):
    """Spans made by others are guarded from their start, and settled at their end."""
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5"}
    with agentguard.run("r", guards=[AtMost(2)]) as run:
        for _ in range(2):
            with spans.theirs.start_as_current_span("chat gpt-5", attributes=attributes) as span:
                span.set_attribute("gen_ai.usage.input_tokens", 100)
                span.set_attribute("gen_ai.usage.output_tokens", 7)
        with pytest.raises(RunStopped):
            spans.theirs.start_span("chat gpt-5", attributes=attributes)
    assert run.guards[0].ended == ["ok", "ok"]
    assert (run.tally.usage.input, run.tally.usage.output) == (200, 14)


def test_implied_runs(spans):
    """A bare root span is a run, under the guards that `init` was given; each for itself."""
    runtime.guards = (AtMost(1),)
    for _ in range(2):
        with spans.theirs.start_as_current_span("request"):
            chat()
            with pytest.raises(RunStopped):
                chat()
    with agentguard.agent_span("alone"):
        chat()
        with pytest.raises(RunStopped):
            chat()
    for root in (*spans.named("request"), *spans.named("invoke_agent alone")):
        assert root.attributes["agentguard.guard.action"] == "stop"
        assert root.attributes["agentguard.run.outcome"] == "stopped"


def test_parent_handed_on(spans):
    """A span that is given only its parent, not the context it was made in, is in its run."""
    from opentelemetry.trace import set_span_in_context

    with agentguard.run("r", guards=[AtMost(0)]):
        parent = spans.theirs.start_span("theirs")
        bare = set_span_in_context(parent, otel_context.Context())
        with pytest.raises(RunStopped):
            spans.theirs.start_span("chat gpt-5", bare)
        parent.end()


def test_told_late(spans):
    """A span that says only after its start that it was a model call counts, and may stop."""
    with agentguard.run("r", guards=[AtMost(1)]) as run:
        for _ in range(2):
            with spans.theirs.start_as_current_span("something") as span:
                span.set_attribute("gen_ai.operation.name", "chat")
        assert run.stopped is not None
        with pytest.raises(RunStopped):
            chat()


def test_model_call_in_a_model_call(spans):
    """A client's span inside a framework's span of the same call counts once."""
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5"}
    theirs = partial(spans.theirs.start_as_current_span, "chat gpt-5", attributes=attributes)
    with agentguard.run("r", guards=[AtMost(9)]) as run, theirs() as outer:
        with theirs() as inner:
            inner.set_attribute("gen_ai.usage.input_tokens", 5)
        outer.set_attribute("gen_ai.usage.input_tokens", 5)
    assert run.guards[0].seen == run.tally.calls == 1
    assert run.tally.usage.input == 5


@pytest.mark.parametrize("how", ["threads", "tasks"])
async def test_concurrent(spans, how):
    """Of 50 threads, or tasks, exactly as many begin as a guard lets; they are in the run."""
    refused = []

    def work() -> None:
        try:
            chat()
        except RunStopped:
            refused.append(1)

    async def task() -> None:
        await asyncio.sleep(0)
        work()

    with agentguard.run("r", guards=[AtMost(10)]) as run:
        if how == "tasks":
            await asyncio.gather(*(task() for _ in range(50)))
        else:
            threads = [threading.Thread(target=agentguard.propagate(work)) for _ in range(50)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert (run.tally.calls, len(refused)) == (10, 40)


def test_stop_from_outside(spans):
    """`stop` from another thread refuses what comes next, and says what it was told."""
    with agentguard.run("r") as run:
        chat()
        thread = threading.Thread(target=run.stop, args=("the user closed the tab",))
        thread.start()
        thread.join()
        with pytest.raises(RunStopped, match="the user closed the tab"):
            chat()
    assert spans.attributes("invoke_workflow r")["agentguard.stop.reason"] == (
        "the user closed the tab"
    )
    run.stop("again")
    assert run.stopped.reason == "the user closed the tab"


@pytest.mark.parametrize("plain", [True, False])
async def test_stop_ends_tasks(spans, plain):
    """A task that hangs inside a run is cancelled by its stop, and leaves it as that stop."""
    run = agentguard.run("r")

    async def hang() -> None:
        if plain:
            with run:
                await asyncio.wait_for(asyncio.Event().wait(), 30)
        async with run:
            await asyncio.gather(*(asyncio.Event().wait() for _ in range(3)))

    asyncio.get_running_loop().call_later(0.05, run.stop, "enough of this")
    with pytest.raises(RunStopped, match="enough of this"):
        await hang()
    assert not asyncio.current_task().cancelling()


async def test_own_cancellation_stays(spans):
    """A task that is cancelled by somebody else is cancelled, stopped run or not."""

    async def work() -> None:
        with agentguard.run("r"):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_pickled():
    """What was refused in a worker process reaches its parent as it was."""
    stop = agentguard.Stop("budget", "stop", "spent", "id", "r", agentguard.BudgetExceeded, 5, 6)
    copy = pickle.loads(pickle.dumps(stop.exception()))  # noqa: S301 - made here
    assert isinstance(copy, agentguard.BudgetExceeded)
    assert (str(copy), copy.stop.limit) == (str(stop.exception()), 5)


def test_stop_from_outside_is_in_the_trace(spans):
    """A stop that comes from a thread outside of the run is recorded inside of its trace."""
    with agentguard.run("r") as run:
        thread = threading.Thread(target=run.stop, args=("enough",))
        thread.start()
        thread.join()
    (guard,), (root,) = spans.named("guard stop"), spans.named("invoke_workflow r")
    assert guard.parent.span_id == root.context.span_id
    assert guard.attributes["agentguard.run.id"] == run.id


def test_a_run_that_ends_at_once_says_what_stopped_it(spans):
    """The root span has the reason also where the one who stopped the run is still to record it."""
    with agentguard.run("hasty") as run:
        run.state.latch(run.state.stop_for("too late", guard="timeout"))
    root = spans.attributes("invoke_workflow hasty")
    assert root["agentguard.guard.name"] == "timeout"
    assert root["agentguard.stop.reason"] == "too late"

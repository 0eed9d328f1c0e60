"""Whose calls a loop is looked for in, and that threads and long histories do no harm."""

import threading

import pytest

import agentguard
from agentguard import semconv
from agentguard.errors import LoopDetected
from agentguard.guards.call import Call
from agentguard.guards.enforcement import admit, settle
from agentguard.guards.loop import LoopGuard
from agentguard.guards.state import RunState


def nested(run, *tasks):
    """Agents that each call the next one, which gets a task."""
    outer = None
    for name, task in tasks:
        outer = Call("agent", name, run, parent=outer, arguments=task)
        admit(outer)


def named(run, agent, number):
    """A tool call of an agent that is known by its name only."""
    call = Call(
        "tool",
        "search",
        run,
        attributes={semconv.AGENT_NAME: agent},
        arguments={"query": "otters", "request_id": number},
    )
    admit(call)
    call.output = "nothing"
    settle(call)


def test_agents_that_hand_each_other_the_same_task_are_a_loop():
    """Within each other as well, where no call ever ends: the third round does not begin."""
    run = RunState("r", "1", [LoopGuard()])
    with pytest.raises(LoopDetected, match="planner -> writer -> planner -> writer -> planner"):
        nested(run, *[("planner", {"task": "x"}), ("writer", {"task": "x"})] * 3)


def test_an_agent_that_divides_its_task_is_no_loop():
    """An agent may call itself with something else each time."""
    run = RunState("r", "1", [LoopGuard()])
    nested(run, *[("solver", {"task": f"part {depth}"}) for depth in range(9)])
    nested(run, *[("solver", None)] * 9)


def test_agents_known_by_name_are_kept_apart():
    """Two agents that do the same twice each are no loop; one that does it a third time is."""
    run = RunState("r", "1", [LoopGuard()])
    for number in range(2):
        named(run, "one", number)
        named(run, "two", number)
    with pytest.raises(LoopDetected):
        named(run, "one", 3)


def test_threads_of_one_agent():
    """Eight threads that each do something else stop nothing; with the same work they do."""

    def work(run, arguments):
        for number in range(200):
            call = Call("tool", "read", run, arguments=arguments(number))
            try:
                admit(call)
            except LoopDetected:
                return
            call.output = f"answer {arguments(number)}"
            settle(call)

    def in_threads(arguments_of):
        run = RunState("r", "1", [LoopGuard()])
        threads = [threading.Thread(target=work, args=(run, arguments_of(n))) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        return run

    own = in_threads(lambda thread: lambda number: {"path": f"{thread}/{number}"})
    assert own.stopped is None
    same = in_threads(lambda thread: lambda number: {"path": "a"})
    assert same.stopped is not None


def test_an_agent_of_which_nothing_is_known_is_not_in_a_loop():
    """An agent that is asked again, nobody knows what, may be asked something else each time."""
    with agentguard.run("support", guards=[agentguard.LoopGuard()]):
        for _ in range(20):
            with agentguard.agent_span("writer"):
                pass


def test_an_agent_that_is_asked_the_same_is_in_a_loop():
    """Where it is known what an agent is asked, the same question again and again is a loop."""

    @agentguard.agent
    def writer(question: str) -> str:
        return "no idea"

    with agentguard.run("support", guards=[LoopGuard()]):
        writer("the same")
        writer("the same")
        with pytest.raises(agentguard.LoopDetected):
            writer("the same")

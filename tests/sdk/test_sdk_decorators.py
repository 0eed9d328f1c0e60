"""`@agent`, `@tool` and `@task` on functions of every kind."""

import asyncio
import functools
import gc
import inspect

import pytest
from opentelemetry.trace import StatusCode, get_current_span

import agentguard

TOOL = "execute_tool work"


def current_name() -> str | None:
    """The name of the current span."""
    return getattr(get_current_span(), "name", None)


def test_with_and_without_parentheses(recorded):
    """A decorator works bare, called, with a name either way, and as each of the three."""

    @agentguard.tool
    def bare(): ...

    @agentguard.tool()
    def called(): ...

    @agentguard.tool("first")
    def positional(): ...

    @agentguard.agent(name="second", id="7")
    def named(): ...

    @agentguard.task
    def step(): ...

    for function in (bare, called, positional, named, step):
        function()
    assert recorded.names == [
        "execute_tool bare",
        "execute_tool called",
        "execute_tool first",
        "invoke_agent second",
        "task step",
    ]
    assert recorded.attributes("invoke_agent second")["gen_ai.agent.id"] == "7"


def test_keeps_the_function(recorded):
    """Name, docstring, signature, result and arguments stay what they were."""

    @agentguard.tool
    def work(a: int, /, b: int = 2, *rest: int, c: int = 3, **more: int) -> tuple:
        """Do it."""
        return a, b, rest, c, more

    assert (work.__name__, work.__doc__) == ("work", "Do it.")
    assert list(inspect.signature(work).parameters) == ["a", "b", "rest", "c", "more"]
    assert work(1, 5, 6, c=7, function=8) == (1, 5, (6,), 7, {"function": 8})


def test_wrong_arguments(recorded):
    """A wrong call fails as it would without the decorator."""

    @agentguard.tool
    def work(a): ...

    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        work()


async def test_coroutines(recorded):
    """A coroutine function stays one, and its span lasts until it is done."""

    @agentguard.tool
    async def work() -> str | None:
        await asyncio.sleep(0)
        return current_name()

    assert inspect.iscoroutinefunction(work)
    assert await work() == TOOL
    assert recorded.names == [TOOL]


async def test_concurrent_tasks(recorded):
    """Tasks that run at once each have their own current span, below the one they started in."""

    @agentguard.tool
    async def work(number: int) -> None:
        with agentguard.task_span(f"{number}"):
            await asyncio.sleep(0)

    with agentguard.agent_span("a"):
        await asyncio.gather(*(work(number) for number in range(50)))
    spans = {span.context.span_id: span for span in recorded.spans}
    parents = [spans[s.parent.span_id].name for s in spans.values() if s.name.startswith("task")]
    assert parents == [TOOL] * 50
    tools = [span for span in spans.values() if span.name == TOOL]
    assert {spans[span.parent.span_id].name for span in tools} == {"invoke_agent a"}
    assert len({span.context.span_id for span in tools}) == 50


async def test_cancellation(recorded):
    """A cancelled coroutine is cancelled as ever, and its span tells."""
    started = asyncio.Event()

    @agentguard.tool
    async def work() -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert recorded.attributes(TOOL)["error.type"] == "asyncio.exceptions.CancelledError"


def test_methods(recorded):
    """Methods, static and class methods work, whichever decorator comes first."""

    class Box:
        @agentguard.tool
        def plain(self, x):
            return self, x

        @agentguard.tool
        @staticmethod
        def outer_static(x):
            return x

        @staticmethod
        @agentguard.tool
        def inner_static(x):
            return x

        @agentguard.tool
        @classmethod
        def outer_class(cls, x):
            return cls, x

        @classmethod
        @agentguard.tool
        def inner_class(cls, x):
            return cls, x

    box = Box()
    assert box.plain(1) == (box, 1)
    assert (Box.outer_static(2), box.inner_static(3)) == (2, 3)
    assert (Box.outer_class(4), box.inner_class(5)) == ((Box, 4), (Box, 5))
    assert len(recorded.names) == 5


async def test_other_callables(recorded):
    """Partials and objects that can be called are traced, coroutines among them."""

    class Caller:
        async def __call__(self, x):
            await asyncio.sleep(0)
            return current_name(), x

    def add(a, b):
        return a + b

    assert agentguard.tool(name="p")(functools.partial(add, 1))(2) == 3
    assert await agentguard.tool(Caller())(1) == ("execute_tool Caller", 1)
    assert recorded.names == ["execute_tool p", "execute_tool Caller"]


def test_classes_are_refused():
    """A class is no tool: the message says what to decorate."""
    with pytest.raises(TypeError, match="decorate a function or a method"):

        @agentguard.tool
        class Box: ...


def make_generator(seen: list):
    """A tool that yields, notes its current span, and opens a span around a yield."""

    @agentguard.tool
    def work(count: int):
        got = []
        for number in range(count):
            seen.append(current_name())
            with agentguard.task_span("inner"):
                got.append((yield number))
                seen.append(current_name())
        return got

    return work


def test_generators(recorded):
    """The span is current in the generator's body, spans it opened too, and not in its consumer."""
    seen: list = []
    work = make_generator(seen)
    assert inspect.isgeneratorfunction(work)
    with agentguard.agent_span("consumer"):
        for _ in work(2):
            assert current_name() == "invoke_agent consumer"
    assert seen == [TOOL, "task inner"] * 2
    assert recorded.names == ["task inner", "task inner", TOOL, "invoke_agent consumer"]
    assert {recorded.spans[0].parent.span_id, recorded.spans[1].parent.span_id} == {
        recorded.span(TOOL).context.span_id
    }
    assert recorded.parent(TOOL) == "invoke_agent consumer"


def test_generator_protocol(recorded):
    """What is sent in, thrown in and returned passes through."""
    generator = make_generator([])(2)
    assert next(generator) == 0
    assert generator.send("a") == 1
    with pytest.raises(StopIteration) as stop:
        generator.send("b")
    assert stop.value.value == ["a", "b"]

    @agentguard.tool
    def patient():
        try:
            yield 1
        except KeyError:
            yield "caught"

    generator = patient()
    next(generator)
    assert generator.throw(KeyError("x")) == "caught"
    assert list(generator) == []
    assert recorded.span("execute_tool patient").status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("leave", ["close", "garbage"])
def test_generators_left_early(recorded, leave):
    """A generator that is closed or garbage collected ends its span, without an error."""
    generator = make_generator([])(5)
    next(generator)
    assert recorded.names == []
    if leave == "close":
        generator.close()
    del generator
    gc.collect()
    assert recorded.names == ["task inner", TOOL]
    assert "error.type" not in recorded.attributes(TOOL)
    assert current_name() is None


def test_generators_never_started(recorded):
    """A generator nobody asked for an item made no span."""
    make_generator([])(5).close()
    assert recorded.names == []


def test_failing_generators(recorded):
    """An exception in the body is on the span and reaches the consumer."""

    @agentguard.tool
    def work():
        yield 1
        raise ValueError("late")

    with pytest.raises(ValueError, match="late"):
        list(work())
    assert recorded.attributes(TOOL)["error.type"] == "ValueError"


async def test_async_generators(recorded):
    """An async generator's span is current in its body, not in its consumer, and ends with it."""
    seen = []

    @agentguard.tool
    async def work():
        for number in range(2):
            await asyncio.sleep(0)
            with agentguard.task_span("inner"):
                yield number
                seen.append(current_name())

    assert inspect.isasyncgenfunction(work)
    async for _ in work():
        assert current_name() is None
    assert seen == ["task inner"] * 2
    assert recorded.names == ["task inner", "task inner", TOOL]

    generator = work()
    await anext(generator)
    await generator.aclose()
    assert recorded.names[3:] == ["task inner", TOOL]
    assert "error.type" not in recorded.spans[-1].attributes


async def test_async_generators_across_tasks(recorded, caplog):
    """Items may be asked for by different tasks, as `asyncio.wait_for` does."""

    @agentguard.tool
    async def work():
        for number in range(3):
            await asyncio.sleep(0)
            yield number, current_name()

    generator = work()
    items = [await asyncio.wait_for(anext(generator), 10) for _ in range(3)]
    with pytest.raises(StopAsyncIteration):
        await asyncio.create_task(anext_of(generator))
    assert items == [(0, TOOL), (1, TOOL), (2, TOOL)]
    assert recorded.names == [TOOL]
    assert caplog.records == []


async def anext_of(generator):
    """The next item, as a coroutine."""
    return await anext(generator)


async def test_async_generators_left_to_the_garbage(recorded):
    """An async generator that is abandoned ends its span."""

    @agentguard.tool
    async def work():
        while True:
            yield 1

    generator = work()
    await anext(generator)
    del generator
    gc.collect()
    for _ in range(100):
        if recorded.names:
            break
        await asyncio.sleep(0)
    assert recorded.names == [TOOL]

"""`run`: the scope of one piece of work an agent does, from its trigger to its end."""

from collections.abc import Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Self, TypeVar
from uuid import uuid4

from opentelemetry.context import Context, create_key, get_current, get_value, set_value
from opentelemetry.util.types import AttributeValue

from agentguard import semconv
from agentguard.cancellation import CancelOnStop
from agentguard.guards.guard import Guard
from agentguard.guards.installation import watch_process
from agentguard.guards.place import Place, at, current_place, mark
from agentguard.guards.record import attributes_of, record
from agentguard.guards.state import RunState
from agentguard.guards.tally import Tally
from agentguard.guards.verdict import Stop
from agentguard.inheritance import inherited, with_baggage, with_inherited
from agentguard.runtime import runtime
from agentguard.span_scope import SpanScope
from agentguard.wrapping import wrap

__all__ = ["Run", "current_run", "run"]

F = TypeVar("F")

_KEY = create_key("agentguard-run")


class Run(SpanScope):
    """One run, made by `agentguard.run`: a span, `invoke_workflow {name}`, and what is inside.

    Every span made inside, by anyone and in any task, carries the run's id and name, and its
    session and user if it has them. The run's guards, and those of the runs around it, are asked
    about every model call, tool call and agent inside.
    """

    __slots__ = ("_baggage", "_cancel", "_patterns", "_shared", "id", "name", "state")

    def __init__(
        self,
        name: str,
        id: str | None,  # noqa: A002 - as in `run`
        shared: Mapping[str, AttributeValue],
        attributes: Mapping[str, AttributeValue],
        baggage: bool,
        guards: Sequence[Guard],
    ) -> None:
        self.name = name
        self.id = id or uuid4().hex
        self._baggage = baggage
        self._shared = {semconv.RUN_ID: self.id, semconv.RUN_NAME: name, **shared}
        self._patterns = tuple(guards)
        self._cancel: CancelOnStop | None = None
        self.state: RunState | None = None
        super().__init__(f"{semconv.INVOKE_WORKFLOW} {name}", {**attributes, **self._shared})

    def __call__(self, function: F) -> F:
        """Decorate a function: each call is a run of its own."""
        shared = self._shared_by_all()
        again = partial(
            Run, self.name, None, shared, self.attributes, self._baggage, self._patterns
        )
        return wrap(function, again)

    @property
    def stopped(self) -> Stop | None:
        """Why the run was stopped, itself or as part of another; None if it was not."""
        return self.state.latched() if self.state else None

    @property
    def guards(self) -> tuple[Guard, ...]:
        """The run's own guards, once it has begun: what they have counted is theirs to tell."""
        return self.state.guards if self.state else ()

    @property
    def tally(self) -> Tally:
        """What the run did and used so far."""
        return self.state.tally if self.state else Tally()

    def stop(self, reason: str = "stopped by the program") -> None:
        """Stop the run, from anywhere: every later model call and tool call in it is refused.

        Answers that are being streamed end at their next piece, and a task that is inside the run
        is cancelled. Does nothing to a run that is stopped or over.
        """
        if self.state is not None and not self.state.ended:
            stop = self.state.stop_for(reason)
            if self.state.latch(stop):
                record(stop, self.state)

    def open(self) -> Context:
        """Start the run's span, and its guards."""
        if self._patterns:
            watch_process()
        outer = current_place()
        guards = self._patterns if outer else (*self._patterns, *runtime.guards)
        parent = outer.run if outer else runtime.process_run
        self.state = RunState(self.name, self.id, guards, parent, runtime.service)
        return super().open()

    def close(self, error: BaseException | None = None) -> None:
        """End the run, saying how it ended."""
        if self.state is not None:
            ended = semconv.COMPLETED if error is None else semconv.FAILED
            outcome = semconv.STOPPED if self.stopped else ended
            self.span.set_attribute(semconv.RUN_OUTCOME, outcome)
            if self.state.stopped is not None:
                # Who stopped it from another thread may not have come to that yet.
                self.span.set_attributes(attributes_of(self.state.stopped))
            self.state.end()
        super().close(error)

    def __enter__(self) -> Self:
        super().__enter__()
        if self.state is not None:
            self._cancel = CancelOnStop(self.state)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raises what stopped the run where its task was cancelled for that."""
        stopped = self._cancel.disarm(error) if self._cancel else None
        if stopped is None:
            super().__exit__(kind, error, traceback)
        else:
            super().__exit__(type(stopped), stopped, traceback)
            raise stopped from None

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _outer(self) -> Context:
        shared = {**inherited(), **self._shared}
        context = with_inherited(shared, set_value(_KEY, self, get_current()))
        return with_baggage(shared, context) if self._baggage else context

    def _enter(self, place: Place | None, context: Context) -> Context:
        if self.state is None:
            return context
        self.state.span = self.span
        inside = Place(self.state, place.call if place else None)
        mark(self.span, inside)
        return at(inside, context)

    def _implied(self, context: Context) -> Place | None:
        """A run is nobody's inside but another run's."""
        return None

    def _shared_by_all(self) -> dict[str, AttributeValue]:
        own = (semconv.RUN_ID, semconv.RUN_NAME)
        return {key: value for key, value in self._shared.items() if key not in own}


def run(
    name: str,
    *,
    guards: Sequence[Guard] = (),
    id: str | None = None,  # noqa: A002 - what it is
    session: str | None = None,
    user: str | None = None,
    goal: str | None = None,
    tags: Sequence[str] = (),
    baggage: bool = False,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Run:
    """A run: a context manager, and a decorator for functions of any kind.

        with agentguard.run("nightly", guards=[BudgetGuard(max_cost_usd=5)]) as run:
            ...

        @agentguard.run("nightly", guards=[LoopGuard()])
        async def nightly(): ...

    `guards` watch over everything inside; each run has its own, made alike. The first one that
    objects stops the run for good: what it raises, and every later model call, is a `RunStopped`.
    A run inside another is watched by the guards of both.

    `id` is a new one for each run unless given (a decorated function always gets a new one).
    `session` is the conversation the run is part of, `goal` what it is for: budgets may be kept
    by either. With `baggage`, the run's id and name and the session go with outgoing requests,
    through OpenTelemetry's baggage propagator, and spans of AgentGuard in the services called
    carry them; leave it off where third parties are called.
    """
    shared = {
        semconv.SESSION_ID: session,
        semconv.CONVERSATION_ID: session,
        semconv.USER_ID: user,
        semconv.RUN_GOAL: goal,
    }
    described = {
        semconv.OPERATION_NAME: semconv.INVOKE_WORKFLOW,
        semconv.WORKFLOW_NAME: name,
        **({semconv.RUN_TAGS: tuple(tags)} if tags else {}),
        **(attributes or {}),
    }
    given = {key: value for key, value in shared.items() if value is not None}
    return Run(name, id, given, described, baggage, guards)


def current_run() -> Run | None:
    """The run this code is inside of, in this process; None outside of runs."""
    found = get_value(_KEY)
    return found if isinstance(found, Run) else None

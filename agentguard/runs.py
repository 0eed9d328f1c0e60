"""`run`: the scope of one piece of work an agent does, from its trigger to its end."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeVar
from uuid import uuid4

from opentelemetry.context import Context, create_key, get_current, get_value, set_value
from opentelemetry.util.types import AttributeValue

from agentguard import semconv
from agentguard.inheritance import inherited, with_baggage, with_inherited
from agentguard.span_scope import SpanScope
from agentguard.wrapping import wrap

__all__ = ["Run", "current_run", "run"]

F = TypeVar("F")

_KEY = create_key("agentguard-run")


class Run(SpanScope):
    """One run, made by `agentguard.run`: a span, `invoke_workflow {name}`, and what is inside.

    Every span made inside, by anyone and in any task, carries the run's id and name, and its
    session and user if it has them.
    """

    __slots__ = ("_baggage", "_shared", "id", "name")

    def __init__(
        self,
        name: str,
        id: str | None,  # noqa: A002 - as in `run`
        shared: Mapping[str, AttributeValue],
        attributes: Mapping[str, AttributeValue],
        baggage: bool,
    ) -> None:
        self.name = name
        self.id = id or uuid4().hex
        self._baggage = baggage
        self._shared = {semconv.RUN_ID: self.id, semconv.RUN_NAME: name, **shared}
        super().__init__(f"{semconv.INVOKE_WORKFLOW} {name}", {**attributes, **self._shared})

    def __call__(self, function: F) -> F:
        """Decorate a function: each call is a run of its own."""
        again = partial(Run, self.name, None, self._shared_by_all(), self.attributes, self._baggage)
        return wrap(function, again)

    def _outer(self) -> Context:
        shared = {**inherited(), **self._shared}
        context = with_inherited(shared, set_value(_KEY, self, get_current()))
        return with_baggage(shared, context) if self._baggage else context

    def _shared_by_all(self) -> dict[str, AttributeValue]:
        own = (semconv.RUN_ID, semconv.RUN_NAME)
        return {key: value for key, value in self._shared.items() if key not in own}


def run(
    name: str,
    *,
    id: str | None = None,  # noqa: A002 - what it is
    session: str | None = None,
    user: str | None = None,
    tags: Sequence[str] = (),
    baggage: bool = False,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Run:
    """A run: a context manager, and a decorator for functions of any kind.

        with agentguard.run("nightly", session="chat-7", user="ada"):
            ...

        @agentguard.run("nightly")
        async def nightly(): ...

    `id` is a new one for each run unless given (a decorated function always gets a new one).
    `session` is the conversation the run is part of. With `baggage`, the run's id and name and
    the session go with outgoing requests, through OpenTelemetry's baggage propagator, and spans
    of AgentGuard in the services called carry them; leave it off where third parties are called.
    """
    shared = {
        semconv.SESSION_ID: session,
        semconv.CONVERSATION_ID: session,
        semconv.USER_ID: user,
    }
    described = {
        semconv.OPERATION_NAME: semconv.INVOKE_WORKFLOW,
        semconv.WORKFLOW_NAME: name,
        **({semconv.RUN_TAGS: tuple(tags)} if tags else {}),
        **(attributes or {}),
    }
    given = {key: value for key, value in shared.items() if value is not None}
    return Run(name, id, given, described, baggage)


def current_run() -> Run | None:
    """The run this code is inside of, in this process; None outside of runs."""
    found = get_value(_KEY)
    return found if isinstance(found, Run) else None

"""`LoopGuard`: an agent that does the same things over and over, without progress."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

from agentguard.errors import LoopDetected, Refused
from agentguard.guards.arguments import whole_number
from agentguard.guards.call import Call, Kind
from agentguard.guards.guard import Guard, Mode, OnError
from agentguard.guards.loop_answer import CANNOT_CHANGE, Answer
from agentguard.guards.loop_answers import (
    Answers,
    messages,
    opening_hash,
    opening_message,
    said,
)
from agentguard.guards.loop_track import LONGEST_CYCLE, Circle, Step, Track
from agentguard.guards.loop_turns import Round, Turns
from agentguard.guards.normalise import Forms, forms, message_forms
from agentguard.guards.verdict import Verdict
from agentguard.semconv import AGENT_NAME

__all__ = ["LoopGuard"]

_TRACKED: Final = frozenset({"tool", "agent", "retrieval"})
_LOOKED_AT: Final = _TRACKED | {"llm"}
_PATIENCE: Final = 10
"""How many rounds of waiting for something are not a loop yet."""
_SHOWN: Final = 60


class LoopGuard(Guard):
    """Stops an agent that goes in circles.

        LoopGuard(max_repeats=3)

    With 3, the third call in a row that is the same is refused, and so is the call with which a
    cycle of two to eight calls would begin its third round: ABAB, ABCABC, with an odd call in each
    round as well. Calls are the same whatever their white space, the order of their arguments, and
    the timestamps and ids in them. Circles are looked for in what each agent does by itself: in its
    tool calls and the agents that it calls, and apart from them in its model calls. An agent
    that is asked, by those it called, for what it is in the middle of goes in a circle too.

    What makes progress is no loop: a call that brings back something else than before is not a
    repetition. A call that failed may be tried again, until it has failed the same way so often.
    One whose answer says to wait (`pending`, `running`) may be made ten times.

    Found as well, when a call has ended: the same failure of one tool in a row; one tool asked in
    other words again and again (five times more than `max_repeats`) that finds nothing; and a model
    that says the same again and again in one conversation, or asks its tools for the same and is
    told the same.

    `window` is how many calls back repetitions are looked for; 28, unless given.

    Raises:
        ConfigurationError: `max_repeats` is below 2, or `window` below `max_repeats`.
    """

    name: ClassVar[str] = "loop"
    error: ClassVar[type[Refused]] = LoopDetected

    def __init__(
        self,
        max_repeats: int = 3,
        window: int | None = None,
        *,
        mode: Mode = "enforce",
        on_error: OnError = "open",
    ) -> None:
        super().__init__(mode=mode, on_error=on_error)
        self._repeats = whole_number("max_repeats", max_repeats, 2)
        if window is not None:
            whole_number("window", window, max_repeats)
        self._window = window
        self._lock = threading.Lock()
        self._key = object()
        self._nobody = self._new_caller()
        self._by_name: dict[str, _Caller] = {}
        """Callers of which no operation encloses their calls."""

    def looks_at(self, kind: Kind) -> bool:
        """Only at the kinds that go in circles, unless a subclass asks about more."""
        return kind in _LOOKED_AT or type(self) is not LoopGuard

    def on_start(self, call: Call) -> Verdict | None:
        """Refuses the call that goes round once more."""
        kind = call.kind
        if kind in _TRACKED:
            agent = call.parent
            # Nearly always an agent has called it: what it has done is at hand then.
            found: _Caller | None = None if agent is None else agent.held.get(self._key)
            caller = found or self._caller(call)
            track = caller.tools
            if kind == "agent" and (nested := self._called_by_itself(call)) is not None:
                return nested
            step = Step(call)
            call.held[self] = (step, caller)
            if not track.is_suspicious:
                # Needs no lock: a list grows in one step.
                track.begun.append(step)
                return None
        elif kind == "llm" and call.has_content:
            caller = self._caller(call)
            track = caller.models
            step = Step(call)
            call.held[self] = (step, caller)
        else:
            return None
        with self._lock:
            if kind == "llm" and caller.turns.is_suspicious:
                again = self._told_again(call, caller.turns.hear(call))
                if again is not None:
                    return again
            track.begun.append(step)
            if not track.is_suspicious:
                return None
            track.look()
            circle = track.circle()
        return None if circle is None else self._objection(call, circle, track)

    def on_end(self, call: Call) -> Verdict | None:
        """Takes in what came back, and stops where it is the same once more."""
        held: tuple[Step, _Caller] | None = call.held.pop(self, None)
        if call.outcome == "refused":
            return None
        if call.kind == "llm":
            with self._lock:
                return self._model_answered(call, held)
        if held is None:
            return None
        step, caller = held
        told = call.output
        with self._lock:
            caller.tools.look()
            if call.outcome == "error":
                step.failed, step.told = True, Answer(call.error)
                times = caller.answers.failed(step)
            else:
                step.failed = False
                step.told = told if isinstance(told, CANNOT_CHANGE) else Answer(told)
                times = caller.answers.told(step)
        return self._nothing_comes_of_it(call, times) if times else None

    def _objection(self, call: Call, circle: Circle, track: Track) -> Verdict | None:
        steps = circle.steps
        if any(step.waits for step in steps) and circle.rounds < _PATIENCE:
            return None
        if len(steps) == 1:
            (before,) = steps
            if before.failed is not False and track.done_in_a_row() < self._repeats - 1:
                # A failure may be got over, and what has not ended is made at the same time.
                return None
            what = f"{_shown(call)} comes {circle.rounds} times in a row"
        else:
            what = f"{' -> '.join(step.name for step in steps)} begins its round {circle.rounds}"
        known = all(step.told is not None for step in steps)
        answers = ", and nothing came out differently" if known else ""
        return self.stop(
            f"{what}{answers}", limit=self._repeats, used=circle.rounds, unit="repeats"
        )

    def _nothing_comes_of_it(self, call: Call, times: int) -> Verdict:
        if call.outcome == "error":
            what, told = "failed the same way", call.error or "without a message"
        else:
            what, told = "asked in other words found nothing", str(call.output)
        reason = f"{_shown(call)} {what} {times} times in a row: {_short(told)}"
        return self.stop(reason, limit=times, used=times, unit="repeats")

    def _model_answered(self, call: Call, held: tuple[Step, _Caller] | None) -> Verdict | None:
        step, caller = held or (None, self._caller(call))
        if step is not None and caller.models.is_new:
            # Most agents that ask once never ask again.
            step.subject = _Sent.of(call)
        else:
            caller.models.look()
        text, tools = said(call.output)
        failed = call.outcome == "error"
        if step is not None:
            step.failed = failed
            if text or tools:
                said_so = {"text": text, "tools": tools} if tools else text
                step.told = Answer(said_so, says_wait=False)
        is_words = bool(text) and not tools and not failed
        size = len(messages(call.content)) if call.content is not None else -1
        times = caller.answers.said(Answer(text) if is_words else None, size)
        if not times:
            if size < 0 or failed:
                return None
            return self._told_again(call, caller.turns.answered(call, tools))
        reason = f"{call.name} says the same for the time number {times}: {_short(text)}"
        return self.stop(reason, limit=times, used=times, unit="repeats")

    def _told_again(self, call: Call, found: Round | None) -> Verdict | None:
        if found is None or (found.waits and found.times < _PATIENCE):
            return None
        if len(found.tools) == 1:
            what = f"{call.name} asks for {found.tools[0]} {found.times} times in a row"
        else:
            what = f"{call.name} asks for {' -> '.join(found.tools)} in round {found.times}"
        return self.stop(
            f"{what}, and is told the same",
            limit=self._repeats,
            used=found.times,
            unit="repeats",
        )

    def _caller(self, call: Call) -> _Caller:
        agent = call.parent
        if agent is not None and agent.kind != "agent":
            agent = agent.enclosing("agent")
        if agent is not None:
            found: _Caller | None = agent.held.get(self._key)
            if found is None:
                # Of two threads that come here at once, both get the first one's.
                found = agent.held.setdefault(self._key, self._new_caller())
            return found
        name = call.attributes.get(AGENT_NAME) if call.kind != "agent" else None
        if not isinstance(name, str):
            return self._nobody
        known = self._by_name.get(name)
        return known or self._by_name.setdefault(name, self._new_caller())

    def _called_by_itself(self, call: Call) -> Verdict | None:
        """Agents that hand each other the same task, each within the other."""
        if call.arguments is None:
            return None
        task, rounds, chain = forms(call.arguments)[1], 1, [call.name]
        outer = call.enclosing("agent")
        while outer is not None and len(chain) <= self._repeats * LONGEST_CYCLE:
            chain.append(outer.name)
            if outer.name == call.name and forms(outer.arguments)[1] == task:
                rounds += 1
                if rounds == self._repeats:
                    return self.stop(
                        f"{' -> '.join(reversed(chain))}: {_shown(call)} is asked to do what it "
                        f"is in the middle of, {rounds} times over",
                        limit=self._repeats,
                        used=rounds,
                        unit="repeats",
                    )
            outer = outer.enclosing("agent")
        return None

    def _new_caller(self) -> _Caller:
        return _Caller(self._repeats, self._window)


class _Caller:
    """What one agent did of late."""

    __slots__ = ("answers", "models", "tools", "turns")

    def __init__(self, repeats: int, window: int | None) -> None:
        self.tools = Track(repeats, window, _arguments)
        self.models = Track(repeats, window, _request)
        self.answers = Answers(repeats)
        self.turns = Turns(repeats, window)


class _Sent(NamedTuple):
    """What a request is told apart by: all that was said before is sent with it."""

    place: int
    latest: object
    # Conversations that go on at the same time may come to the same words.
    opening: object

    @classmethod
    def of(cls, call: Call) -> _Sent:
        sent = messages(call.content)
        return cls(len(sent), sent[-1] if sent else None, opening_message(sent))


def _arguments(call: Call) -> Forms:
    return forms(call.arguments)


def _request(asked: Call | _Sent) -> Forms:
    """The forms of what is new in a request."""
    sent = asked if isinstance(asked, _Sent) else _Sent.of(asked)
    latest, opening = sent.latest, sent.opening
    plain, loose = message_forms(latest)
    place = sent.place, 0 if opening is latest else opening_hash(opening)
    return (place, plain), (place, loose)


def _shown(call: Call) -> str:
    if call.kind == "llm":
        return f"the same request to {call.name}"
    arguments = call.arguments
    if isinstance(arguments, Mapping):
        inside = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    else:
        inside = "" if arguments is None else str(arguments)
    return f"{call.name}({_short(inside)})"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."

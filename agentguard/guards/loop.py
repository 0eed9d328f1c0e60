"""`LoopGuard`: an agent that does the same things over and over, without progress."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import ClassVar, Final

from agentguard.errors import ConfigurationError, LoopDetected, Refused
from agentguard.guards.call import Call
from agentguard.guards.guard import Guard, Mode, OnError
from agentguard.guards.loop_answers import Answers, messages, said, says_wait
from agentguard.guards.loop_track import Circle, Step, Track
from agentguard.guards.normalise import answer_form, forms
from agentguard.guards.verdict import Verdict

__all__ = ["LoopGuard"]

_TRACKED: Final = frozenset({"tool", "agent", "retrieval"})
_PATIENCE: Final = 10
"""How many rounds of waiting for something are not a loop yet."""
_SHORT: Final = 4
"""Messages; in a longer conversation, requests of one length are compared from the second on."""
_SHOWN: Final = 60


class LoopGuard(Guard):
    """Stops an agent that goes in circles.

        LoopGuard(max_repeats=3)

    With 3, the third call in a row that is the same is refused, and so is the call with which a
    cycle of two to eight calls would begin its third round: ABAB, ABCABC, with an odd call in each
    round as well. Calls are the same whatever their white space, the order of their arguments, and
    the timestamps and ids in them. Circles are looked for in what each agent does by itself: in its
    tool calls and the agents that it calls, and apart from them in its model calls.

    What makes progress is no loop: a call that brings back something else than before is not a
    repetition. A call that failed may be tried again, until it has failed the same way so often.
    One whose answer says to wait (`pending`, `running`) may be made ten times.

    Found as well, when a call has ended: the same failure of one tool, or the same answer of it to
    different calls, in a row; and a model that says the same again and again in one conversation.

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
        if not isinstance(max_repeats, int) or max_repeats < 2:
            raise ConfigurationError(
                f"max_repeats={max_repeats!r}: it is a whole number from 2 up."
            )
        if window is not None and (not isinstance(window, int) or window < max_repeats):
            raise ConfigurationError(
                f"window={window!r}: it is a whole number, and no smaller than max_repeats, "
                f"which is {max_repeats}."
            )
        self._repeats = max_repeats
        self._window = window
        self._lock = threading.Lock()
        self._key = (self, "caller")
        self._nobody = self._new_caller()

    def on_start(self, call: Call) -> Verdict | None:
        """Refuses the call that goes round once more."""
        if call.kind in _TRACKED:
            plain, loose = forms(call.arguments)
        elif call.kind == "llm" and call.content is not None:
            plain, loose = self._request(call)
        else:
            return None
        step = Step(call.name, hash((call.name, plain)), hash((call.name, loose)))
        call.held[self] = step
        caller = self._caller(call)
        track = caller.models if call.kind == "llm" else caller.tools
        with self._lock:
            circle = track.circle() if track.add(step) else None
        return None if circle is None else self._objection(call, circle)

    def on_end(self, call: Call) -> Verdict | None:
        """Takes in what came back, and stops where it is the same once more."""
        step = call.held.pop(self, None)
        if call.outcome == "refused":
            return None
        caller = self._caller(call)
        with self._lock:
            if call.kind == "llm":
                return self._model_answered(call, caller.answers, step)
            if isinstance(step, Step):
                return self._tool_answered(call, caller.answers, step)
        return None

    def _request(self, call: Call) -> tuple[object, object]:
        """The forms of a request: of what is new in it, as all that was said before is sent too."""
        sent = messages(call.content)
        size = len(sent)
        if size > _SHORT and not self._caller(call).is_known(size):
            return (size, ""), (size, "")
        plain, loose = forms(sent[-1] if sent else None)
        return (size, plain), (size, loose)

    def _objection(self, call: Call, circle: Circle) -> Verdict | None:
        steps = circle.steps
        if any(step.waits for step in steps) and circle.rounds < _PATIENCE:
            return None
        if len(steps) == 1:
            (before,) = steps
            if before.failed is not False:
                # A failure may be got over, and what has not ended is made at the same time.
                return None
            what = f"{_shown(call)} comes {circle.rounds} times in a row"
        else:
            what = f"{' -> '.join(step.name for step in steps)} begins its round {circle.rounds}"
        known = all(step.answer is not None for step in steps)
        answers = ", and nothing came out differently" if known else ""
        return self.stop(
            f"{what}{answers}", limit=self._repeats, used=circle.rounds, unit="repeats"
        )

    def _tool_answered(self, call: Call, answers: Answers, step: Step) -> Verdict | None:
        step.failed = call.outcome == "error"
        if step.failed:
            step.answer = hash(answer_form(call.error))
            times = answers.failed(call, step.answer)
            what, told = "failed the same way", call.error or "without a message"
        elif call.output is None:
            answers.worked()
            return None
        else:
            step.answer = hash(answer_form(call.output))
            step.waits = says_wait(call.output)
            if step.waits:
                answers.worked()
                return None
            times = answers.told(call, step.answer)
            what, told = "gave the same answer", str(call.output)
        if not times:
            return None
        reason = f"{_shown(call)} {what} {times} times in a row: {_short(told)}"
        return self.stop(reason, limit=times, used=times, unit="repeats")

    def _model_answered(self, call: Call, answers: Answers, step: object) -> Verdict | None:
        text, tools = said(call.output)
        failed = call.outcome == "error"
        if isinstance(step, Step):
            step.failed = failed
            if text or tools:
                step.answer = hash((answer_form(text), answer_form(tools)))
        is_words = bool(text) and not tools and not failed
        size = len(messages(call.content)) if call.content is not None else -1
        times = answers.said(hash(answer_form(text)) if is_words else None, size)
        if not times:
            return None
        reason = f"{call.name} says the same for the time number {times}: {_short(text)}"
        return self.stop(reason, limit=times, used=times, unit="repeats")

    def _caller(self, call: Call) -> _Caller:
        agent = call.enclosing("agent")
        if agent is None:
            return self._nobody
        found = agent.held.get(self._key)
        if not isinstance(found, _Caller):
            found = agent.held[self._key] = self._new_caller()
        return found

    def _new_caller(self) -> _Caller:
        return _Caller(self._repeats, self._window)


class _Caller:
    """What one agent did of late."""

    __slots__ = ("_sizes", "answers", "models", "tools")

    def __init__(self, repeats: int, window: int | None) -> None:
        self.tools = Track(repeats, window)
        self.models = Track(repeats, window)
        self.answers = Answers(repeats)
        self._sizes: set[int] = set()

    def is_known(self, size: int) -> bool:
        """Whether a request of so many messages was made before."""
        if size in self._sizes:
            return True
        if len(self._sizes) > 1_000:
            self._sizes.clear()
        self._sizes.add(size)
        return False


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

"""The calls of one caller, one after the other, and the circles in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, Final, NamedTuple

from agentguard.guards.call import Call
from agentguard.guards.loop_answer import Answer
from agentguard.guards.normalise import Forms

__all__ = ["LONGEST_CYCLE", "Circle", "Step", "Track"]

LONGEST_CYCLE: Final = 8


class Step:
    """One call. `failed` is None as long as it has not ended."""

    __slots__ = ("asked", "failed", "is_blind", "loose", "name", "plain", "subject", "told")

    def __init__(self, call: Call) -> None:
        self.subject: object = call
        """What is to be looked into: the call, or what was kept of it. None once that was done."""
        self.name = call.name
        self.asked: object = None
        """The plain form of what was asked for, while that may be of use."""
        self.told: object = None
        """What came back, and cannot change, or is an `Answer`; None as long as nothing did."""
        self.failed: bool | None = None
        self.is_blind = call.kind == "agent" and not call.has_arguments
        """Whether it may be asked another thing each time: then only what comes back tells."""
        self.plain = self.loose = 0
        """Hashes of the call's forms, and its name."""

    @property
    def answer(self) -> Answer | None:
        """What came back, to be looked into."""
        told = self.told
        if told is None or isinstance(told, Answer):
            return told
        self.told = answer = Answer(told)
        return answer

    @property
    def waits(self) -> bool:
        """Whether its answer says that what it asks for is not ready."""
        answer = self.answer
        return answer is not None and not self.failed and answer.says_wait

    def is_same(self, other: Step) -> bool:
        """Whether one is a repetition of the other.

        Answers that differ are progress. Where one is not known, the calls have to be the same to
        the letter, but for white space, order and what its name says is made anew each time.
        """
        if self.loose != other.loose:
            return False
        answer, others = self.answer, other.answer
        if answer is None or others is None:
            return self.plain == other.plain
        return self.failed == other.failed and answer.is_like(others)


class Circle(NamedTuple):
    """The steps of a cycle, the last time it went round, and the round that begins, from 1."""

    steps: Sequence[Step]
    rounds: int


class Track:
    """The latest steps of one caller.

    For each length of a cycle it keeps how many of the latest steps are alike to the one so many
    before: a few comparisons a step, however many there were. A step is looked into when its call
    has ended, or when it might be one too many; so most calls begin without delay.

    `read` gives the forms of what makes a step's subject the same.
    """

    __slots__ = (
        "_alike",
        "_kept",
        "_read",
        "_repeats",
        "_seen",
        "_was_alike",
        "begun",
        "is_suspicious",
        "steps",
    )

    def __init__(
        self,
        repeats: int,
        window: int | None,
        read: Callable[[Any], Forms],
    ) -> None:
        self._repeats = repeats
        self._read = read
        # Room for a call more in each round than the cycle has.
        self._kept = window or repeats * (LONGEST_CYCLE + 1) + 1
        self.steps: deque[Step] = deque()
        # Rarely more than one at a time, for which a deque is too much to make with each caller.
        self.begun: list[Step] = []
        """Steps of calls that have begun, and are not among `steps` yet."""
        self._alike = [0] * (LONGEST_CYCLE + 1)
        self._was_alike = False
        self._seen: dict[int, int] = {}
        self.is_suspicious = repeats == 2
        """Whether something was made twice of late, so that the next call has to be looked into."""

    @property
    def is_new(self) -> bool:
        """Whether there is nothing that the one step that began might be the same as."""
        return not self.steps and len(self.begun) == 1

    def look(self) -> None:
        """Look into the calls that have begun, in their order."""
        begun = self.begun
        if not begun:
            return
        steps, seen, read = self.steps, self._seen, self._read
        while begun:
            step = begun.pop(0)
            if step.subject is None:
                continue
            plain, loose_form = read(step.subject)
            step.subject, step.asked = None, plain
            step.plain = step.loose = loose = hash((step.name, plain))
            if loose_form is not plain:
                step.loose = loose = hash((step.name, loose_form))
            if len(steps) == self._kept:
                oldest = steps.popleft().loose
                if seen[oldest] == 1:
                    del seen[oldest]
                else:
                    seen[oldest] -= 1
            if loose in seen:
                seen[loose] += 1
                self._count_alike(loose)
            else:
                seen[loose] = 1
                if self._was_alike:
                    self._alike = [0] * (LONGEST_CYCLE + 1)
                    self._was_alike = False
            steps.append(step)
        self.is_suspicious = len(seen) < len(steps) or self._repeats == 2

    def _count_alike(self, loose: int) -> None:
        steps, alike = self.steps, self._alike
        for length in range(1, min(LONGEST_CYCLE, len(steps)) + 1):
            alike[length] = alike[length] + 1 if steps[-length].loose == loose else 0
        self._was_alike = True

    def forget(self) -> None:
        """Start anew: what comes is no repetition of what was."""
        self.steps.clear()
        self.begun.clear()
        self._seen.clear()
        self._alike = [0] * (LONGEST_CYCLE + 1)
        self._was_alike = False
        self.is_suspicious = self._repeats == 2

    def circle(self) -> Circle | None:
        """The cycle that the latest step begins once more than is allowed."""
        steps = self.steps
        if self._seen[steps[-1].loose] == 1 or self._is_blind():
            return None
        for length in range(1, LONGEST_CYCLE + 1):
            wanted = self._wanted(length)
            alike = self._alike[length]
            if alike >= wanted and wanted + length <= len(steps):
                found = _repeated(steps, length, wanted)
                if found is not None:
                    return Circle(found, -(-alike // length) + 1)
        return self._with_odd_calls()

    def _is_blind(self) -> bool:
        """Whether nothing is known of the step that is the latest to be alike to the last one.

        It would be a part of every circle.
        """
        steps = reversed(self.steps)
        latest = next(steps)
        before = next(step for step in steps if step.loose == latest.loose)
        return before.is_blind and before.told is None

    def done_in_a_row(self) -> int:
        """How many of the steps right before the latest, and alike to it, went well and are over.

        Where several go on at the same time, some of them are over and others are not.
        """
        latest, *before = reversed(self.steps)
        alike = takewhile(lambda step: step.loose == latest.loose, before)
        return sum(step.failed is False for step in alike)

    def _with_odd_calls(self) -> Circle | None:
        """A cycle of two steps or more into whose rounds one call each was thrown that is new."""
        members = [(n, s) for n, s in enumerate(self.steps) if self._seen[s.loose] > 1]
        if len(members) == len(self.steps):
            return None
        for length in range(2, LONGEST_CYCLE + 1):
            wanted = self._wanted(length)
            taken = members[-(wanted + length) :]
            if len(taken) < wanted + length:
                return None
            odd = taken[-1][0] - taken[0][0] + 1 - len(taken)
            if 0 < odd <= self._repeats:
                found = _repeated([step for _, step in taken], length, wanted)
                if found is not None and len({step.loose for step in found}) > 1:
                    return Circle(found, self._repeats)
        return None

    def _wanted(self, length: int) -> int:
        """How many steps in a row have to be alike to those a cycle before."""
        if length == 1:
            return self._repeats - 1
        return max(self._repeats - 2, 1) * length + 1


def _repeated(steps: Sequence[Step], length: int, wanted: int) -> list[Step] | None:
    """The last whole cycle before the latest step, if the steps repeat those a cycle before."""
    for back in range(2, wanted + 1):
        if not steps[-back].is_same(steps[-back - length]):
            return None
    latest, before = steps[-1], steps[-1 - length]
    # What the latest brings back is not known: that it is alike will do where the others, which
    # were alike, brought back the same.
    if latest.plain != before.plain and (wanted == 1 or before.told is None):
        return None
    return [steps[-back] for back in range(length + 1, 1, -1)]

"""What must hold of every runaway, whatever it is made with."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.integrations.driving import GUARDS, STOPPED_BY, Outcome, guard_in_turn
from tests.integrations.traced import Traced

__all__ = ["check_stopped", "check_traced", "each_runaway"]


def each_runaway(forms: Iterable[str]) -> pytest.MarkDecorator:
    """`form` and `guard`: every form under every guard; in a short run under one, in turns."""
    pairs = [
        pytest.param(form, guard, marks=() if guard == guard_in_turn(form) else pytest.mark.soak)
        for form in forms
        for guard in GUARDS
    ]
    return pytest.mark.parametrize(("form", "guard"), pairs)


def check_stopped(outcome: Outcome) -> None:
    """Its guard stopped it, nothing was sent afterwards, and nothing is left behind.

    What was counted is what the provider billed; a deadline may cut an answer, whose tokens nobody
    was told.
    """
    assert outcome.stopped_by == STOPPED_BY[outcome.guard], outcome
    assert outcome.late == 0, outcome
    assert outcome.requests > 0, outcome
    assert outcome.guard == "deadline" or outcome.requests < 60, outcome
    assert outcome.left == [], outcome
    assert outcome.traces == 1, outcome
    assert outcome.orphans == [], outcome
    assert outcome.seconds < 30, outcome
    if outcome.guard == "deadline":
        assert outcome.requests <= outcome.calls, outcome
        assert all(call in outcome.log for call in outcome.spans), outcome
        return
    assert outcome.calls == outcome.requests, outcome
    assert [tuple(s) for s in outcome.spans] == [tuple(each) for each in outcome.log], outcome
    assert outcome.tokens == outcome.billed, outcome


def check_traced(traced: Traced, tree: str) -> None:
    """One trace with that tree, no span without its parent, and tokens as the provider billed."""
    assert "\n".join(traced.tree) == tree.strip("\n")
    assert traced.traces == 1
    assert traced.orphans == []
    assert traced.spans == traced.log != []

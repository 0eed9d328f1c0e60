"""Cases: for everything that can be asked, how it is asked. What has none fails the suite.

@ask("queries.trace.get_trace")
def _(draw, worlds):
    return Ask(draw(trace_ids), contents=draw(st.booleans()))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from hypothesis import strategies as st

from tests.isolation.worlds import Worlds

__all__ = ["Ask", "Cases"]

Made = TypeVar("Made")
Draw = Callable[[st.SearchStrategy[Any]], Any]
Maker = Callable[[Draw, Worlds], Made]


class Ask:
    """The arguments of one call, after the reader."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args = args
        self.kwargs = kwargs

    def __repr__(self) -> str:
        given = [repr(each) for each in self.args]
        given += [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return f"({', '.join(given)})"


class Cases(Generic[Made]):
    """A register of cases by the name of what they ask; `left_out` says why there is none."""

    def __init__(self, what: str, left_out: dict[str, str]) -> None:
        self._what = what
        self.left_out: Final = left_out
        self.makers: dict[str, Maker[Made]] = {}

    def __call__(self, name: str) -> Callable[[Maker[Made]], Maker[Made]]:
        """Register the decorated function, which draws one call."""

        def register(maker: Maker[Made]) -> Maker[Made]:
            assert name not in self.makers, f"{name} has a case already"
            self.makers[name] = maker
            return maker

        return register

    def strategy(self, name: str, worlds: Worlds) -> st.SearchStrategy[Made]:
        """Calls of one of them."""

        @st.composite
        def drawn(draw: Draw) -> Made:
            return self.makers[name](draw, worlds)

        return drawn()

    def check(self, found: set[str]) -> None:
        """Fail, by name, for what has no case, and for cases of what is no more."""
        known = self.makers.keys() | self.left_out.keys()
        missing, stale = sorted(found - known), sorted(known - found)
        assert not missing, f"no test of isolation knows these {self._what}: {', '.join(missing)}"
        assert not stale, f"there are no such {self._what} any more: {', '.join(stale)}"
        assert not self.makers.keys() & self.left_out.keys()

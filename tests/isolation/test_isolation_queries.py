"""No query function shows anything of another project, whatever it is asked."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard_storage.queries.errors import QueryError
from agentguard_storage.queries.pages import Page
from tests.isolation.answers import canaries_in, plain
from tests.isolation.asking import Ask
from tests.isolation.functions import asking_functions
from tests.isolation.query_cases import QUERIES
from tests.isolation.questions import ASKED, ASKED_BACK, ATOMS, FILTERS, TRIES, few
from tests.isolation.worlds import Asker, World, Worlds

_PAGES = 6
_FUNCTIONS = asking_functions()


def test_every_query_function_has_a_case():
    """A function that asks the store, and has no case here, fails by its name."""
    QUERIES.check(set(_FUNCTIONS))


def test_the_filters_are_of_the_language():
    """What the questions are made of is understood, nearly all of it."""
    assert len(FILTERS) >= len(ATOMS) * 0.9, set(ATOMS) - set(FILTERS)


@pytest.mark.parametrize("examples", ASKED)
@pytest.mark.parametrize("name", sorted(QUERIES.makers))
def test_a_question_is_answered_as_if_nobody_else_were_there(
    name: str, examples: int, worlds: Worlds
):
    """Whatever ours asks in the shared store, the answer is that of the store without theirs."""
    function = _FUNCTIONS[name]
    seen = 0

    @few(examples)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        nonlocal seen
        asked = data.draw(QUERIES.strategy(name, worlds), label=name)
        answers = list(_answers(function, worlds.both, worlds.ours, asked))
        expected = list(_answers(function, worlds.alone, worlds.ours, asked))
        assert not canaries_in(worlds.theirs, answers, asked)
        assert answers == expected
        seen += any(answers)

    for _ in range(TRIES):
        check()
        if seen:
            return
    pytest.fail("no question found anything: the case proves nothing")


@pytest.mark.parametrize("examples", ASKED_BACK)
@pytest.mark.parametrize("name", sorted(QUERIES.makers))
def test_theirs_see_nothing_of_ours(name: str, examples: int, worlds: Worlds):
    """The other way round as well: nothing of ours is in what theirs is told."""

    @few(examples)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        asked = data.draw(QUERIES.strategy(name, worlds), label=name)
        assert not canaries_in(
            worlds.ours, list(_answers(_FUNCTIONS[name], worlds.both, worlds.theirs, asked)), asked
        )

    check()


def _answers(function: Any, world: World, asker: Asker, asked: Ask) -> Iterator[Any]:
    """The answer, and where it comes in pages, all of them; or what is said of an error."""
    reader = world.reader(asker)
    first, *_ = inspect.signature(function).parameters
    who = (reader,) if first == "reader" else (reader.client, reader.project_id)
    more: dict[str, Any] = {}
    for _ in range(_PAGES):
        try:
            answer = function(*who, *asked.args, **asked.kwargs, **more)
            yield plain(answer)
        except QueryError as error:
            yield f"{type(error).__name__}: {error}"
            return
        except KeyError:
            # Contents by hashes that others have, and this project has not.
            yield "not there"
            return
        if not isinstance(answer, Page) or answer.next_cursor is None:
            return
        more = {"cursor": answer.next_cursor}

"""Cursors: good for their own question alone, whatever is done to them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.pages import MOST, cursor, position, wanted

QUESTION = ("prj_one", "traces", "started_at", "kind:llm")
keys = st.lists(st.integers(-(2**127), 2**127) | st.text(max_size=40), min_size=1, max_size=4)


@given(keys)
def test_a_cursor_brings_its_keys_back(after):
    """Whatever the last row's keys are, the next page begins after them."""
    kinds = [type(key) for key in after]
    assert position(QUESTION, cursor(QUESTION, after), kinds) == after


def test_no_cursor_is_the_first_page():
    """Without one there is nothing to go on after."""
    assert position(QUESTION, None, (int, str)) is None


@given(
    st.text(max_size=2_000) | st.binary(max_size=200).map(lambda b: base64.b64encode(b).decode())
)
def test_what_was_never_a_cursor_is_refused(text):
    """No text is so odd that anything but InvalidQuery comes of it."""
    with pytest.raises(InvalidQuery) as refused:
        position(QUESTION, text, (int, str))
    assert refused.value.where == "cursor"


@given(st.integers(0, 200), st.characters(codec="ascii"))
def test_an_altered_cursor_is_refused(place, letter):
    """Changing one letter of it makes it nobody's, unless it says the same bytes still."""
    made = cursor(QUESTION, (1_700_000_000_000_000_000, "abc"))
    place %= len(made)
    altered = made[:place] + letter + made[place + 1 :]
    try:
        found = position(QUESTION, altered, (int, str))
    except InvalidQuery:
        return
    assert found == [1_700_000_000_000_000_000, "abc"]


@pytest.mark.parametrize("number", range(len(QUESTION)))
def test_another_question_does_not_take_it(number):
    """A cursor of another project, order or filter is refused."""
    other = [*QUESTION]
    other[number] += "x"
    with pytest.raises(InvalidQuery, match="does not belong"):
        position(other, cursor(QUESTION, (1, "a")), (int, str))


@pytest.mark.parametrize("kinds", [(int,), (str, int), (int, str, str), ()])
def test_keys_of_other_kinds_are_refused(kinds):
    """What a statement is given has the types that it expects."""
    with pytest.raises(InvalidQuery):
        position(QUESTION, cursor(QUESTION, (1, "a")), kinds)


@pytest.mark.parametrize("limit", [1, 50, MOST])
def test_a_limit_within_bounds_is_taken(limit):
    """From one row to the longest page."""
    assert wanted(limit) == limit


@pytest.mark.parametrize("limit", [0, -1, MOST + 1, 10**9, 10**30])
def test_a_limit_beyond_bounds_is_refused(limit):
    """It is told, and not silently made smaller."""
    with pytest.raises(InvalidQuery) as refused:
        wanted(limit)
    assert refused.value.where == "limit"

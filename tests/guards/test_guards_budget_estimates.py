"""How many tokens a call is thought to use, from what it sends and what calls used before."""

import sys
from collections import defaultdict
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard.budgets.estimate import DEFAULT_INPUT, DEFAULT_OUTPUT, Habit, size

TEXT = "Which otters live in the river?"


@dataclass
class Message:
    """A message as frameworks have them."""

    content: object
    tool_calls: list[object] = field(default_factory=list)


class Broken:
    """An object whose attributes cannot be read."""

    @property
    def content(self) -> str:
        """Never there."""
        raise RuntimeError("not loaded")


def test_what_is_measured_is_not_changed():
    """To ask a mapping for what it does not have may put it there."""
    message = defaultdict(str, role="user")
    size([message])
    assert message == {"role": "user"}


@pytest.mark.parametrize(
    ("content", "low", "high"),
    [
        (None, 0, 0),
        ("", 0, 0),
        (TEXT, 31, 31),
        ("река", 8, 8),
        ([{"role": "user", "content": TEXT}], 31, 60),
        ([{"role": "user", "content": [{"type": "text", "text": TEXT}]}], 31, 90),
        ({"messages": [{"role": "user", "content": TEXT}], "system": TEXT}, 62, 120),
        ([Message(TEXT), Message([Message(TEXT)])], 62, 120),
        ([{"type": "image", "source": {"data": "A" * 1_000_000}}], 4_000, 4_000),
        ([{"type": "image_url", "image_url": {"url": "data:" + "A" * 10_000}}], 4_000, 4_000),
        (b"\x89PNG" * 100_000, 4_000, 4_000),
        ([{"role": "user", "content": b"PNG" * 100_000}], 4_000, 4_060),
        (Broken(), 0, 0),
        ([[17, 4, 256], [9]], 4 * 3, 4 * 3),
    ],
)
def test_the_text_in_a_prompt_is_measured(content, low, high):
    """In messages of any form, by its bytes; images count the same whatever their base64 is."""
    assert low <= size(content) <= high


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.binary(max_size=20),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.builds(Message, inner),
    max_leaves=30,
)


@given(JSON)
def test_anything_can_be_measured(content):
    """Whatever a client sends, measuring it gives a number and raises nothing."""
    assert size(content) >= 0


def test_a_prompt_that_contains_itself_is_measured():
    """A cycle ends."""
    content: list[object] = [TEXT]
    content.append(content)
    assert size(content) >= 0


def test_a_first_call_is_estimated_high():
    """Without anything to go by, 2.5 bytes are a token, or so many are sent and answered."""
    habit = Habit()
    assert habit.input_for(None) == DEFAULT_INPUT
    assert habit.input_for(2_500) == 1_001
    assert habit.output == DEFAULT_OUTPUT


def test_a_history_counts_as_it_was_counted():
    """An agent sends what it sent before and a little more: only that is estimated anew."""
    habit = Habit()
    habit.learn(40_000, 10_000, 50)
    assert habit.input_for(41_000) == 10_000 + 400
    assert habit.input_for(40_000) == 10_000
    assert habit.input_for(None) == 10_000


def test_what_is_not_in_the_content_is_remembered():
    """Tools that are offered with each call are sent with a shorter one too."""
    habit = Habit()
    habit.learn(1_000, 3_000, 50)
    assert 2_600 <= habit.input_for(100) <= 3_000


def test_a_short_answer_does_not_make_the_next_one_short():
    """The estimate of an answer follows a longer one at once, and shorter ones slowly."""
    habit = Habit()
    habit.learn(100, 40, 5_000)
    assert habit.output == 5_000
    habit.learn(100, 40, 10)
    assert habit.output > 4_000
    for _ in range(60):
        habit.learn(100, 40, 10)
    assert habit.output < 50


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 10**6), st.integers(0, 10**6))),
    st.none() | st.integers(0, 10**6),
)
def test_an_estimate_is_a_number_of_tokens(learnt, asked):
    """Whatever was learnt, an estimate is not negative, and not beyond what a machine counts."""
    habit = Habit()
    for length, sent in learnt:
        habit.learn(length, sent, sent)
        habit.learn_text(length or 0, sent)
    assert 0 <= habit.input_for(asked) < sys.maxsize
    assert habit.streamed(1_000) > 0
    assert habit.chars(habit.streamed(1_000)) >= 1_000

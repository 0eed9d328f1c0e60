"""What may come next in a filter that is being written."""

from __future__ import annotations

import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentguard_storage.filters import Completion, complete, parse
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.reader import Reader
from tests.storage.filters.filter_data import ALL_TIME, Filled
from tests.storage.filters.filter_texts import filters


def at_bar(filled: Filled, text: str) -> list[Completion]:
    """What is offered where the bar stands."""
    before, _, after = text.partition("|")
    return complete(filled.reader, ALL_TIME, before + after, len(before))


def accepted(text: str, completion: Completion) -> str:
    """The text, with a completion taken."""
    text = text.replace("|", "")
    return text[: completion.start] + completion.text + text[completion.end :]


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("mod|", "model:"),
        ("kind:llm mod|el", "kind:llm model:"),
        ("-(mod|", "-(model:"),
        ("en|", "environment:"),
        ("trace.gu|", "trace.guard:"),
        ("token|", "tokens:"),
        ("at|", "attr."),
        ("attr.cust|", "attr.customer.tier:"),
        ('attr."a|', 'attr."a b":'),
        ("resource.h|", "resource.host.name:"),
        ("kind:l|", "kind:llm"),
        ("cost_source:price|", 'cost_source:"price table"'),
        ("unpriced:|", "unpriced:true"),
        ("model:gpt-4o-|", "model:gpt-4o-mini"),
        ("model:GPT-4o-|", "model:gpt-4o-mini"),
        ("model:gpt-4o,cl|", "model:gpt-4o,claude-sonnet-4-5"),
        ("tool:fetch|", 'tool:"fetch page"'),
        ('tool:"fetch p|', 'tool:"fetch page"'),
        ('tool:"fetch p|age" kind:tool', 'tool:"fetch page" kind:tool'),
        ("trace.tool:sea|", "trace.tool:search"),
        ("service:|shop", "service:shop"),
        ("service:b|", 'service:"back office"'),
        ("session:s-|", "session:s-1"),
        ("user:a|", "user:ann"),
        ("trace.name:st|", "trace.name:step"),
        ("guard:lo|", "guard:loop"),
        ("event:ex|", "event:exception"),
        ("scope:scope.s|", "scope:scope.shop"),
        ("attr.customer.tier:g|", "attr.customer.tier:gold"),
        ("resource.host.name:d|", "resource.host.name:dev-1"),
        ("cost:|", "cost:>"),
        ("kind:llm |", "kind:llm OR"),
    ],
)
def test_it_is_offered(filled: Filled, text: str, becomes: str):
    """Names, attributes and values from the data are found by how they begin."""
    assert becomes in {accepted(text, offered) for offered in at_bar(filled, text)}


def test_frequent_values_come_first_and_say_how_often(filled: Filled):
    """Values are in the order of how often they were seen."""
    environments = [(each.text, each.detail) for each in at_bar(filled, "env:|")]
    spans = {name: len(filled.spans(f"env:{name}")) for name in ("prod", "dev")}
    assert environments == [(name, f"{times:,} times") for name, times in spans.items()]


@pytest.mark.parametrize("text", ["modle:|", "span:|", '"text|', "cost:abc|", 'attr."\\x":|'])
def test_nothing_is_offered_where_nothing_fits(filled: Filled, text: str):
    """Unknown fields, ids and texts have no completions."""
    assert at_bar(filled, text) == []


def test_the_other_project_is_not_seen(filled: Filled):
    """Attributes and values of another project are never offered."""
    stranger = Reader(filled.store.client, "prj_of_nobody")
    for text in ("attr.", "resource.", "model:", "tool:", "user:", "scope:", "attr.customer.tier:"):
        assert complete(stranger, ALL_TIME, text, len(text)) == []


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    text=st.one_of(filters, st.text(max_size=30), st.text(string.punctuation + "a b", max_size=30)),
    share=st.floats(0, 1),
)
def test_any_text_can_be_completed_anywhere(filled: Filled, text: str, share: float):
    """Whatever was written so far, completion answers, and replaces a part around the position."""
    position = round(share * len(text))
    for offered in complete(filled.reader, ALL_TIME, text, position):
        assert offered.start <= position <= offered.end <= len(text)


def test_every_value_offered_makes_a_filter(filled: Filled):
    """A value that is taken parses, and finds a span."""
    for field in ("model", "tool", "name", "message", "reason", "attr.n", "event", "trace.user"):
        for offered in at_bar(filled, f"{field}:|"):
            text = f"{field}:{offered.text}"
            assert parse(text)
            assert filled.spans(text), text


@pytest.mark.parametrize(("text", "position"), [("a", 2), ("a", -1), ("a" * 2_001, 0)])
def test_a_position_outside_is_refused(filled: Filled, text: str, position: int):
    """Positions outside the text and texts beyond the bound are refused."""
    with pytest.raises(InvalidQuery):
        complete(filled.reader, ALL_TIME, text, position)

"""Prices of a project's own: set, told as they win, removed, on both databases."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from agentguard.prices import PriceTable
from agentguard.prices.overrides import PriceOverrideError, checked
from agentguard_storage.control import Prices, Projects
from agentguard_storage.control.errors import InvalidValue, UnknownPrice, UnknownProject
from agentguard_storage.control.prices import rules_of

AT = 1_772_000_000 * 10**9


@pytest.fixture
def prices(control_db) -> Prices:
    """The prices of all projects."""
    return Prices(control_db)


def price(model: str = "m", **fields: object):
    """A checked entry; its tokens cost 1 and 2 unless it says otherwise."""
    return checked({"model": model, "input": 1, "output": 2} | fields)


def test_a_price_is_kept_exactly(prices, control_project):
    """Every amount comes back as it was given, with who set it; what was left out stays so."""
    given = price(
        " GPT-4o ",
        provider="azure.ai.openai",
        input="0.000001",
        output="1000000",
        cache_read="1.50",
        reasoning="0",
        per_request="0.01",
        **{"from": "2026-02-01"},
    )
    prices.set(control_project.id, given, by="ada")
    (entry,) = prices.list(control_project.id)
    assert (entry.provider, entry.model, entry.created_by) == ("azure", "gpt-4o", "ada")
    assert entry.created_at.tzinfo is not None
    kept = entry.override
    assert kept.start == date(2026, 2, 1)
    assert [kept.input, kept.output, kept.cache_read] == [
        Decimal("0.000001"),
        Decimal(1_000_000),
        Decimal("1.5"),
    ]
    assert (kept.cache_write, kept.reasoning, kept.per_request) == (None, 0, Decimal("0.01"))


def test_the_same_again_takes_its_place(prices, control_project):
    """One price for a provider, model and day: the last."""
    for amount in (3, 4):
        prices.set(control_project.id, price("A", output=amount))
    assert [each.override.output for each in prices.list(control_project.id)] == [4]
    prices.set(control_project.id, price("a", provider="openai"))
    prices.set(control_project.id, price("a", **{"from": "2026-01-01"}))
    assert len(prices.list(control_project.id)) == 3


def test_the_nearest_price_wins(prices, control_project):
    """One of the provider goes before one of any, and the latest day before others."""
    later = {"from": "2026-01-01"}
    for entry in (
        price("m", output=2),
        price("m", output=3, **later),
        price("m", output=4, **{"from": "2099-01-01"}),
        price("m", provider="acme", output=5),
    ):
        prices.set(control_project.id, entry)
    table = PriceTable(rules_of(prices.list(control_project.id)))
    assert table.lookup("acme", "M", AT).output == (5,)
    assert table.lookup("other", "m", AT).output == (3,)
    assert table.lookup("other", "m", 0).output == (2,)
    assert prices.rules()[control_project.id] == rules_of(prices.list(control_project.id))


def test_projects_have_their_own(control_db, prices, control_project):
    """Another project neither sees a price nor removes it."""
    other = Projects(control_db).create("other").id
    prices.set(control_project.id, price())
    assert prices.list(other) == []
    with pytest.raises(UnknownPrice):
        prices.remove(other, "m")
    assert list(prices.rules()) == [control_project.id]
    with pytest.raises(UnknownProject):
        prices.set("prj_nobody", price())


def test_a_price_is_removed_for_all_days(prices, control_project):
    """By the model's name, however it is written, and the provider's."""
    prices.set(control_project.id, price("m", provider="azure"))
    prices.set(control_project.id, price("m", provider="azure", **{"from": "2026-01-01"}))
    prices.set(control_project.id, price("m"))
    assert prices.remove(control_project.id, " M", "azure.ai.openai") == 2
    assert [each.provider for each in prices.list(control_project.id)] == [""]
    with pytest.raises(UnknownPrice, match="no price of its own for m at azure"):
        prices.remove(control_project.id, "m", "azure")


def test_the_mark_changes_with_every_change(prices, control_project):
    """Who has seen a mark knows by it that nothing has changed since."""
    marks = [prices.mark()]
    for act in (
        lambda: prices.set(control_project.id, price("a")),
        lambda: prices.set(control_project.id, price("b")),
        lambda: prices.set(control_project.id, price("a", output=3)),
        lambda: prices.remove(control_project.id, "b"),
    ):
        act()
        assert prices.mark() == prices.mark()
        marks.append(prices.mark())
    assert len(set(marks)) == len(marks)


@pytest.mark.parametrize(
    "fields",
    [
        {"input": -1},
        {"output": "0.1234567"},
        {"output": "nan"},
        {"per_request": 1_000_001},
        {"cache_read": "free"},
        {"model": ""},
        {"from": "soon"},
    ],
)
def test_what_a_file_may_not_say_is_refused(fields):
    """The check is that of a file of overrides."""
    with pytest.raises(PriceOverrideError):
        price(**fields)


@pytest.mark.parametrize(
    "fields", [{"model": " "}, {"model": "a\nb"}, {"model": "x" * 257}, {"match": "prefix"}]
)
def test_what_cannot_be_stored_is_refused(prices, control_project, fields):
    """Names are one line of printable text, and no pattern."""
    with pytest.raises(InvalidValue):
        prices.set(control_project.id, price(**fields))

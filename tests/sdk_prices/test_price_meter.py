"""Costs in whole pico-dollars: the same as the exact ones, and what can be had for an amount."""

import random
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from agentguard.prices import PriceTable, Usage, cost, rules
from agentguard.prices.meter import Meter, TokenPrice

TABLE = PriceTable()
DAY = 86_400
COUNTS = st.integers(0, 2_000_000)
PRICES = st.sampled_from([rule.price for rule in rules()])


@given(PRICES, st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS))
def test_pico_dollars_are_exact(price, usage):
    """A cost in integers is the cost in decimals, to the last digit."""
    assert TokenPrice.of(price).cost(usage) == cost(usage, price).scaleb(12)


@given(PRICES, COUNTS, COUNTS)
def test_an_estimate_is_a_cost_without_caches(price, sent, answered):
    """What is reserved for a call is what it costs if it uses just that."""
    price = TokenPrice.of(price)
    assert price.estimate(sent, answered) == price.cost(Usage(input=sent, output=answered))


@given(PRICES, COUNTS, COUNTS, st.integers(0, 10**9))
def test_what_is_affordable_is_the_most_that_is(price, sent, answered, more):
    """So many tokens can be answered for an amount, and not one more."""
    price = TokenPrice.of(price)
    amount = price.estimate(sent, answered) + more
    most = price.affordable(sent, amount)
    if most is None:
        assert price.estimate(sent, 10**9) == price.estimate(sent, 0)
        return
    assert most >= answered
    assert price.estimate(sent, most) <= amount < price.estimate(sent, most + 1)


def test_a_meter_says_what_the_table_says():
    """For names of every provider, at edges of time, the meter finds the table's price."""
    dice = random.Random(5)  # noqa: S311 - reproducible, not secret
    asked = dice.sample(rules(), 300)
    asked += dice.sample([rule for rule in rules() if not rule.timeless], 60)
    now = 0
    meter = Meter(TABLE, clock=lambda: now)
    usage = Usage(1_000, 2_000, 300, 400, 50)
    for rule in asked:
        start = int(datetime.combine(rule.start_date, datetime.min.time(), UTC).timestamp())
        later = max(start, 1_772_000_000 // DAY * DAY)
        for at in (start - 1, start, later + rule.from_second, later + rule.until_second):
            now = max(at, 0)
            price = TABLE.lookup(rule.provider, rule.match.pattern, now * 10**9)
            found = meter.price(rule.provider, rule.match.pattern)
            if price is None:
                assert found is None
            else:
                assert found is not None
                assert found.cost(usage) == cost(usage, price).scaleb(12)


def test_a_price_that_changes_is_not_a_fixed_one():
    """Only what holds at any time may be kept by who asked for it."""
    meter = Meter(TABLE)
    changing = next(r for r in rules() if not r.timeless and r.match.kind == "exact")
    assert meter.fixed("openai", "gpt-4o") is meter.price("openai", "gpt-4o")
    assert meter.fixed(changing.provider, changing.match.pattern) is None
    assert meter.fixed("openai", "no-such-model") is None


def test_names_without_end_are_not_all_remembered():
    """A program that makes up names does not fill memory with them."""
    meter = Meter(TABLE)
    for number in range(10_000):
        assert meter.price("acme", f"model-{number}") is None
    assert len(meter._always) <= 4_096
    assert meter.price("openai", "gpt-4o") is not None

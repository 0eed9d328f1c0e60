"""Our rules against the package they come from, over every model it knows."""

from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import pytest
from genai_prices import types as genai
from hypothesis import given, settings
from hypothesis import strategies as st

from agentguard.prices import PriceTable, Usage, cost
from agentguard.prices.flatten import bundled

TABLE = PriceTable()
PROVIDERS = bundled()
COUNT = st.one_of(st.just(0), st.integers(0, 2_000), st.integers(0, 3_000_000))
USAGES = st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT)
TIMES = st.integers(1_672_531_200, 1_830_297_600).map(lambda s: datetime.fromtimestamp(s, UTC))


def names_in(clause):
    """All names a clause spells out, whole or in part."""
    match clause:
        case genai.ClauseOr(or_=parts) | genai.ClauseAnd(and_=parts):
            return [name for part in parts for name in names_in(part)]
        case genai.ClauseRegex():
            return []
        case _:
            return list(vars(clause).values())


MODELS = sorted(
    {(p.id, name) for p in PROVIDERS for m in p.models for name in (m.id, *names_in(m.match))}
)
MODEL_NAMES = sorted({name for _, name in MODELS})


def theirs(provider, model, usage, at):
    """What genai-prices says, or None where it does not know the model."""
    given = genai_prices.Usage(
        input_tokens=usage.total_input,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
        output_tokens=usage.output + usage.reasoning,
        output_reasoning_tokens=usage.reasoning,
    )
    try:
        return genai_prices.calc_price(
            given, model, provider_id=provider, genai_request_timestamp=at
        )
    except LookupError:
        return None


def agree(provider, model, usage, at):
    """Assert that both price a call alike, whatever they say of it."""
    price = TABLE.lookup(provider, model, int(at.timestamp()) * 10**9)
    expected = theirs(provider, model, usage, at)
    if price is None:
        assert expected is None or billed_in_other_units(expected.model_price), (provider, model)
        return
    assert expected is not None, (provider, model, price)
    ours = cost(usage, price)
    if noisy(expected.model_price):
        assert abs(ours - expected.total_price) <= Decimal("1e-12") * sum((*usage, usage.output))
    else:
        assert ours == expected.total_price, (provider, model, usage, at, price)


def billed_in_other_units(prices):
    """Whether there are prices, but none by token or request."""
    keys = {key for key, value in vars(prices).items() if value is not None}
    return bool(keys) and not keys & {"input_mtok", "output_mtok", "requests_kcount"}


def noisy(prices):
    """Whether a price carries floating-point noise, such as 0.18000000000000002."""
    values = [value for value in vars(prices).values() if isinstance(value, Decimal)]
    tiered = [value for value in vars(prices).values() if isinstance(value, genai.TieredPrices)]
    values += [p for value in tiered for p in (value.base, *(tier.price for tier in value.tiers))]
    return any(-value.as_tuple().exponent > 6 for value in values)


@settings(max_examples=3, deadline=None)
@given(usage=USAGES, at=TIMES)
def test_every_model_costs_what_genai_prices_says(usage, at):
    """The cost of any usage of any named model equals genai-prices' to the last digit."""
    for provider, model in MODELS:
        agree(provider, model, usage, at)


@settings(max_examples=150, deadline=None)
@given(
    provider=st.sampled_from([p.id for p in PROVIDERS] + ["bedrock", "Amazon", "vertex", "nobody"]),
    model=st.sampled_from(MODEL_NAMES),
    suffix=st.sampled_from(
        ["", "-20251211", "-2026-01-31", "-20260231", "@20260102", "-preview-tts", ":free", "x"]
    ),
    usage=USAGES,
    at=TIMES,
)
def test_any_provider_with_any_name_finds_what_genai_prices_finds(
    provider, model, suffix, usage, at
):
    """Crossing providers with other providers' names and suffixes leads to the same price."""
    agree(provider, (model + suffix).upper(), usage, at)


@settings(max_examples=120, deadline=None)
@given(
    model=st.sampled_from([name for name in MODEL_NAMES if "/" not in name]),
    usage=USAGES,
    at=TIMES,
)
def test_a_missing_provider_is_told_by_the_model(model, usage, at):
    """Without a provider, the model's name picks the one that genai-prices would pick."""
    agree(None, model, usage, at)


@settings(max_examples=100, deadline=None)
@given(
    provider=st.sampled_from(["openai", "anthropic", "google", "groq"]),
    model=st.sampled_from(MODEL_NAMES),
    usage=USAGES,
    at=TIMES,
)
def test_litellm_names_its_provider_in_the_model(provider, model, usage, at):
    """`litellm` with `provider/model` is priced as that provider's model."""
    agree("litellm", f"{provider}/{model}", usage, at)


@pytest.mark.parametrize("side", [0, 1])
def test_a_tier_begins_above_its_start(side):
    """A call of exactly as many tokens as a tier's start still pays the lower price."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    price = TABLE.lookup("google", "gemini-2.5-pro", int(at.timestamp()) * 10**9)
    assert price is not None
    (start,) = price.tier_starts
    usage = Usage(input=start - 10, cache_read=10 + side, output=7)
    assert cost(usage, price) == theirs("google", "gemini-2.5-pro", usage, at).total_price
    assert (cost(usage, price) > cost(Usage(start - 10, 10, 0, 7), price)) == bool(side)

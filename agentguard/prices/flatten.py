"""Flattens the genai-prices package into rules. Importing this module loads that package."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal

from genai_prices import types as genai
from genai_prices.data_snapshot import DataSnapshot

from agentguard.prices.model import PRICE_SCALE, ModelPrice, Tiers
from agentguard.prices.providers import ALIASES, NOT_PROVIDERS
from agentguard.prices.rule import ALWAYS, DAY_SECONDS, Match, PriceRule, ProviderRule

logger = logging.getLogger(__name__)

_CONDITIONS = 64
_TOKEN_PRICES = (
    "input_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "output_mtok",
    "output_reasoning_mtok",
    "cache_write_1h_mtok",
    "input_audio_mtok",
    "output_audio_mtok",
)


def bundled() -> list[genai.Provider]:
    """Return the data shipped in the installed package, whatever an application set or updated."""
    from genai_prices.data import providers

    return DataSnapshot(providers=providers, from_auto_update=False).providers


def provider_rules(providers: list[genai.Provider]) -> Iterator[ProviderRule]:
    """Yield our names for the providers, then their ids, then genai-prices' own patterns."""
    known = {provider.id for provider in providers}
    found: list[tuple[str, Match, str]] = [
        ("provider", Match("exact", name), "") for name in NOT_PROVIDERS
    ]
    found += [
        ("provider", Match("exact", name), provider)
        for provider, names in ALIASES.items()
        if provider in known
        for name in names
    ]
    found += [("provider", Match("exact", provider.id), provider.id) for provider in providers]
    for provider in providers:
        found += [("provider", m, provider.id) for m in _matches(provider.provider_match)]
        found += [("model", m, provider.id) for m in _matches(provider.model_match)]
    for priority, (field, match, provider_id) in enumerate(found):
        if field == "provider":
            yield ProviderRule("provider", match, provider_id, priority)
        else:
            yield ProviderRule("model", match, provider_id, priority)


def price_rules(providers: list[genai.Provider]) -> Iterator[PriceRule]:
    """Yield every provider's rules, best first, then those of the providers it falls back to."""
    by_id = {provider.id: provider for provider in providers}
    prices = {id(m): list(_conditions(p.id, m)) for p in providers for m in p.models}
    for provider in providers:
        sources = [provider, *(by_id[name] for name in provider.fallback_model_providers or ())]
        models = (model for source in sources for model in source.models)
        for rank, model in enumerate(models):
            for match in _matches(model.match):
                for index, (price, start, begin, end) in enumerate(prices[id(model)]):
                    priority = rank * _CONDITIONS + _CONDITIONS - 1 - index
                    yield PriceRule(provider.id, match, priority, price, start, begin, end)


def _conditions(
    provider: str, model: genai.ModelInfo
) -> Iterator[tuple[ModelPrice, date, int, int]]:
    if isinstance(model.prices, genai.ModelPrice):
        yield _model_price(provider, model.id, model.prices), ALWAYS, 0, DAY_SECONDS
        return
    for index, conditional in enumerate(model.prices):
        price = _model_price(provider, model.id, conditional.prices)
        match conditional.constraint:
            # The first one also counts where no condition holds, so its own does not matter.
            case genai.StartDateConstraint(start_date=start) if index:
                yield price, start, 0, DAY_SECONDS
            case genai.TimeOfDateConstraint(start_time=begin, end_time=end) if index:
                yield price, ALWAYS, _second_of_day(begin), _second_of_day(end)
            case _:
                yield price, ALWAYS, 0, DAY_SECONDS


def _second_of_day(value: time) -> int:
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    utc = datetime.combine(ALWAYS, aware).astimezone(UTC)
    return utc.hour * 3600 + utc.minute * 60 + utc.second


def _model_price(provider: str, model: str, prices: genai.ModelPrice) -> ModelPrice:
    charged = {key: value for key, value in vars(prices).items() if value is not None}
    starts = sorted(
        {
            tier.start
            for key in _TOKEN_PRICES
            if isinstance(value := charged.get(key), genai.TieredPrices)
            for tier in value.tiers
        }
    )
    tiers = {key: _tiers(charged[key], starts) for key in _TOKEN_PRICES if key in charged}
    per_request = charged.get("requests_kcount", Decimal(0))
    zero = (Decimal(0),) * (1 + len(starts))
    input_price = tiers.get("input_mtok", zero)
    output_price = tiers.get("output_mtok", zero)
    return ModelPrice(
        provider=provider,
        model=model,
        tier_starts=tuple(starts),
        input=input_price,
        cache_read=tiers.get("cache_read_mtok", input_price),
        cache_write=tiers.get("cache_write_mtok", input_price),
        output=output_price,
        reasoning=tiers.get("output_reasoning_mtok", output_price),
        cache_write_1h=tiers.get("cache_write_1h_mtok", ()),
        input_audio=tiers.get("input_audio_mtok", ()),
        output_audio=tiers.get("output_audio_mtok", ()),
        per_request=per_request / 1000,
        # No price at all means free of charge; prices in other units only mean we cannot tell.
        priced=not charged
        or bool(charged.keys() & {"input_mtok", "output_mtok", "requests_kcount"}),
    )


def _tiers(value: Decimal | genai.TieredPrices, starts: list[int]) -> Tiers:
    if isinstance(value, Decimal):
        return (_rounded(value),) * (1 + len(starts))
    reached = [
        [tier.price for tier in value.tiers if tier.start <= start] or [value.base]
        for start in starts
    ]
    return (_rounded(value.base), *(_rounded(prices[-1]) for prices in reached))


def _rounded(price: Decimal) -> Decimal:
    return price.quantize(PRICE_SCALE).normalize() + 0


def _matches(clause: genai.MatchLogic | None) -> Iterator[Match]:
    """Yield tests of which one must hold; a clause that no test can express is left out."""
    match clause:
        case None:
            return
        case genai.ClauseOr(or_=clauses):
            for part in clauses:
                yield from _matches(part)
        case genai.ClauseAnd(and_=clauses):
            both = [list(_matches(part)) for part in clauses]
            if (joined := _joined(both)) is None:
                logger.warning("a price rule was left out, it cannot be expressed: %s", clause)
            else:
                yield joined
        case genai.ClauseEquals(equals=text):
            yield Match("exact", text.lower())
        case genai.ClauseStartsWith(starts_with=text):
            yield Match("prefix", text.lower())
        case genai.ClauseEndsWith(ends_with=text):
            yield Match("suffix", text.lower())
        case genai.ClauseContains(contains=text):
            yield Match("contains", text.lower())
        case genai.ClauseRegex(regex=text):
            yield _without_lookahead(text)


def _joined(parts: list[list[Match]]) -> Match | None:
    if any(len(part) != 1 for part in parts):
        return None
    matches = [match for (match,) in parts]
    excluded = "|".join(f"(?:{m.unless})" for m in matches if m.unless)
    wanted = [m for m in matches if (m.kind, m.pattern) != ("regex", "^")]
    if len(wanted) == 1:
        return Match(wanted[0].kind, wanted[0].pattern, excluded)
    if len(wanted) == 2 and all(m.kind == "contains" for m in wanted):
        one, other = (re.escape(m.pattern) for m in wanted)
        return Match("regex", f"{one}.*{other}|{other}.*{one}", excluded)
    return None


_LEADING_LOOKAHEAD = re.compile(r"\^\(\?!((?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*)\)")


def _without_lookahead(regex: str) -> Match:
    """Move a leading `^(?!...)` to `unless`: RE2, ClickHouse's regex engine, has no lookahead."""
    if found := _LEADING_LOOKAHEAD.match(regex):
        return Match("regex", "^" + regex[found.end() :], "^" + found.group(1))
    return Match("regex", regex)

"""The price list to leaf through: which models there are, and which names are like a name."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from agentguard.prices.model import BUNDLED, ModelPrice
from agentguard.prices.rule import DAY_SECONDS, PriceRule

if TYPE_CHECKING:
    from agentguard.prices.table import PriceTable

__all__ = ["models", "providers_of", "similar"]

_NANOSECONDS: Final = 1_000_000_000
_ALIKE: Final = 0.6
"""How like another a name has to be to be proposed, as `difflib` measures it."""


def models(
    table: PriceTable, at: int, provider: str | None = None, text: str = ""
) -> list[tuple[str, ModelPrice]]:
    """What has a price at `at` (Unix nanoseconds): provider and price of each model, by name.

    Only the provider's, where one is given, and only models with `text` in their name. Provider
    `""` is any.
    """
    wanted = None if provider is None else table.resolve(provider, "")[0]
    day, second = divmod(at // _NANOSECONDS, DAY_SECONDS)
    active = [rule for rule in table.rules if rule.active(day, second)]
    own = [rule for rule in active if rule.price.source != BUNDLED]
    found: dict[tuple[str, str], ModelPrice] = {}
    for rule in active:
        key = provider_id, model = rule.provider, rule.price.model
        if key in found or text.lower() not in model.lower():
            continue
        if wanted is not None and provider_id not in ("", wanted):
            continue
        # Overrides win for every name that they match, and not only for the one they are known by.
        price = next((o.price for o in own if _replaces(o, provider_id, model)), rule.price)
        if price.priced:
            found[key] = replace(price, model=model)
    return [(provider_id, found[provider_id, model]) for provider_id, model in sorted(found)]


def providers_of(table: PriceTable, model: str, at: int) -> list[str]:
    """The providers at which the model has a price, by name."""
    known = {rule.provider for rule in table.rules}
    return sorted(p for p in known if p and table.lookup(p, model, at) is not None)


def similar(table: PriceTable, provider: str | None, model: str, most: int = 5) -> list[str]:
    """Names of models, of the provider if that is known, that are most like this one."""
    provider_id, name = table.resolve(provider, model)
    of_provider = {r.price.model for r in table.rules if r.provider == provider_id}
    names = of_provider or {rule.price.model for rule in table.rules}
    by_lower = {known.lower(): known for known in sorted(names)}
    return [by_lower[each] for each in get_close_matches(name, by_lower, most, _ALIKE)]


def _replaces(override: PriceRule, provider: str, model: str) -> bool:
    return override.provider in ("", provider) and override.match(model.lower())

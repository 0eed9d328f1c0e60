"""Prices of model calls: one source for the SDK and for the store.

The data is that of the `genai-prices` package, flattened to rules that Python and SQL evaluate
alike. Prices are in USD per million tokens with at most six decimals, so one token costs a whole
number of pico-dollars and cost is exact in a `Decimal` of scale 12.

A call's cost, given its five disjoint counts (see `Usage`), in the terms of `PriceRule.row()`:

    total_input = input_tokens + cache_read_tokens + cache_write_tokens
    tier = 1 + arrayCount(start -> total_input > start, tier_starts)          -- 1-based
    cost = 1e-6 * (input_tokens * input[tier] + cache_read_tokens * cache_read[tier]
           + cache_write_tokens * cache_write[tier] + output_tokens * output[tier]
           + reasoning_tokens * reasoning[tier]) + per_request                -- NULL if not priced

which rule's prices those are is told in `PriceRule`, `ProviderRule` and `PriceTable.resolve`.
What a request's context changes (batch and fast modes) and prices in other units (images, audio
hours, searches) are not covered, for spans do not carry them.
"""

from agentguard.prices.model import ModelPrice, Usage, cost
from agentguard.prices.rule import COLUMNS, Match, PriceRule, ProviderRule
from agentguard.prices.table import PriceTable, price_version, provider_rules, rules

__all__ = [
    "COLUMNS",
    "Match",
    "ModelPrice",
    "PriceRule",
    "PriceTable",
    "ProviderRule",
    "Usage",
    "cost",
    "price_version",
    "provider_rules",
    "rules",
]

"""The price table: rules, indexed by provider, with every answer remembered."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Final

from agentguard.prices.model import ModelPrice
from agentguard.prices.rule import (
    DAY_SECONDS,
    PriceRule,
    ProviderRule,
    with_dashed_dates,
)

_NANOSECONDS: Final = 1_000_000_000
_REMEMBERED: Final = 4096


@cache
def rules() -> tuple[PriceRule, ...]:
    """Return all price rules of the installed genai-prices, in a fixed order."""
    from agentguard.prices import flatten

    return tuple(flatten.price_rules(flatten.bundled()))


@cache
def provider_rules() -> tuple[ProviderRule, ...]:
    """Return all rules that turn a provider's name, or a model's, into a provider id."""
    from agentguard.prices import flatten

    return tuple(flatten.provider_rules(flatten.bundled()))


def price_version(overrides: Sequence[PriceRule] = ()) -> str:
    """Return `<genai-prices version>+<digest>`; the digest covers all rules that are in force."""
    digest = hashlib.sha256(_bundled_digest())
    digest.update(repr(tuple(overrides)).encode())
    return f"{version('genai-prices')}+{digest.hexdigest()[:12]}"


@cache
def _bundled_digest() -> bytes:
    return hashlib.sha256(repr((rules(), provider_rules())).encode()).digest()


class PriceTable:
    """Looks up prices. `overrides` win over the bundled rules, the first that matches first.

    Building the first table of a process imports genai-prices, which takes some tenths of a
    second: build it outside the path of a call.
    """

    def __init__(self, overrides: Sequence[PriceRule] = ()) -> None:
        self.version = price_version(overrides)
        self._by_provider: dict[str, list[PriceRule]] = defaultdict(list)
        self.rules = tuple(sorted((*overrides, *rules()), key=lambda rule: rule.priority))
        """All rules, those that win first."""
        for rule in self.rules:
            self._by_provider[rule.provider].append(rule)
        self._named = [rule for rule in provider_rules() if rule.field == "provider"]
        self._by_model = [rule for rule in provider_rules() if rule.field == "model"]
        self._periods = lru_cache(_REMEMBERED)(self._find_periods)

    @classmethod
    def load(cls, overrides: Path | None = None) -> PriceTable:
        """Build the table with the overrides in a TOML or JSON file.

        Raises:
            PriceOverrideError: the file cannot be read or an entry in it is wrong.
        """
        if overrides is None:
            return cls()
        from agentguard.prices.overrides import load_overrides

        return cls(load_overrides(overrides))

    def lookup(self, provider: str | None, model: str, at: int) -> ModelPrice | None:
        """Return the price of `model` for a call made at `at` (unix nanoseconds).

        None where the provider or model is unknown, or is not billed by token or request.
        """
        rule = self.rule(provider, model, at)
        return rule.price if rule is not None and rule.price.priced else None

    def rule(self, provider: str | None, model: str, at: int) -> PriceRule | None:
        """Return the rule that `lookup` goes by, also where it says that there is no price."""
        day, second = divmod(at // _NANOSECONDS, DAY_SECONDS)
        for rule in self._periods(provider, model):
            if rule.timeless or rule.active(day, second):
                return rule
        return None

    def periods(self, provider: str | None, model: str) -> tuple[PriceRule, ...]:
        """Return the rules that price the model, the first that is active counts; none if unknown.

        Where one of them is always active, it is the last.
        """
        return self._periods(provider, model)

    def resolve(self, provider: str | None, model: str) -> tuple[str, str]:
        """Return the provider id and the lower-cased model name under which rules are looked up.

        A name nobody knows is kept as its own provider, so that an override can price it. Without
        a provider, `openai/gpt-4o` names it; otherwise the model's name has to tell.
        """
        model = model.lower()
        name = (provider or "").strip().lower()
        found = self._provider_named(name)
        if found is None:
            return name, model
        if found:
            return found, model
        prefix, slash, rest = model.partition("/")
        if slash and (named := self._provider_named(prefix)):
            return named, rest
        return next((rule.provider for rule in self._by_model if rule.match(model)), ""), model

    def _provider_named(self, name: str) -> str | None:
        return next((rule.provider for rule in self._named if rule.match(name)), None)

    def _find_periods(self, provider: str | None, model: str) -> tuple[PriceRule, ...]:
        """Return the rules that may apply, best first, up to the first that always does."""
        provider_id, name = self.resolve(provider, model)
        groups = (self._by_provider.get(key, ()) for key in {"", provider_id})
        candidates = sorted(chain.from_iterable(groups), key=lambda rule: rule.priority)
        for written in (name, with_dashed_dates(name)):
            if matching := [rule for rule in candidates if rule.match(written)]:
                return _until_timeless(matching)
        return ()


def _until_timeless(matching: Iterable[PriceRule]) -> tuple[PriceRule, ...]:
    kept: list[PriceRule] = []
    for rule in matching:
        kept.append(rule)
        if rule.timeless:
            break
    return tuple(kept)

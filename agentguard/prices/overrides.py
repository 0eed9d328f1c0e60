"""Price overrides, which replace or add prices: the entries of a file, and those of a project."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agentguard.prices.model import ModelPrice
from agentguard.prices.rule import ALWAYS, Match, MatchKind, PriceRule

if TYPE_CHECKING:
    from agentguard.prices.table import PriceTable

Price = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=6)]


class PriceOverrideError(ValueError):
    """A price override, or a file of them, is wrong; the message says where and how."""


class Override(BaseModel):
    """One entry, a `[[price]]` of the file: USD per million tokens, `per_request` in USD."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=False)

    provider: str = ""
    model: Annotated[str, Field(min_length=1)]
    match: MatchKind = "exact"
    start: Annotated[date, Field(alias="from")] = ALWAYS
    input: Price
    output: Price
    cache_read: Price | None = None
    cache_write: Price | None = None
    reasoning: Price | None = None
    per_request: Price = Decimal(0)

    @model_validator(mode="after")
    def _regex_is_portable(self) -> Self:
        if self.match != "regex":
            return self
        try:
            re.compile(self.model)
        except re.error as error:
            raise ValueError(f"model is not a valid regex: {error}") from None
        if re.search(r"\(\?<?[=!]|\\[1-9]", self.model):
            raise ValueError("model: lookarounds and back-references are not supported in a regex")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    price: list[Override]


def load_overrides(path: Path) -> tuple[PriceRule, ...]:
    """Read overrides; the first entry that matches a call wins.

    The file holds `[[price]]` tables (TOML) or `{"price": [...]}` (JSON). Each entry has `model`,
    `input` and `output`, and may have `provider` (any, where left out), `match` (`exact`,
    `prefix`, `suffix`, `contains`, `regex`), `from` (a UTC date), `cache_read`, `cache_write`,
    `reasoning` and `per_request`.

    Raises:
        PriceOverrideError: the file cannot be read, or an entry is wrong.
    """
    try:
        entries = _File.model_validate(_parsed(path)).price
    except ValidationError as error:
        raise PriceOverrideError(f"{path}: {_explained(error)}") from None
    return override_rules(entries)


def checked(fields: Mapping[str, object]) -> Override:
    """One entry, made of what a file would say of it. Raises PriceOverrideError."""
    try:
        return Override.model_validate(fields)
    except ValidationError as error:
        raise PriceOverrideError(_explained(error)) from None


def override_rules(entries: Sequence[Override], source: str = "override") -> tuple[PriceRule, ...]:
    """The rules of the entries, of which the first that matches wins."""
    if not entries:
        return ()
    return tuple(
        _rule(entry, index - len(entries), provider_id(entry.provider), source)
        for index, entry in enumerate(entries)
    )


def in_order(*groups: Sequence[PriceRule]) -> tuple[PriceRule, ...]:
    """All the overrides, those of the first group before those of the next."""
    rules = list(chain.from_iterable(groups))
    return tuple(replace(rule, priority=i - len(rules)) for i, rule in enumerate(rules))


def provider_id(name: str) -> str:
    """The provider that is meant by the name; the name itself, lower-cased, of a stranger."""
    return _names().resolve(name, "")[0]


@cache
def _names() -> PriceTable:
    from agentguard.prices.table import PriceTable

    return PriceTable()


def _parsed(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            return json.loads(text, parse_float=Decimal)
        return tomllib.loads(text, parse_float=Decimal)
    except OSError as error:
        raise PriceOverrideError(f"{path}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        form = "JSON" if path.suffix == ".json" else "TOML"
        raise PriceOverrideError(f"{path}: is not valid {form}: {error}") from None


def _explained(error: ValidationError) -> str:
    return "; ".join(
        " ".join(
            (
                *(f"entry {part + 1}," if isinstance(part, int) else f"{part}:" for part in where),
                problem["msg"].removeprefix("Value error, "),
            )
        )
        for problem in error.errors(include_url=False, include_input=False)
        for where in [problem["loc"]]
    )


def _rule(entry: Override, priority: int, provider: str, source: str) -> PriceRule:
    pattern = entry.model if entry.match == "regex" else entry.model.lower()
    price = ModelPrice(
        provider=provider,
        model=entry.model,
        tier_starts=(),
        input=(entry.input,),
        cache_read=(entry.input if entry.cache_read is None else entry.cache_read,),
        cache_write=(entry.input if entry.cache_write is None else entry.cache_write,),
        output=(entry.output,),
        reasoning=(entry.output if entry.reasoning is None else entry.reasoning,),
        per_request=entry.per_request,
        source=source,
    )
    return PriceRule(provider, Match(entry.match, pattern), priority, price, entry.start)

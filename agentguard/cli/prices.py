"""`agentguard prices`."""

import time
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from agentguard.cli.errors import CliError
from agentguard.cli.options import AsJson
from agentguard.cli.terminal import emit_json, err, out, plain

if TYPE_CHECKING:
    from agentguard.prices import ModelPrice, PriceRule, PriceTable

__all__ = ["prices"]

prices = typer.Typer(no_args_is_help=True, help="What models cost, as guards and the store count.")

ProviderName = Annotated[
    str | None,
    typer.Option("--provider", help="Who answers: openai, azure, anthropic and so on."),
]
_KINDS = ("input", "cache_read", "cache_write", "output", "reasoning")


@dataclass(frozen=True)
class _Tier:
    """US dollars per million tokens, of calls that send more than so many tokens."""

    above_input_tokens: int
    input: Decimal
    cache_read: Decimal
    cache_write: Decimal
    output: Decimal
    reasoning: Decimal


@dataclass(frozen=True)
class _Price:
    """What is shown of a price."""

    provider: str
    model: str
    tiers: list[_Tier]
    per_request: Decimal
    source: str
    """`genai-prices`, or the file of overrides."""


@dataclass(frozen=True)
class _Found(_Price):
    """What is shown of the price of one model, now."""

    since: date | None
    """The UTC day from which it holds; None where it always did."""
    daily: str
    """The hours of the day in which it holds, in UTC; empty for all of them."""
    version: str


@prices.command()
def show(
    model: Annotated[str, typer.Argument(help="A model's name, as spans have it.")],
    provider: ProviderName = None,
    as_json: AsJson = False,
) -> None:
    """Show what a model costs now, and where that price is from."""
    table, overrides = _load()
    now = time.time_ns()
    rule = table.rule(provider, model, now)
    if rule is None or not rule.price.priced:
        raise _unknown(table, provider, model, now, rule)
    found = _found(table.resolve(provider, model)[0], rule, table, overrides)
    if as_json:
        emit_json(found)
        return
    shown = _columns("sent tokens")
    for tier in found.tiers:
        above = tier.above_input_tokens
        shown.add_row(f"above {above:,}" if above else "any number", *_cells(tier))
    out.print(plain(f"{found.provider or 'any provider'}: {found.model}", "bold"))
    out.print(shown)
    if found.per_request:
        out.print(f"and {_usd(found.per_request)} for each call")
    if found.since:
        out.print(f"since {found.since}")
    if found.daily:
        out.print(f"from {found.daily} UTC, and otherwise at other hours")
    out.print(plain(f"US dollars per million tokens, from {found.source} ({found.version})", "dim"))


@prices.command("list")
def list_prices(
    text: Annotated[str, typer.Option("--text", help="Only models with this in their name.")] = "",
    provider: ProviderName = None,
    as_json: AsJson = False,
) -> None:
    """List the models that have a price."""
    from agentguard.prices.catalogue import models

    table, overrides = _load()
    listed = models(table, time.time_ns(), provider, text)
    found = [_price(of, price, overrides) for of, price in listed]
    if as_json:
        emit_json(found)
        return
    shown = _columns("provider", "model")
    for price in found:
        # The first tier: `show` has the others.
        more = " +" if len(price.tiers) > 1 else ""
        name = plain(f"{price.model}{more}")
        shown.add_row(plain(price.provider or "any"), name, *_cells(price.tiers[0]))
    out.print(shown)
    err.print(
        f"[dim]{len(found):,} models, US dollars per million tokens; + where long prompts cost "
        f"more. {table.version}[/dim]"
    )


def _load() -> "tuple[PriceTable, Path | None]":
    from agentguard.prices.source import load_table, override_file

    overrides = override_file()
    return load_table(overrides), overrides


def _unknown(
    table: "PriceTable", provider: str | None, model: str, now: int, rule: "PriceRule | None"
) -> CliError:
    from agentguard.prices.catalogue import providers_of, similar
    from agentguard.prices.source import PRICES_VAR

    at = f" at {provider}" if provider else ""
    if rule is not None:
        return CliError(
            f"{model}{at} is not billed by tokens",
            hint=f"give it a price per token or per request in the file that {PRICES_VAR} names",
        )
    elsewhere = providers_of(table, model, now)
    alike = similar(table, provider, model)
    if elsewhere:
        hint = f"it has one at {', '.join(elsewhere)}: say which with --provider"
    elif alike:
        hint = f"did you mean {', '.join(alike)}?"
    else:
        hint = f"add it to the file that {PRICES_VAR} names"
    return CliError(f"the price of {model}{at} is not known", hint=hint)


def _found(provider: str, rule: "PriceRule", table: "PriceTable", overrides: Path | None) -> _Found:
    from agentguard.prices.rule import ALWAYS, DAY_SECONDS

    all_day = rule.until_second - rule.from_second == DAY_SECONDS
    return _Found(
        **vars(_price(provider, rule.price, overrides)),
        since=None if rule.start_date == ALWAYS else rule.start_date,
        daily="" if all_day else f"{_hour(rule.from_second)} to {_hour(rule.until_second)}",
        version=table.version,
    )


def _price(provider: str, price: "ModelPrice", overrides: Path | None) -> _Price:
    starts = (0, *price.tier_starts)
    columns = zip(*(getattr(price, kind) for kind in _KINDS), strict=True)
    return _Price(
        provider=provider,
        model=price.model,
        tiers=[_Tier(start, *tier) for start, tier in zip(starts, columns, strict=True)],
        per_request=price.per_request,
        source=str(overrides) if price.source == "override" else price.source,
    )


def _columns(*names: str) -> Table:
    table = Table(*names)
    for kind in _KINDS:
        table.add_column(kind.replace("_", " "), justify="right", no_wrap=True)
    return table


def _cells(tier: _Tier) -> list[str]:
    return [_usd(getattr(tier, kind)) for kind in _KINDS]


def _usd(amount: Decimal) -> str:
    """Dollars, with as many decimals as there are, and two at least."""
    whole, _, part = f"{amount:f}".partition(".")
    return f"${int(whole):,}.{part.rstrip('0'):0<2}"


def _hour(seconds: int) -> str:
    return f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}"

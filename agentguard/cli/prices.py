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
from agentguard.cli.options import AsJson, DataDir
from agentguard.cli.own_prices import OfProject, Own, own_prices, set_price, unset_price
from agentguard.cli.terminal import emit_json, err, out, plain

if TYPE_CHECKING:
    from agentguard.prices import ModelPrice, PriceRule, PriceTable

__all__ = ["prices"]

prices = typer.Typer(no_args_is_help=True, help="What models cost, as guards and the store count.")
prices.command("set")(set_price)
prices.command("unset")(unset_price)

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
    """`genai-prices`, the file of overrides, or `project` and its name."""


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
    project: OfProject = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show what a model costs now, and where that price is from."""
    table, own = _load(project, data_dir)
    now = time.time_ns()
    rule = table.rule(provider, model, now)
    if rule is None or not rule.price.priced:
        raise _unknown(table, provider, model, now, rule)
    found = _found(table.resolve(provider, model)[0], rule, table, own)
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
    project: OfProject = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List the models that have a price."""
    from agentguard.prices.catalogue import models

    table, own = _load(project, data_dir)
    listed = models(table, time.time_ns(), provider, text)
    found = [_price(of, price, own) for of, price in listed]
    if as_json:
        emit_json(found)
        return
    shown = _columns("provider", "model", last="from")
    for price in found:
        # The first tier: `show` has the others.
        more = " +" if len(price.tiers) > 1 else ""
        name = plain(f"{price.model}{more}")
        shown.add_row(
            plain(price.provider or "any"), name, *_cells(price.tiers[0]), plain(price.source)
        )
    out.print(shown)
    err.print(
        f"[dim]{len(found):,} models, US dollars per million tokens; + where long prompts cost "
        f"more. {table.version}[/dim]"
    )


def _load(project: str | None, data_dir: Path | None) -> "tuple[PriceTable, Own]":
    from agentguard.prices.overrides import in_order
    from agentguard.prices.source import override_file, override_rules
    from agentguard.prices.table import PriceTable

    file = override_file()
    own = own_prices(project, data_dir, file)
    return PriceTable(in_order(own.rules, override_rules(file))), own


def _unknown(
    table: "PriceTable", provider: str | None, model: str, now: int, rule: "PriceRule | None"
) -> CliError:
    from agentguard.prices.catalogue import providers_of, similar
    from agentguard.prices.source import PRICES_VAR

    at = f" at {provider}" if provider else ""
    if rule is not None:
        return CliError(
            f"{model}{at} is not billed by tokens",
            hint="give it a price per token or per request: `agentguard prices set`, or "
            f"the file that {PRICES_VAR} names",
        )
    elsewhere = providers_of(table, model, now)
    alike = similar(table, provider, model)
    if elsewhere:
        hint = f"it has one at {', '.join(elsewhere)}: say which with --provider"
    elif alike:
        hint = f"did you mean {', '.join(alike)}?"
    else:
        hint = f"give it one: `agentguard prices set`, or the file that {PRICES_VAR} names"
    return CliError(f"the price of {model}{at} is not known", hint=hint)


def _found(provider: str, rule: "PriceRule", table: "PriceTable", own: Own) -> _Found:
    from agentguard.prices.rule import ALWAYS, DAY_SECONDS

    all_day = rule.until_second - rule.from_second == DAY_SECONDS
    return _Found(
        **vars(_price(provider, rule.price, own)),
        since=None if rule.start_date == ALWAYS else rule.start_date,
        daily="" if all_day else f"{_hour(rule.from_second)} to {_hour(rule.until_second)}",
        version=table.version,
    )


def _price(provider: str, price: "ModelPrice", own: Own) -> _Price:
    starts = (0, *price.tier_starts)
    columns = zip(*(getattr(price, kind) for kind in _KINDS), strict=True)
    return _Price(
        provider=provider,
        model=price.model,
        tiers=[_Tier(start, *tier) for start, tier in zip(starts, columns, strict=True)],
        per_request=price.per_request,
        source=own.source(price.source),
    )


def _columns(*names: str, last: str = "") -> Table:
    table = Table(*names)
    for kind in _KINDS:
        table.add_column(kind.replace("_", " "), justify="right", no_wrap=True)
    if last:
        table.add_column(last)
    return table


def _cells(tier: _Tier) -> list[str]:
    return [_usd(getattr(tier, kind)) for kind in _KINDS]


def _usd(amount: Decimal) -> str:
    """Dollars, with as many decimals as there are, and two at least."""
    whole, _, part = f"{amount:f}".partition(".")
    return f"${int(whole):,}.{part.rstrip('0'):0<2}"


def _hour(seconds: int) -> str:
    return f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}"

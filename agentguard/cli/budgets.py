"""`agentguard budgets`: budgets that several processes share."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from agentguard.budgets.spend import Limits, Spend, Unit, pico_dollars
from agentguard.budgets.words import amount
from agentguard.cli.errors import CONFLICT, CliError
from agentguard.cli.options import AsJson, DataDir, ProjectName
from agentguard.cli.services import control_plane, resolve_project
from agentguard.cli.terminal import clean, emit_json, out, plain

if TYPE_CHECKING:
    from agentguard_storage.control import Budget
    from agentguard_storage.control.budgets import Standing

__all__ = ["budgets"]

budgets = typer.Typer(
    no_args_is_help=True, help="Set up, show and reset budgets that processes share."
)

Name = Annotated[str, typer.Argument(help="The budget's name.")]


@dataclass(frozen=True)
class _Amount:
    """Calls, tokens and US dollars; None where there is no limit."""

    calls: int | None
    tokens: int | None
    usd: Decimal | None

    @classmethod
    def of(cls, counts: Limits | Spend) -> "_Amount":
        calls, tokens, pico = counts
        return cls(calls, tokens, None if pico is None else Decimal(pico).scaleb(-12))


@dataclass(frozen=True)
class _Pot:
    """What one value of the scope has spent in this period."""

    scope_value: str
    spent: _Amount
    held: _Amount
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True)
class _Budget:
    """What is shown of a budget."""

    name: str
    project: str
    scope: str
    limits: _Amount
    period: str
    timezone: str
    pots: list[_Pot]


def _shown(budget: "Budget", project: str, pots: "list[Standing]") -> _Budget:
    return _Budget(
        name=budget.name,
        project=project,
        scope=budget.scope,
        limits=_Amount.of(budget.limits),
        period=budget.period,
        timezone=budget.timezone,
        pots=[
            _Pot(
                pot.scope_value,
                _Amount.of(pot.spent),
                _Amount.of(pot.held),
                pot.starts_at,
                pot.ends_at,
            )
            for pot in pots
        ],
    )


@budgets.command("set")
def set_budget(
    name: Name,
    usd: Annotated[str | None, typer.Option(help="The most in US dollars, such as 5.")] = None,
    calls: Annotated[int | None, typer.Option(help="The most in calls.")] = None,
    tokens: Annotated[int | None, typer.Option(help="The most in tokens.")] = None,
    per: Annotated[
        str, typer.Option(help="When it begins anew: none, hour, day, week, month.")
    ] = "none",
    timezone: Annotated[
        str, typer.Option(help="Whose midnight that is, such as Europe/Berlin.")
    ] = "UTC",
    scope: Annotated[
        str,
        typer.Option(
            help="What has a budget of its own, each: "
            "project, service, user, session, goal, agent, tool, model."
        ),
    ] = "project",
    project: ProjectName = "default",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Set up a budget, or change it: what was spent stays."""
    limits = Limits(calls, tokens, None if usd is None else _pico(usd))
    with control_plane(data_dir) as plane:
        owner = resolve_project(plane, project)
        budget = plane.budgets.put(
            owner.id, name, limits, scope=scope, period=per, timezone=timezone
        )
        shown = _shown(budget, owner.name, plane.budgets.standings(budget))
    _print(shown, as_json)


@budgets.command("show")
def show_budget(
    name: Name, project: ProjectName = "default", data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Show a budget, and who has spent how much of it in this period."""
    with control_plane(data_dir) as plane:
        owner = resolve_project(plane, project)
        budget = plane.budgets.get(owner.id, name)
        shown = _shown(budget, owner.name, plane.budgets.standings(budget))
    _print(shown, as_json)


@budgets.command("list")
def list_budgets(
    project: ProjectName = "default", data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """List the budgets of a project."""
    with control_plane(data_dir) as plane:
        owner = resolve_project(plane, project)
        found = [
            (budget, _shown(budget, owner.name, plane.budgets.standings(budget)))
            for budget in plane.budgets.list(owner.id)
        ]
    if as_json:
        emit_json([shown for _, shown in found])
        return
    if not found:
        out.print("[dim]no budgets; set one up with: agentguard budgets set[/dim]")
        return
    table = Table(Column("name", no_wrap=True), "limit", "per", "scope", "spent", "pots")
    for budget, shown in found:
        spent = [_spend(pot.spent) for pot in shown.pots]
        total = sum(spent, Spend())
        table.add_row(
            plain(shown.name),
            _words(budget.limits),
            _period(shown),
            shown.scope,
            _against(total, budget.limits),
            "" if shown.scope == "project" else str(len(spent)),
        )
    out.print(table)


@budgets.command()
def reset(
    name: Name,
    scope_value: Annotated[
        str | None, typer.Option(help="Only of this user, session and so on.")
    ] = None,
    project: ProjectName = "default",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Begin anew, as if nothing had been spent in this period."""
    with control_plane(data_dir) as plane:
        owner = resolve_project(plane, project)
        done = plane.budgets.reset(owner.id, name, scope_value)
        if scope_value is not None and not done:
            raise CliError(
                f"nobody has spent of {name!r} as {clean(scope_value)!r} in this period",
                hint=f"see who has: agentguard budgets show {name}",
            )
        budget = plane.budgets.get(owner.id, name)
        shown = _shown(budget, owner.name, plane.budgets.standings(budget))
    if as_json:
        emit_json(shown)
        return
    out.print(f"reset {clean(name)}: {done} {'pot' if done == 1 else 'pots'}", markup=False)


@budgets.command()
def delete(
    name: Name, project: ProjectName = "default", data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Remove a budget; processes that spend it are refused from then on."""
    with control_plane(data_dir) as plane:
        owner = resolve_project(plane, project)
        plane.budgets.delete(owner.id, name)
    if as_json:
        emit_json({"deleted": name, "project": owner.name})
        return
    out.print(f"deleted {clean(name)}", markup=False)


def _print(shown: _Budget, as_json: bool) -> None:
    if as_json:
        emit_json(shown)
        return
    limits = _limits(shown.limits)
    per = f" per {_period(shown)}" if shown.period != "none" else ""
    each = f", for each {shown.scope}" if shown.scope != "project" else ""
    out.print(f"{clean(shown.name)}: {_words(limits)}{per}{each}", markup=False)
    if not shown.pots:
        out.print("[dim]nothing is spent in this period[/dim]")
        return
    table = Table(Column(shown.scope, no_wrap=True), "spent", "held", "resets")
    for pot in shown.pots:
        table.add_row(
            plain(pot.scope_value or "(none)" if shown.scope != "project" else shown.project),
            _against(_spend(pot.spent), limits),
            _held(_spend(pot.held), limits),
            pot.ends_at.isoformat(timespec="minutes") if pot.ends_at else "never",
        )
    out.print(table)


def _pico(usd: str) -> int:
    try:
        dollars = Decimal(usd.removeprefix("$"))
        if dollars.is_finite():
            return pico_dollars(dollars)
    except InvalidOperation:
        pass
    raise CliError(
        f"--usd {clean(usd)!r} is not a number of US dollars, such as 5 or 0.50",
        exit_code=CONFLICT,
    )


def _limits(amount_: _Amount) -> Limits:
    usd = amount_.usd
    return Limits(amount_.calls, amount_.tokens, None if usd is None else pico_dollars(usd))


def _spend(amount_: _Amount) -> Spend:
    return Spend(*(count or 0 for count in _limits(amount_)))


def _words(limits: Limits) -> str:
    """`$5.00, 100 calls`."""
    return ", ".join(amount(unit, limit) for unit, limit in _limited(limits))


def _against(spent: Spend, limits: Limits) -> str:
    """What was spent, in the units that are limited."""
    return ", ".join(amount(unit, getattr(spent, unit)) for unit, _ in _limited(limits))


def _held(held: Spend, limits: Limits) -> str:
    return _against(held, limits) if any(held) else ""


def _limited(limits: Limits) -> list[tuple[Unit, int]]:
    units: tuple[Unit, ...] = ("pico_usd", "tokens", "calls")
    found = ((unit, getattr(limits, unit)) for unit in units)
    return [(unit, limit) for unit, limit in found if limit is not None]


def _period(shown: _Budget) -> str:
    if shown.period == "none":
        return ""
    return shown.period if shown.timezone == "UTC" else f"{shown.period} ({shown.timezone})"

"""`agentguard costs`."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from agentguard.cli.asked import FilterText, Since, Until, asked_filter, asked_range, reading
from agentguard.cli.errors import server_extra
from agentguard.cli.figures import cost, count
from agentguard.cli.options import AsJson, DataDir, ProjectName
from agentguard.cli.terminal import emit_json, out, plain

if TYPE_CHECKING:
    from agentguard_storage.queries.costs import CostRow
    from agentguard_storage.queries.savings import Savings

__all__ = ["show_costs"]


class By(StrEnum):
    """What costs are summed by."""

    MODEL = "model"
    PROVIDER = "provider"
    SERVICE = "service"
    AGENT = "agent"
    ENVIRONMENT = "environment"
    USER = "user"
    SESSION = "session"
    TOOL = "tool"


def show_costs(
    filter_text: FilterText = "",
    by: Annotated[By, typer.Option(help="By what they are summed.")] = By.MODEL,
    since: Since = "30d",
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="At most so many.")] = 20,
    project: ProjectName = "default",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show what was spent, most first, and an estimate of what stops saved."""
    asked = asked_range(since, until, datetime.now(UTC))
    wanted = asked_filter(filter_text)
    names = ("provider", "model") if by is By.MODEL else (by.value,)
    with reading(data_dir, project) as reader:
        with server_extra():
            from agentguard_storage.queries.costs import costs_by
            from agentguard_storage.queries.savings import savings
        rows = costs_by(reader, asked, names, filter=wanted, limit=limit)
        # A filter picks spans; a stop is of a whole run.
        saved = None if filter_text else savings(reader, asked)
    if as_json:
        emit_json({"by": names, "costs": rows, "savings": saved})
        return
    if not rows:
        out.print("[dim]nothing was spent; widen --since or drop a filter[/dim]")
    else:
        out.print(_table(rows, names))
    if saved is not None:
        _say(saved)


def _table(rows: "list[CostRow]", names: tuple[str, ...]) -> Table:
    table = Table(pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold")
    for name in ("calls", "in", "out", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        group = row.group if row.group is not None else ("all others", *[""] * (len(names) - 1))
        table.add_row(
            *(plain(value or "(none)" if row.group else value) for value in group),
            count(row.calls),
            count(row.input_tokens + row.cache_read_tokens + row.cache_write_tokens),
            count(row.output_tokens + row.reasoning_tokens),
            cost(row.cost, row.unpriced_calls),
        )
    return table


def _say(saved: "Savings") -> None:
    if not saved.stops:
        return
    stops = f"{len(saved.stops):,} stop{'s' if len(saved.stops) > 1 else ''}"
    if saved.amount is None:
        out.print(f"\n{stops}; too little is known of the runs to estimate what they saved")
        return
    out.print(f"\n{stops} saved about", cost(saved.amount), f"({saved.method})")

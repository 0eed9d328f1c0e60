"""`agentguard traces`."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from agentguard.cli.asked import (
    Cursor,
    FilterText,
    Limit,
    Since,
    Until,
    asked_filter,
    asked_range,
    reading,
    show_page,
)
from agentguard.cli.errors import server_extra
from agentguard.cli.figures import clock, cost, count, elapsed
from agentguard.cli.options import AsJson, DataDir, ProjectName
from agentguard.cli.terminal import plain

if TYPE_CHECKING:
    from agentguard_storage.queries.traces import TraceRow

__all__ = ["show_traces", "traces_table"]


class Status(StrEnum):
    """How a trace ended."""

    OK = "ok"
    ERROR = "error"


class Order(StrEnum):
    """What the first trace has most of."""

    STARTED_AT = "started_at"
    COST = "cost"
    DURATION = "duration"
    SPANS = "spans"
    ERRORS = "errors"


def show_traces(
    filter_text: FilterText = "",
    service: Annotated[str | None, typer.Option(help="Only this service's.")] = None,
    since: Since = "1d",
    until: Until = None,
    status: Annotated[Status | None, typer.Option(help="How they ended.")] = None,
    text: Annotated[
        str | None, typer.Option(help="Only those with these words in a name or a message.")
    ] = None,
    order: Annotated[Order, typer.Option(help="By what, the most first.")] = Order.STARTED_AT,
    limit: Limit = 50,
    cursor: Cursor = None,
    project: ProjectName = "default",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List traces, newest first."""
    now = datetime.now(UTC)
    asked = asked_range(since, until, now)
    wanted = asked_filter(
        filter_text, service=service, status=status.value if status else None, words=text
    )
    with reading(data_dir, project) as reader:
        with server_extra():
            from agentguard_storage.queries.traces import list_traces
        page = list_traces(
            reader, asked, filter=wanted, order=order.value, limit=limit, cursor=cursor
        )
    show_page(
        list(page.rows),
        page.next_cursor,
        traces_table(page.rows, now),
        nothing="no traces match; widen --since or drop a filter",
        as_json=as_json,
    )


def traces_table(rows: "list[TraceRow]", now: datetime) -> Table:
    """One line per trace."""
    table = Table(pad_edge=False, header_style="bold")
    for name in ("trace", "started", "root", "service"):
        table.add_column(
            name, no_wrap=name != "root", overflow="fold" if name == "root" else "ellipsis"
        )
    for name in ("took", "spans", "in", "out", "cost", "errors"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("models")
    for row in rows:
        table.add_row(
            row.trace_id[:12],
            clock(row.started_at, now),
            plain(row.root_name or "(no name)"),
            plain(row.service),
            elapsed(row.duration_ns),
            count(row.span_count),
            count(row.input_tokens + row.cache_read_tokens + row.cache_write_tokens),
            count(row.output_tokens + row.reasoning_tokens),
            cost(row.cost, row.unpriced_calls),
            plain(count(row.error_count), "red"),
            plain(", ".join(row.models)),
        )
    return table

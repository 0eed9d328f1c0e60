"""`agentguard sessions`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

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
from agentguard.cli.figures import clock, cost, count
from agentguard.cli.options import AsJson, DataDir, ProjectName
from agentguard.cli.terminal import plain

if TYPE_CHECKING:
    from agentguard_storage.queries.sessions import SessionRow

__all__ = ["show_sessions"]


def show_sessions(
    filter_text: FilterText = "",
    since: Since = "1d",
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    project: ProjectName = "default",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List sessions, the latest used first, with the sums of their traces."""
    now = datetime.now(UTC)
    asked, wanted = asked_range(since, until, now), asked_filter(filter_text)
    with reading(data_dir, project) as reader:
        with server_extra():
            from agentguard_storage.queries.sessions import list_sessions
        page = list_sessions(reader, asked, filter=wanted, limit=limit, cursor=cursor)
    show_page(
        list(page.rows),
        page.next_cursor,
        _table(page.rows, now),
        nothing="no sessions match; widen --since, or set session.id on spans",
        as_json=as_json,
    )


def _table(rows: "list[SessionRow]", now: datetime) -> Table:
    table = Table(pad_edge=False, header_style="bold")
    for name in ("session", "users", "started", "last used"):
        table.add_column(name, overflow="fold")
    for name in ("traces", "stopped", "spans", "in", "out", "cost", "errors"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            plain(row.session),
            plain(", ".join(row.users)),
            clock(row.started_at, now),
            clock(row.last_at, now),
            count(row.trace_count),
            count(row.stopped_traces),
            count(row.span_count),
            count(row.input_tokens + row.cache_read_tokens + row.cache_write_tokens),
            count(row.output_tokens + row.reasoning_tokens),
            cost(row.cost, row.unpriced_calls),
            plain(count(row.error_count), "red"),
        )
    return table

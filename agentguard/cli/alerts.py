"""`agentguard alerts`."""

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
from agentguard.cli.figures import clock, count
from agentguard.cli.options import AsJson, DataDir, ProjectName
from agentguard.cli.terminal import plain

if TYPE_CHECKING:
    from agentguard_storage.queries.alerts import AlertRow

__all__ = ["show_alerts"]

_STYLES = {"critical": "bold red", "error": "red", "warning": "yellow"}


def show_alerts(
    filter_text: FilterText = "",
    since: Since = "1d",
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    project: ProjectName = "default",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List what guards stopped and what failed, the latest first; equal errors are one line."""
    now = datetime.now(UTC)
    asked, wanted = asked_range(since, until, now), asked_filter(filter_text)
    with reading(data_dir, project) as reader:
        with server_extra():
            from agentguard_storage.queries.alerts import list_alerts
        page = list_alerts(reader, asked, filter=wanted, limit=limit, cursor=cursor)
    show_page(
        list(page.rows),
        page.next_cursor,
        _table(page.rows, now),
        nothing="nothing went wrong; widen --since to look further back",
        as_json=as_json,
    )


def _table(rows: "list[AlertRow]", now: datetime) -> Table:
    table = Table(pad_edge=False, header_style="bold")
    for name in ("at", "what", "title"):
        table.add_column(name)
    table.add_column("times", justify="right")
    for name in ("service", "agent", "trace", "why"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(
            clock(row.at, now),
            plain(row.kind.replace("_", " "), _STYLES[row.severity]),
            plain(row.title),
            count(row.count),
            plain(row.service),
            plain(row.agent),
            row.trace_id[:12],
            plain(row.reason),
        )
    return table

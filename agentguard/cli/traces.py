"""`agentguard traces` and `agentguard trace`."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from agentguard.cli.errors import CONFLICT, CliError, server_extra
from agentguard.cli.figures import clock, cost, count, elapsed
from agentguard.cli.options import AsJson, DataDir, ProjectName
from agentguard.cli.services import project_id, telemetry
from agentguard.cli.terminal import emit_json, out, plain
from agentguard.cli.when import moment

if TYPE_CHECKING:
    from agentguard_storage.queries.traces import SpanRow, TraceRow

__all__ = ["show_trace", "show_traces", "traces_table"]


class Status(StrEnum):
    """How a trace ended."""

    OK = "ok"
    ERROR = "error"


def show_traces(
    service: Annotated[str | None, typer.Option(help="Only this service's.")] = None,
    since: Annotated[
        str, typer.Option(help="From when on: 15m, 1h, 2d, or an ISO 8601 time.")
    ] = "1d",
    until: Annotated[
        str | None, typer.Option(help="Until when, in the same forms; now, if left out.")
    ] = None,
    status: Annotated[Status | None, typer.Option(help="How they ended.")] = None,
    text: Annotated[
        str | None, typer.Option(help="Only those with this text in a name or a message.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    project: ProjectName = "default",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List traces, newest first."""
    now = datetime.now(UTC)
    start, end = moment(since, now), moment(until, now) if until else now
    if start >= end:
        raise CliError("--since is not before --until", hint="swap the two", exit_code=CONFLICT)
    owner = project_id(data_dir, project)
    with telemetry(data_dir) as client:
        with server_extra():
            from agentguard_storage.queries.traces import list_traces
        rows = list_traces(
            client,
            owner,
            start=start,
            end=end,
            service=service,
            status=status.value if status else None,
            text=text,
            limit=limit,
        )
    if as_json:
        emit_json(rows)
    elif rows:
        out.print(traces_table(rows, now))
    else:
        out.print("[dim]no traces match; widen --since or drop a filter[/dim]")


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


def show_trace(
    trace_id: Annotated[
        str, typer.Argument(metavar="ID", help="Its id, or a beginning that no other trace has.")
    ],
    project: ProjectName = "default",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show one trace as a tree: durations, models, tokens, cost, errors."""
    spans = _spans(data_dir, project, trace_id)
    if as_json:
        emit_json(spans)
        return
    from agentguard.cli.tree import trace_tree

    out.print(trace_tree(spans))


def _spans(data_dir: Path | None, project: str, beginning: str) -> "list[SpanRow]":
    beginning = beginning.strip().lower()
    if not beginning or len(beginning) > 32 or beginning.strip("0123456789abcdef"):
        raise CliError(
            f"{beginning!r} is not a trace id",
            hint="a trace id has 32 hexadecimal digits; the first few are enough",
            exit_code=CONFLICT,
        )
    owner = project_id(data_dir, project)
    with telemetry(data_dir) as client:
        with server_extra():
            from agentguard_storage.queries.traces import find_trace_ids, get_trace
        found = [beginning]
        if len(beginning) < 32:
            found = find_trace_ids(client, owner, beginning)
        if len(found) > 1:
            raise CliError(
                f"more than one trace begins with {beginning}",
                hint=f"for example {found[0]} and {found[1]}: give more digits",
            )
        spans = get_trace(client, owner, found[0]) if found else []
    if not spans:
        raise CliError(
            f"there is no trace {beginning} in the project {project!r}",
            hint="list them with `agentguard traces`; spans can be read about a second after "
            "they were sent",
        )
    return spans

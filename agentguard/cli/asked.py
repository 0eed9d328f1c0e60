"""What the commands that list things ask: a time, a filter, a page; and how a page is shown."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from agentguard.cli.errors import CONFLICT, CliError, server_extra
from agentguard.cli.services import project_id, telemetry
from agentguard.cli.terminal import clean, emit_json, err, out
from agentguard.cli.when import moment

if TYPE_CHECKING:
    from agentguard_storage.filters import Filter
    from agentguard_storage.queries.hours import TimeRange
    from agentguard_storage.queries.reader import Reader

__all__ = [
    "Cursor", "FilterText", "Limit", "Since", "Until", "asked_filter", "asked_range", "reading",
    "show_page",
]  # fmt: skip

FilterText = Annotated[
    str,
    typer.Argument(
        metavar="FILTER",
        help="Only what matches, as in 'model:gpt-4o* cost:>0.05 -env:dev'.",
        show_default=False,
    ),
]
Since = Annotated[str, typer.Option(help="From when on: 15m, 1h, 2d, or an ISO 8601 time.")]
Until = Annotated[str | None, typer.Option(help="Until when, in the same forms; now, if left out.")]
Limit = Annotated[int, typer.Option(min=1, max=1_000, help="At most so many.")]
Cursor = Annotated[
    str | None,
    typer.Option(help="Go on after a page; its cursor was shown below it.", show_default=False),
]


def asked_range(since: str, until: str | None, now: datetime) -> "TimeRange":
    """The range of `--since` and `--until`; raises CliError."""
    start, end = moment(since, now), moment(until, now) if until else now
    if start >= end:
        raise CliError("--since is not before --until", hint="swap the two", exit_code=CONFLICT)
    with server_extra():
        from agentguard_storage.queries.hours import TimeRange
    return TimeRange(start, end)


def asked_filter(
    text: str, *, service: str | None = None, status: str | None = None, words: str | None = None
) -> "Filter":
    """The filter of a text and of the options beside it, which all must hold; raises CliError."""
    with server_extra():
        from agentguard_storage.filters import Filter, FilterError, parse
        from agentguard_storage.filters.fields import NAMES
        from agentguard_storage.filters.tree import All, Condition, Match, Node, Pattern, Text
    try:
        root = parse(text).root
    except FilterError as error:
        raise CliError(
            str(error),
            hint='a filter looks like: kind:llm cost:>0.05 status:error "exact text"',
            exit_code=CONFLICT,
        ) from error
    parts: list[Node] = []
    if root is not None:
        parts += root.parts if isinstance(root, All) else (root,)
    for name, value in (("trace.service", service), ("trace.status", status)):
        if value:
            parts.append(Condition(NAMES[name], "", Match((Pattern((value,)),))))
    if words:
        parts.append(Text(words))
    return Filter(All(tuple(parts)) if len(parts) > 1 else parts[0] if parts else None)


@contextmanager
def reading(data_dir: Path | None, project: str) -> "Iterator[Reader]":
    """A reader of the project; says as CliError what becomes of its questions."""
    owner = project_id(data_dir, project)
    with telemetry(data_dir) as client:
        with server_extra():
            from agentguard_storage.queries.errors import InvalidQuery
            from agentguard_storage.queries.reader import Reader
        try:
            yield Reader(client, owner)
        except InvalidQuery as error:
            raise CliError(str(error), exit_code=CONFLICT) from error


def show_page(
    rows: list[object], next_cursor: str | None, table: Table, *, nothing: str, as_json: bool
) -> None:
    """Print a page on stdout, and on stderr how to go on after it."""
    if as_json:
        emit_json(rows)
    elif rows:
        out.print(table)
    else:
        out.print(f"[dim]{clean(nothing)}[/dim]")
    if next_cursor:
        err.print(f"more: --cursor {next_cursor}", style="dim", soft_wrap=True)

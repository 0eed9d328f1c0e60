"""`agentguard trace`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentguard.cli.errors import CONFLICT, CliError, server_extra
from agentguard.cli.options import AsJson, DataDir, ProjectName
from agentguard.cli.services import project_id, telemetry
from agentguard.cli.terminal import emit_json, out

if TYPE_CHECKING:
    from agentguard_storage.queries.trace import Trace

__all__ = ["show_trace"]


def show_trace(
    trace_id: Annotated[
        str, typer.Argument(metavar="ID", help="Its id, or a beginning that no other trace has.")
    ],
    project: ProjectName = "default",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show one trace as a tree: durations, models, tokens, cost, errors."""
    found = _trace(data_dir, project, trace_id, contents=as_json)
    if as_json:
        emit_json(found.spans)
        return
    from agentguard.cli.tree import trace_tree

    out.print(trace_tree(found))


def _trace(data_dir: Path | None, project: str, beginning: str, *, contents: bool) -> "Trace":
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
            from agentguard_storage.queries.reader import Reader
            from agentguard_storage.queries.trace import find_trace_ids, get_trace
        reader = Reader(client, owner)
        found = [beginning]
        if len(beginning) < 32:
            found = find_trace_ids(reader, beginning)
        if len(found) > 1:
            raise CliError(
                f"more than one trace begins with {beginning}",
                hint=f"for example {found[0]} and {found[1]}: give more digits",
            )
        trace = get_trace(reader, found[0], contents=contents) if found else None
    if trace is None:
        raise CliError(
            f"there is no trace {beginning} in the project {project!r}",
            hint="list them with `agentguard traces`; spans can be read about a second after "
            "they were sent",
        )
    return trace

"""`agentguard demo`: everything at once, and what it looks like."""

import shutil
import signal
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from agentguard.cli.errors import CliError, server_extra
from agentguard.cli.services import project_id, telemetry, without_secret
from agentguard.cli.terminal import out

if TYPE_CHECKING:
    from agentguard.cli.datadir import Endpoints
    from agentguard.cli.steps import Steps
    from agentguard.demo import DemoReport
    from agentguard_storage.queries.traces import SpanRow, TraceRow

__all__ = ["demo"]

READABLE_WITHIN = 30.0
POLL_EVERY = 0.2


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")
    ] = False,
) -> None:
    """Start everything, let a crew of agents work, and show what was recorded."""
    from agentguard.cli.launch import launched
    from agentguard.cli.steps import Steps

    # A supervisor's SIGTERM shall clean up as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="agentguard-demo-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        with Steps() as steps:
            steps.begin("starting the collector and an embedded ClickHouse")
            at = stack.enter_context(launched(folder))
            report = _work(at, steps)
            steps.begin("waiting until every span can be read")
            rows, spans = _recorded(folder, report)
        _show(at, report, rows, spans)
        if keep:
            out.print("\nEverything keeps running; Ctrl-C ends it.", style="bold")
            _until_interrupted()


def _work(at: "Endpoints", steps: "Steps") -> "DemoReport":
    with server_extra():
        from agentguard.demo import DemoError, InstrumentorMissingError, run_crews
    try:
        return run_crews(at.otlp_http, at.api_key, steps.begin)
    except (DemoError, InstrumentorMissingError) as error:
        raise CliError(str(error)) from error


def _recorded(folder: Path, report: "DemoReport") -> "tuple[list[TraceRow], list[SpanRow]]":
    """The demo's traces and the spans of the first one, as soon as all of them can be read."""
    with server_extra():
        from agentguard_storage.queries.traces import get_trace, list_traces
    owner = project_id(folder, "default")
    expected = {run.trace_id: run.calls for run in report.runs}
    deadline = time.monotonic() + READABLE_WITHIN
    with telemetry(folder) as client:
        while True:
            end = datetime.now(UTC) + timedelta(minutes=1)
            rows = list_traces(client, owner, start=end - timedelta(hours=1), end=end)
            calls = {row.trace_id: row.llm_calls for row in rows}
            traces = [get_trace(client, owner, run.trace_id) for run in report.runs]
            if calls == expected and all(map(_whole, traces)):
                return rows, traces[0]
            if time.monotonic() > deadline:
                raise CliError(
                    f"of {expected} model calls by trace, {calls} could be read within "
                    f"{READABLE_WITHIN:.0f} s"
                )
            time.sleep(POLL_EVERY)


def _whole(spans: "list[SpanRow]") -> bool:
    """Spans are sent when they end, and the root ends last: with it everything is there."""
    present = {span.span_id for span in spans}
    roots = sum(not span.parent_span_id for span in spans)
    return roots == 1 and all(s.parent_span_id in present for s in spans if s.parent_span_id)


def _show(
    at: "Endpoints", report: "DemoReport", rows: "list[TraceRow]", spans: "list[SpanRow]"
) -> None:
    from agentguard.cli.traces import traces_table
    from agentguard.cli.tree import trace_tree

    where = Table.grid(padding=(0, 2))
    for name, address in (
        ("OTLP/HTTP, API", at.otlp_http),
        ("OTLP/gRPC", at.otlp_grpc),
        ("ClickHouse", without_secret(at.clickhouse)),
        ("data", at.data_dir),
    ):
        where.add_row(name, Text(address))
    billed = sum(run.usage.prompt + run.usage.completion for run in report.runs)
    out.print(
        Group(
            Text("\nTraces\n", style="bold"),
            traces_table(rows, datetime.now(UTC)),
            Text("\nOne of them\n", style="bold"),
            trace_tree(spans),
            Text(f"\nThe provider billed {billed:,} tokens in all.", style="dim"),
            Text("\nWhat ran\n", style="bold"),
            where,
        )
    )


def _until_interrupted() -> None:
    try:
        signal.pause()
    except KeyboardInterrupt:
        out.print("ending", style="dim")

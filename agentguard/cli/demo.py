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
    from agentguard.demo import CrewRun, DemoReport
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
    deadline = time.monotonic() + READABLE_WITHIN
    with telemetry(folder) as client:
        while True:
            traces = [get_trace(client, owner, run.trace_id) for run in report.runs]
            if all(map(_whole, traces, report.runs)):
                break
            if time.monotonic() > deadline:
                raise CliError(f"not every span could be read within {READABLE_WITHIN:.0f} s")
            time.sleep(POLL_EVERY)
        now = datetime.now(UTC)
        rows = list_traces(client, owner, start=now - timedelta(hours=1), end=now)
    return rows, traces[0]


def _whole(spans: "list[SpanRow]", run: "CrewRun") -> bool:
    """Whether all is there: each model call, and everybody's parent up to one root.

    Spans are sent when they end, parents last, so nothing can be missing below those.
    """
    parents = {span.parent_span_id for span in spans}
    calls = sum(span.kind in ("llm", "embedding") for span in spans)
    return calls == run.calls and parents <= {"", *(span.span_id for span in spans)}


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

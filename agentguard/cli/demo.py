"""`agentguard demo`: everything at once, what it looks like, and how a runaway is stopped."""

import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from agentguard.cli.errors import CliError, server_extra
from agentguard.cli.figures import cost
from agentguard.cli.services import project_id, telemetry, without_secret
from agentguard.cli.terminal import out, plain

if TYPE_CHECKING:
    from agentguard.cli.datadir import Endpoints
    from agentguard.cli.steps import Steps
    from agentguard.demo import CrewRun, DemoReport, StoppedRun
    from agentguard_storage.queries.trace import Trace
    from agentguard_storage.queries.traces import TraceRow

__all__ = ["demo"]

READABLE_WITHIN = 30.0
POLL_EVERY = 0.2


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")
    ] = False,
) -> None:
    """Start everything, let a crew work, stop a runaway, and show what was recorded."""
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
            recorded = _recorded(folder, report)
        _show(at, report, recorded)
        if keep:
            out.print("\nEverything keeps running; Ctrl-C ends it.", style="bold")
            _until_interrupted()


def _work(at: "Endpoints", steps: "Steps") -> "DemoReport":
    with server_extra():
        from agentguard.demo import (
            DemoError,
            DemoReport,
            InstrumentorMissingError,
            run_crews,
            run_runaways,
        )
    try:
        crews = run_crews(at.otlp_http, at.api_key, steps.begin)
        stopped = run_runaways(at.otlp_http, at.api_key, steps.begin)
        return DemoReport(crews.runs, stopped)
    except (DemoError, InstrumentorMissingError) as error:
        raise CliError(str(error)) from error


@dataclass(frozen=True)
class _Recorded:
    """The demo's traces, the spans of one crew, and those of a runaway."""

    rows: "list[TraceRow]"
    crew: "Trace"
    runaway: "Trace"


def _recorded(folder: Path, report: "DemoReport") -> _Recorded:
    """What was recorded, as soon as all of it can be read."""
    with server_extra():
        from agentguard_storage.queries.hours import TimeRange
        from agentguard_storage.queries.reader import Reader
        from agentguard_storage.queries.trace import get_trace
        from agentguard_storage.queries.traces import list_traces
    owner = project_id(folder, "default")
    deadline = time.monotonic() + READABLE_WITHIN
    with telemetry(folder) as client:
        reader = Reader(client, owner)
        while True:
            crews = [get_trace(reader, run.trace_id, contents=False) for run in report.runs]
            runaways = [
                get_trace(reader, run.said.trace_id, contents=False) for run in report.stopped
            ]
            if all(map(_whole, crews, report.runs)) and all(map(_is_stopped, runaways)):
                break
            if time.monotonic() > deadline:
                raise CliError(f"not every span could be read within {READABLE_WITHIN:.0f} s")
            time.sleep(POLL_EVERY)
        now = datetime.now(UTC)
        rows = list_traces(reader, TimeRange(now - timedelta(hours=1), now)).rows
    crew, runaway = crews[0], runaways[0]
    if crew is None or runaway is None:
        raise CliError("nothing was recorded")
    return _Recorded(rows, crew, runaway)


def _whole(trace: "Trace | None", run: "CrewRun") -> bool:
    """Whether all is there: each model call, and everybody's parent up to one root.

    Spans are sent when they end, parents last, so nothing can be missing below those.
    """
    if trace is None or not trace.complete:
        return False
    return sum(span.kind in ("llm", "embedding") for span in trace.spans) == run.calls


def _is_stopped(trace: "Trace | None") -> bool:
    """Whether the stop is there, and everybody's parent: the root is sent last."""
    return (
        trace is not None and trace.complete and any(span.kind == "guard" for span in trace.spans)
    )


def _show(at: "Endpoints", report: "DemoReport", recorded: _Recorded) -> None:
    from agentguard.cli.traces import traces_table
    from agentguard.cli.tree import trace_tree
    from agentguard.demo.ailments import TURNS

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
            traces_table(recorded.rows, datetime.now(UTC)),
            Text("\nOne of them\n", style="bold"),
            trace_tree(recorded.crew),
            Text(f"\nThe provider billed the crews {billed:,} tokens in all.", style="dim"),
            Text("\nA runaway, stopped by its guard\n", style="bold"),
            trace_tree(recorded.runaway),
            Text("\nWhat was stopped, and why\n", style="bold"),
            _stops(report.stopped),
            Text(
                "\nSaved is an estimate: the refused calls, at the mean cost of those before. The "
                f"runaways catch every exception\nand try {TURNS} turns; what they tried after "
                "their stop never left the process.",
                style="dim",
            ),
            Text("\nWhat ran\n", style="bold"),
            where,
        )
    )


def _stops(runs: "Sequence[StoppedRun]") -> Table:
    table = Table(pad_edge=False, header_style="bold")
    table.add_column("runaway")
    table.add_column("guard", style="bold red")
    table.add_column("why", overflow="fold")
    for name in ("calls", "refused", "sent after the stop", "spent", "saved"):
        table.add_column(name, justify="right")
    for run in runs:
        said = run.said
        table.add_row(
            said.ailment,
            said.guard,
            plain(said.reason),
            str(said.calls),
            str(said.refused or ""),
            str(run.too_late),
            cost(Decimal(said.cost_usd)),
            cost(saved) if (saved := Decimal(said.saved_usd)) else "",
        )
    return table


def _until_interrupted() -> None:
    try:
        signal.pause()
    except KeyboardInterrupt:
        out.print("ending", style="dim")

"""`agentguard up`: everything in one command, ended by one Ctrl-C."""

import asyncio
import logging
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agentguard.cli import datadir, extras
from agentguard.cli.endings import Ending
from agentguard.cli.errors import MissingExtraError
from agentguard.cli.options import DataDir
from agentguard.cli.parts import Options
from agentguard.cli.services import CLICKHOUSE_VAR, CONTROL_VAR, without_secret
from agentguard.cli.stack import Stack, running
from agentguard.cli.supervisor import Supervisor
from agentguard.cli.terminal import emit_json, err, out

__all__ = ["up"]

_log = logging.getLogger(__name__)


def up(
    data_dir: DataDir = None,
    host: Annotated[
        str, typer.Option(help="The address that the collector listens on.")
    ] = "127.0.0.1",
    otlp_http_port: Annotated[
        int, typer.Option(min=0, max=65535, help="OTLP/HTTP and the API; 0 is any free port.")
    ] = 4318,
    otlp_grpc_port: Annotated[
        int, typer.Option(min=0, max=65535, help="OTLP/gRPC; 0 is any free port.")
    ] = 4317,
    clickhouse_port: Annotated[
        int, typer.Option(min=0, max=65535, help="The embedded ClickHouse; 0 is any free port.")
    ] = 8123,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Collector processes.")] = 1,
    clickhouse: Annotated[
        str | None,
        typer.Option(
            envvar=CLICKHOUSE_VAR,
            metavar="URL",
            help="A ClickHouse to use instead of the embedded one: "
            "clickhouse://user:password@host:8123/agentguard",
        ),
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            envvar=CONTROL_VAR,
            metavar="URL",
            help="A database for projects and keys instead of a file in the data directory: "
            "postgresql://user:password@host/agentguard",
        ),
    ] = None,
    print_json: Annotated[
        bool, typer.Option("--print-json", help="Print one JSON line when ready, nothing else.")
    ] = False,
    exit_with_parent: Annotated[
        bool, typer.Option("--exit-with-parent", help="End when stdin reaches its end.")
    ] = False,
) -> None:
    """Start the collector and an embedded ClickHouse; Ctrl-C ends both."""
    if absent := extras.missing("server"):
        raise MissingExtraError(absent[0])
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("agentguard.cli").setLevel(logging.INFO)
    options = Options(
        data_dir=datadir.data_dir(data_dir),
        host=host,
        otlp_http_port=otlp_http_port,
        otlp_grpc_port=otlp_grpc_port,
        clickhouse_port=clickhouse_port,
        workers=workers,
        clickhouse=clickhouse,
        control=control,
    )
    asyncio.run(_serve(options, print_json=print_json, with_parent=exit_with_parent))


async def _serve(options: Options, *, print_json: bool, with_parent: bool) -> None:
    supervisor = Supervisor()
    say = _log.info if print_json else _tell
    async with (
        Ending(supervisor, with_parent=with_parent),
        running(options, supervisor, say) as stack,
    ):
        if print_json:
            emit_json(_ready(stack))
        else:
            out.print(_panel(stack))
        await stack.watch()


def _tell(what: str) -> None:
    err.print(f"{what} ...", style="dim", markup=False)


def _ready(stack: Stack) -> dict[str, object]:
    # The control plane's URL may hold a password, and nobody who reads this line needs it.
    return {key: value for key, value in asdict(stack.endpoints).items() if key != "control"}


def _panel(stack: Stack) -> Panel:
    at = stack.endpoints
    where = Table.grid(padding=(0, 2))
    where.add_row("OTLP/HTTP, API", Text(at.api))
    where.add_row("OTLP/gRPC", Text(at.otlp_grpc))
    where.add_row("ClickHouse", Text(without_secret(at.clickhouse)))
    where.add_row("data", Text(at.data_dir))
    if stack.new_key:
        where.add_row("API key", Text(at.api_key, style="bold"))
        where.add_row("", Text("shown this once; it may send and read", style="dim"))
    else:
        where.add_row("API key", "made before; make another with `agentguard keys create`")
    key = at.api_key if stack.new_key else "YOUR_KEY"
    send = Text.assemble(
        ("\nSend spans from any OpenTelemetry SDK, then look at them:\n", "dim"),
        f"export OTEL_EXPORTER_OTLP_ENDPOINT={at.otlp_http}\n",
        f"export OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20{key}\n",
        _traces_command(at.data_dir),
        overflow="fold",
    )
    return Panel(
        Group(where, send),
        title="AgentGuard is running",
        subtitle="Ctrl-C ends it",
        border_style="green",
        expand=False,
    )


def _traces_command(directory: str) -> str:
    if directory == str(datadir.data_dir(None)):
        return "agentguard traces"
    return f"agentguard traces --data-dir {directory}"

"""The command tree."""

from typing import Annotated

import typer

from agentguard.cli.alerts import show_alerts
from agentguard.cli.budgets import budgets
from agentguard.cli.costs import show_costs
from agentguard.cli.demo import demo
from agentguard.cli.doctor import doctor
from agentguard.cli.errors import Boundary
from agentguard.cli.exec import exec_program
from agentguard.cli.export import export_spans
from agentguard.cli.keys import keys
from agentguard.cli.mcp import mcp
from agentguard.cli.prices import prices
from agentguard.cli.projects import projects
from agentguard.cli.sessions import show_sessions
from agentguard.cli.stops import resume, stop, stops
from agentguard.cli.trace import show_trace
from agentguard.cli.traces import show_traces
from agentguard.cli.up import up

__all__ = ["app"]

app = typer.Typer(
    cls=Boundary,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="The flight recorder and circuit breaker for AI agents.",
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"agentguard {version('agentguard')}")
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error was raised.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """The flight recorder and circuit breaker for AI agents."""


app.command("up")(up)
app.command(
    "exec",
    # Options after the program's name are the program's.
    context_settings={"allow_interspersed_args": False},
)(exec_program)
app.command("demo")(demo)
app.command("doctor")(doctor)
app.command("traces")(show_traces)
app.command("trace")(show_trace)
app.command("sessions")(show_sessions)
app.command("alerts")(show_alerts)
app.command("costs")(show_costs)
app.command("export")(export_spans)
app.command("mcp")(mcp)
app.command("stop")(stop)
app.command("resume")(resume)
app.command("stops")(stops)
app.add_typer(budgets, name="budgets")
app.add_typer(keys, name="keys")
app.add_typer(prices, name="prices")
app.add_typer(projects, name="projects")

"""`agentguard doctor`."""

import typer
from rich.table import Table

from agentguard.cli.errors import FAILED
from agentguard.cli.options import AsJson, DataDir
from agentguard.cli.terminal import emit_json, out, plain

__all__ = ["doctor"]

_STYLES = {"ok": "green", "warning": "yellow", "broken": "bold red", "skipped": "dim"}


def doctor(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Say what is reachable and what is misconfigured; exit with 1 if anything is broken."""
    from agentguard.cli.checks import run_checks
    from agentguard.cli.target import find_target

    checks = list(run_checks(find_target(data_dir)))
    if as_json:
        emit_json(checks)
    else:
        table = Table.grid(padding=(0, 2))
        for check in checks:
            table.add_row(plain(check.state, _STYLES[check.state]), check.name, plain(check.found))
            if check.advice:
                table.add_row("", "", plain(check.advice, "italic"))
        out.print(table)
    if any(check.state == "broken" for check in checks):
        raise typer.Exit(FAILED)

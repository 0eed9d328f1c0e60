"""`agentguard mcp`: the MCP server over stdio, and how to tell a client of it."""

import json
import shutil
import sys
from typing import Annotated, Literal

import typer

from agentguard.cli.datadir import read_endpoints
from agentguard.cli.errors import CONFLICT, CliError
from agentguard.cli.options import DataDir
from agentguard.cli.target import Target, find_target
from agentguard.cli.terminal import err

__all__ = ["mcp"]

Client = Literal["claude-desktop", "claude-code", "cursor", "vscode"]


def mcp(
    print_config: Annotated[
        Client | None,
        typer.Option(help="Print what to put into this client's configuration, and end."),
    ] = None,
    with_key: Annotated[
        bool, typer.Option("--with-key", help="Print the API key too, instead of a reference.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Serve models over MCP on stdin and stdout; clients start this by themselves.

    Asks the collector of AGENTGUARD_ENDPOINT with AGENTGUARD_API_KEY, or else what
    `agentguard up` runs here. Which tools there are depends on the key's scopes.
    """
    target = find_target(data_dir)
    if print_config is not None:
        _print_config(print_config, target, with_key)
        return
    if with_key:
        raise CliError("--with-key goes with --print-config", exit_code=CONFLICT)
    if not target.api_key:
        raise CliError(
            "there is no API key to ask with",
            hint="set AGENTGUARD_ENDPOINT and AGENTGUARD_API_KEY, or start `agentguard up`",
        )
    try:
        import anyio

        from agentguard_mcp.stdio import serve
    except ModuleNotFoundError as error:
        raise _without(error) from error
    try:
        anyio.run(serve, lambda: _where(target))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _where(target: Target) -> tuple[str, str]:
    if target.from_up and (running := read_endpoints(target.data_dir)):
        return running.api, running.api_key
    return target.endpoint, target.api_key


def _print_config(client: Client, target: Target, with_key: bool) -> None:
    try:
        from agentguard_mcp.snippets import CLIENTS, snippet
    except ModuleNotFoundError as error:
        raise _without(error) from error
    program = shutil.which("agentguard")
    # Clients start programs with a PATH of their own, so it is named in full.
    start = [program] if program else [sys.executable, "-m", "agentguard.cli"]
    environment: dict[str, str] = {}
    command = [*start, "mcp"]
    if target.from_up:
        command += ["--data-dir", str(target.data_dir)]
    else:
        environment["AGENTGUARD_ENDPOINT"] = target.endpoint
    made = snippet(
        client,
        command,
        environment,
        api_key=(target.api_key or None) if with_key else None,
        needs_key=not target.from_up,
    )
    typer.echo(json.dumps(made, indent=2))
    err.print(f"put this into {CLIENTS[client].file}", markup=False)


def _without(error: ModuleNotFoundError) -> Exception:
    if (error.name or "").startswith("agentguard"):
        return error
    return CliError(
        f"this command needs the MCP server, and {error.name} is not installed",
        hint="pip install 'agentguard[mcp]'",
    )

"""`agentguard exec`: a program under guards, and a receipt at its end."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from agentguard.cli.errors import CONFLICT, CliError
from agentguard.cli.figures import cost, elapsed
from agentguard.cli.options import AsJson
from agentguard.cli.terminal import clean, err, jsonable, plain
from agentguard.cli.when import duration

if TYPE_CHECKING:
    from agentguard.execution.program import Ended
    from agentguard.execution.receipt import Receipt

__all__ = ["exec_program"]


def exec_program(
    command: Annotated[
        list[str],
        typer.Argument(metavar="COMMAND...", help="The program and its arguments, after `--`."),
    ],
    budget_usd: Annotated[
        float | None, typer.Option(min=0, help="US dollars that its model calls may cost.")
    ] = None,
    budget_tokens: Annotated[
        int | None, typer.Option(min=0, help="Tokens, sent and answered, that they may use.")
    ] = None,
    budget_calls: Annotated[
        int | None, typer.Option(min=0, help="How many model calls it may make.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="NAME", help="A shared budget that it spends from.")
    ] = None,
    timeout: Annotated[str | None, typer.Option(help="How long it may run: 90s, 10m, 2h.")] = None,
    idle_timeout: Annotated[
        str | None, typer.Option(help="How long it may do nothing: no model call, no tool call.")
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Stop it when it goes in circles.")] = False,
    grace: Annotated[
        str, typer.Option(help="How long it has to end by itself after it was stopped.")
    ] = "10s",
    name: Annotated[
        str | None, typer.Option(help="What the run is called; the program's name, if left out.")
    ] = None,
    receipt: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the receipt there too, as JSON.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a program under guards: its Python processes make no model call once it was stopped.

    The receipt is on stderr, so that stdout is the program's alone; with --json it is the last
    line there. Exits as the program does, or with 75 if it was stopped.
    """
    from agentguard.execution.program import run_program

    if receipt is not None and not receipt.absolute().parent.is_dir():
        raise CliError(
            f"there is no folder {receipt.absolute().parent} for the receipt",
            hint="make it first: the receipt is written when the program has ended",
            exit_code=CONFLICT,
        )
    called = name or _name_of(command)
    ended = run_program(
        command,
        name=called,
        limits={
            "max_calls": budget_calls,
            "max_tokens": budget_tokens,
            "max_cost_usd": None if budget_usd is None else str(budget_usd),
        },
        shared=budget,
        timeout=_seconds(timeout),
        idle_seconds=_seconds(idle_timeout),
        loop=loop,
        grace=duration(grace).total_seconds(),
    )
    line = _as_json(called, ended)
    if receipt is not None:
        receipt.write_text(line + "\n")
    if as_json:
        err.print(line, markup=False, soft_wrap=True)
    else:
        err.print(_receipt(called, ended))
    raise typer.Exit(ended.exit_code)


def _name_of(command: list[str]) -> str:
    """The name of the program, and for a Python script that of the script."""
    program = Path(command[0]).name
    if program.startswith("python") and command[1:] and not command[1].startswith("-"):
        return Path(command[1]).name
    return program


def _seconds(text: str | None) -> float | None:
    return None if text is None else duration(text).total_seconds()


def _as_json(name: str, ended: "Ended") -> str:
    import json

    receipt = ended.receipt
    value: dict[str, Any] = {
        "name": name,
        "outcome": _outcome(ended),
        "exit_code": ended.exit_code,
        "seconds": round(ended.seconds, 3),
        "guarded_processes": ended.guarded,
        "killed": ended.killed,
        "model_calls": receipt.calls,
        "models": receipt.models,
        "tool_calls": receipt.tools,
        "errors": receipt.errors,
        "refused": receipt.refused,
        "usage": receipt.usage._asdict(),
        "cost_usd": receipt.cost_usd,
        "saved_usd_estimate": receipt.saved_usd,
        "unpriced_models": sorted(receipt.unpriced_models),
        "stopped": asdict(receipt.stopped) if receipt.stopped else None,
    }
    return json.dumps(jsonable(value), allow_nan=False)


def _outcome(ended: "Ended") -> str:
    if ended.receipt.stopped:
        return "stopped"
    return "failed" if ended.exit_code else "completed"


def _receipt(name: str, ended: "Ended") -> Table:
    receipt = ended.receipt
    table = Table(
        title=plain(f"agentguard receipt: {name}"),
        title_justify="left",
        show_header=False,
        pad_edge=False,
    )
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("model calls", _with_names(receipt.calls, receipt.models))
    table.add_row("tool calls", _with_names(sum(receipt.tools.values()), receipt.tools))
    usage = receipt.usage
    sent, answered = usage.total_input, usage.output + usage.reasoning
    table.add_row("tokens", f"{sent:,} sent, {answered:,} answered")
    table.add_row("cost", _cost(ended))
    table.add_row("time", elapsed(round(ended.seconds * 1e9)))
    if receipt.errors:
        table.add_row("failed", f"{receipt.errors:,} calls")
    if receipt.refused:
        table.add_row("refused", _refused(receipt))
    table.add_row("ended", _why(ended))
    if not ended.guarded:
        table.add_row(
            "note",
            Text(
                "no Python process of the program loaded the guards: nothing was guarded or "
                "counted. It was no Python, or one started with -I, -E or -S.",
                style="yellow",
            ),
        )
    return table


def _with_names(number: int, names: "dict[str, int]") -> Text:
    most = sorted(names.items(), key=lambda item: -item[1])[:5]
    listed = ", ".join(f"{clean(name)} {calls:,}" for name, calls in most)
    more = ", ..." if len(names) > len(most) else ""
    return Text(f"{number:,}" + (f"  ({listed}{more})" if listed else ""))


def _refused(receipt: "Receipt") -> Text:
    text = Text(", ".join(f"{count} {kind} calls" for kind, count in receipt.refused.items()))
    if receipt.saved_usd:
        saved = cost(receipt.saved_usd)
        text += Text.assemble("  (at the mean cost of those before: about ", saved, ")")
    return text


def _cost(ended: "Ended") -> Text:
    receipt = ended.receipt
    text = cost(receipt.cost_usd)
    if receipt.cost_usd and ended.seconds >= 1:
        text += Text.assemble(
            "  (", cost(receipt.cost_usd * 60 / round(ended.seconds)), " a minute)"
        )
    if receipt.unpriced_models:
        names = ", ".join(map(clean, sorted(receipt.unpriced_models)))
        text += Text(f"  and the calls of {names}, whose price is not known", style="yellow")
    return text


def _why(ended: "Ended") -> Text:
    stopped = ended.receipt.stopped
    if stopped is not None:
        text = Text.assemble(
            ("stopped", "bold red"),
            f" by the {clean(stopped.guard)} guard: {clean(stopped.reason)}",
        )
        return text + Text("; it did not end by itself and was ended" if ended.killed else "")
    if ended.exit_code:
        return Text(f"failed, with exit code {ended.exit_code}", style="red")
    return Text("completed", style="green")

"""The terminal: two consoles, cleaned text, and JSON on stdout."""

import json
import math
import os
import re
import sys
from dataclasses import asdict, is_dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

__all__ = ["clean", "complain", "emit_json", "err", "jsonable", "out", "plain"]

# Into a file or a pipe there is no edge to fit a table into.
_WIDTH = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 180

out = Console(highlight=False, width=_WIDTH)
err = Console(stderr=True, highlight=False)

# C0, DEL and C1 could drive the terminal; the bidirectional controls could reorder what is read.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


def clean(text: str) -> str:
    """`text` on one line, without anything that a terminal would obey."""
    return _CONTROL.sub(" ", text).strip()


def plain(text: str, style: str = "") -> Text:
    """`text` as rich shows it literally: cleaned, its square brackets not read as markup."""
    return Text(clean(text), style=style)


def complain(message: str, hint: str = "") -> None:
    """One red line on stderr, and the hint below it."""
    err.print(Text.assemble(("error: ", "bold red"), (clean(message), "red")), soft_wrap=True)
    if hint:
        err.print(Text.assemble(("hint:  ", "bold"), clean(hint)), soft_wrap=True)


def emit_json(value: Any) -> None:
    """`value` as one line of strict ASCII JSON on stdout."""
    typer.echo(json.dumps(jsonable(value), allow_nan=False))


def jsonable(value: Any) -> Any:
    """`value` in JSON's types: money and non-finite floats as strings, times in ISO 8601."""
    if is_dataclass(value) and not isinstance(value, type):
        return jsonable(asdict(value))
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal) or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return value

"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from agentguard.cli.datadir import DATA_DIR_VAR

__all__ = ["AsJson", "DataDir", "ProjectName"]

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help=f"Where everything is kept; otherwise {DATA_DIR_VAR}, otherwise your user data.",
        show_default=False,
    ),
]
ProjectName = Annotated[str, typer.Option("--project", help="A project, by its name or its id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")]

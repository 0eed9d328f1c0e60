"""`agentguard export`."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO, Protocol

import typer

from agentguard.cli.asked import FilterText, Since, Until, asked_filter, asked_range, reading
from agentguard.cli.errors import FAILED, CliError, server_extra
from agentguard.cli.options import DataDir, ProjectName
from agentguard.cli.terminal import err

__all__ = ["ExportFormat", "export_spans"]

_INTERRUPTED = 130


class ExportFormat(StrEnum):
    """How spans are written."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"
    OTLP_JSON = "otlp-json"
    OTLP_NDJSON = "otlp-ndjson"


class _Target(Protocol):
    def write(self, data: bytes, /) -> object: ...


def export_spans(
    filter_text: FilterText = "",
    format_: Annotated[
        ExportFormat, typer.Option("--format", "-f", help="How the spans are written.")
    ] = ExportFormat.NDJSON,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The file; it is there once it is whole. Otherwise stdout."
        ),
    ] = None,
    since: Since = "1d",
    until: Until = None,
    project: ProjectName = "default",
    data_dir: DataDir = None,
) -> None:
    """Write spans for other programs, however many there are."""
    asked = asked_range(since, until, datetime.now(UTC))
    wanted = asked_filter(filter_text)
    if output is None and format_ is ExportFormat.PARQUET and sys.stdout.isatty():
        raise CliError("Parquet is no text for a terminal", hint="name a file with --output")
    try:
        with reading(data_dir, project) as reader:
            with server_extra():
                from agentguard_storage.export import export
            parts = export(reader, asked, format=format_.value, filter=wanted)
            with _target(output) as target, _progress(output) as shown:
                for part in shown(parts):
                    target.write(part)
    except KeyboardInterrupt:
        left = "nothing was written" if output else "what came is not whole"
        raise CliError(f"interrupted: {left}", exit_code=_INTERRUPTED) from None
    except BrokenPipeError:
        # Who read our output has enough. Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None
    except OSError as error:
        where = output or "stdout"
        raise CliError(f"cannot write {where}: {error.strerror or error}") from None


@contextmanager
def _target(output: Path | None) -> Iterator[_Target]:
    if output is None:
        stdout: BinaryIO = sys.stdout.buffer
        yield stdout
        stdout.flush()
    else:
        from agentguard.client.part_file import PartFile

        with PartFile(output) as file:
            yield file


class _Shown(Protocol):
    def __call__(self, parts: Iterable[bytes], /) -> Iterator[bytes]: ...


@contextmanager
def _progress(output: Path | None) -> Iterator[_Shown]:
    """Show on a terminal how much was written; how much there will be, nobody knows."""
    if output is None or not err.is_terminal:
        yield lambda parts: iter(parts)
        return
    from rich.progress import (
        DownloadColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TransferSpeedColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err) as progress:
        task = progress.add_task(f"writing {output.name}", total=None)

        def shown(parts: Iterable[bytes], /) -> Iterator[bytes]:
            for part in parts:
                yield part
                progress.advance(task, len(part))

        yield shown

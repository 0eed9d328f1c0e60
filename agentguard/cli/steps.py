"""A progress display for work that is known step by step."""

from types import TracebackType
from typing import Self

from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from agentguard.cli.terminal import err

__all__ = ["Steps"]


class Steps:
    """One line per step on stderr, with the time that it took."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/green]"),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=err,
        )
        self._current: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._finish()
        self._progress.stop()

    def begin(self, what: str) -> None:
        """End the step before and begin this one."""
        self._finish()
        self._current = self._progress.add_task(what, total=1)

    def _finish(self) -> None:
        if self._current is not None:
            self._progress.update(self._current, completed=1)

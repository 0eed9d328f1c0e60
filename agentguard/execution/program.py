"""The program itself: started under a plan, given its time, and ended when that is over."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agentguard.errors import AgentGuardError, TimeoutExceeded
from agentguard.execution.desk import Desk
from agentguard.execution.plan import Plan
from agentguard.execution.receipt import EndedBy, Receipt

__all__ = ["STOPPED", "Ended", "NotStartedError", "run_program"]

STOPPED: Final = 75
"""The exit code of a program that was stopped: `EX_TEMPFAIL` of sysexits.h, as it may be run again.
"""

_POLL: Final = 0.1
_KILL_AFTER: Final = 5.0
"""Seconds between asking a program to end and ending it."""


class NotStartedError(AgentGuardError):
    """The command cannot be run; `exit_code` is the one that shells give."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Ended:
    """How it went. `guarded` are the processes that loaded the guards."""

    exit_code: int
    seconds: float
    receipt: Receipt
    guarded: int
    killed: bool


def run_program(
    command: Sequence[str],
    *,
    name: str,
    limits: Mapping[str, int | str | None],
    shared: str | None = None,
    timeout: float | None = None,
    idle_seconds: float | None = None,
    loop: bool = False,
    grace: float = 10.0,
) -> Ended:
    """Run the command under guards, to its end.

    `limits` are `max_calls`, `max_tokens` and `max_cost_usd` of a `BudgetGuard`. Times are in
    seconds. A program that was stopped has `grace` seconds to end by itself.

    Raises:
        NotStartedError: there is no such command, or it may not be run.
    """
    with _desk_folder() as folder:
        plan = Plan(
            run_id=secrets.token_hex(16),
            name=name,
            address=str(folder / "desk"),
            secret=secrets.token_hex(32),
            shared=shared,
            ends_at=None if timeout is None else time.time() + timeout,
            idle_seconds=idle_seconds,
            loop=loop,
            **limits,  # type: ignore[arg-type]  # the three fields of that name
        )
        desk = Desk(plan)
        try:
            return _Program(command, plan, desk, timeout, grace).run()
        finally:
            desk.close()


@contextmanager
def _desk_folder() -> Iterator[Path]:
    # In the shortest place there is: a socket's path has 107 bytes at most.
    short = Path("/tmp")  # noqa: S108 - only this user can enter what is made in it
    folder = Path(tempfile.mkdtemp(prefix="ag-", dir=short if short.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Program:
    def __init__(
        self, command: Sequence[str], plan: Plan, desk: Desk, timeout: float | None, grace: float
    ) -> None:
        self._command = command
        self._plan = plan
        self._desk = desk
        self._timeout = timeout
        self._grace = grace
        self._asked_at: float | None = None
        self._killed = False

    def run(self) -> Ended:
        started = time.monotonic()
        process = self._start()
        with _passing_on_signals(process):
            stopped_at: float | None = None
            while (code := _wait(process)) is None:
                now = time.monotonic()
                if self._timeout is not None and now >= started + self._timeout:
                    self._desk.stop(self._too_late())
                if self._desk.stopped is not None:
                    stopped_at = stopped_at or now
                    self._end(process, now - stopped_at)
        receipt = self._desk.receipt
        if receipt.stopped is not None:
            code = STOPPED
        return Ended(
            128 - code if code < 0 else code,
            time.monotonic() - started,
            receipt,
            self._desk.guarded,
            self._killed,
        )

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603 - what the user asked for
                self._command, env=self._plan.environment(os.environ)
            )
        except FileNotFoundError:
            raise NotStartedError(f"there is no command {self._command[0]!r}", 127) from None
        except OSError as problem:
            raise NotStartedError(
                f"{self._command[0]!r} cannot be run: {problem.strerror}", 126
            ) from None

    def _too_late(self) -> EndedBy:
        return EndedBy(
            "timeout",
            f"the program ran for {self._timeout:g} s, which is its limit",
            limit=self._timeout,
            used=self._timeout,
            unit="seconds",
            error=TimeoutExceeded.__name__,
        )

    def _end(self, process: subprocess.Popen[bytes], stopped_for: float) -> None:
        """Ask a stopped program to end after its grace, and end it after that."""
        if stopped_for >= self._grace + _KILL_AFTER:
            self._signal(process, signal.SIGKILL)
        elif stopped_for >= self._grace and self._asked_at is None:
            self._asked_at = time.monotonic()
            self._signal(process, signal.SIGTERM)

    def _signal(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        self._killed = True
        for each in {process.pid, *self._desk.alive}:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(each, number)


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(_POLL)
    except subprocess.TimeoutExpired:
        return None


@contextmanager
def _passing_on_signals(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let the program decide about signals. Ctrl-C reaches it by itself, from the terminal."""

    def pass_on(number: int, _: object) -> None:
        process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

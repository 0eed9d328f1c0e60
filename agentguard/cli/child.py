"""A child process that says when it is ready and is started again when it dies.

It prints one JSON line on stdout once it serves, logs to stderr, and leaves when its stdin
reaches its end: the pipe we hold closes with us, however we go.
"""

import asyncio
import contextlib
import json
import logging
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from typing import Any

from agentguard.cli.errors import CliError

__all__ = ["Child"]

READY_WITHIN = 90.0
STOP_WITHIN = 20.0
QUICK = 10.0
MAX_QUICK_FAILURES = 5
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
_SEE_ABOVE = "its own words are in the lines above"

_log = logging.getLogger(__name__)


class Child:
    """One supervised process.

    `role` is its key in `endpoints.json`, `name` what people are told. `argv` takes what the child
    said when it was last ready (empty at first) and returns the arguments after `python -m`, so
    that a restart can ask for the ports it had before.
    """

    def __init__(
        self,
        role: str,
        name: str,
        argv: Callable[[dict[str, Any]], list[str]],
        environment: Mapping[str, str],
    ) -> None:
        self.role = role
        self.name = name
        self.ready: dict[str, Any] = {}
        self._argv = argv
        self._environment = environment
        self._process: Process | None = None
        self._started = 0.0

    @property
    def pid(self) -> int:
        """The process id; 0 before the first start."""
        return self._process.pid if self._process else 0

    async def start(self) -> None:
        """Start and wait for the ready line; raises CliError when it does not come."""
        self._started = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *self._argv(self.ready),
            env=self._environment,
            stdin=PIPE,
            stdout=PIPE,
            # A terminal sends Ctrl-C to its whole process group; the order of ending is ours.
            start_new_session=True,
        )
        self._process = process
        try:
            line = await asyncio.wait_for(_stdout(process).readline(), READY_WITHIN)
        except TimeoutError:
            await self.stop()
            raise CliError(f"{self.name} was not ready within {READY_WITHIN:.0f} s") from None
        if not line:
            code = await process.wait()
            raise CliError(f"{self.name} could not start (exit code {code})", hint=_SEE_ABOVE)
        self.ready = json.loads(line)

    async def keep_alive(self, restarted: Callable[[], None]) -> None:
        """Start the child again whenever it ends and call `restarted` then.

        Raises CliError when that fails MAX_QUICK_FAILURES times in a row.
        """
        failures = 0
        while True:
            code = await self._ended()
            quick = time.monotonic() - self._started < QUICK
            failures = failures + 1 if quick else 1
            if failures > MAX_QUICK_FAILURES:
                raise CliError(
                    f"{self.name} ended {failures} times in a row (exit code {code})",
                    hint=_SEE_ABOVE,
                )
            _log.warning("%s ended (exit code %s) and is started again", self.name, code)
            await asyncio.sleep(min(FIRST_PAUSE * 2**failures, LONGEST_PAUSE))
            try:
                await self.start()
            except CliError as error:
                _log.warning("%s", error)
            else:
                _log.warning("%s is back (pid %s)", self.name, self.pid)
                restarted()

    async def _ended(self) -> int:
        assert self._process is not None  # noqa: S101 - started before it is watched
        while await _stdout(self._process).read(65536):
            pass
        return await self._process.wait()

    async def stop(self) -> None:
        """Ask the child to end, and end it after STOP_WITHIN seconds."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_WITHIN)
        except TimeoutError:
            _log.warning("%s did not end within %.0f s and is killed", self.name, STOP_WITHIN)
            self.kill()
            await process.wait()

    def kill(self) -> None:
        """End the child at once."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


def _stdout(process: Process) -> asyncio.StreamReader:
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    return process.stdout

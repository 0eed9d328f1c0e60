"""Starts a program of the project as a user would, and waits for the JSON line it prints."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.nursery import Forked, nursery_of


class StartError(Exception):
    """The program ended, or stayed silent, before it said that it was ready."""

    def __init__(self, reason: str, stderr: str) -> None:
        super().__init__(f"{reason}\n{stderr}")
        self.stderr = stderr


class ReadyProcess:
    """A running child that has printed its JSON line.

    `ready` is that line, decoded; `stderr` the last lines it logged.
    """

    def __init__(self, popen: subprocess.Popen[bytes] | Forked, timeout: float) -> None:
        self.popen = popen
        self._tail: deque[str] = deque(maxlen=200)
        lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._drains = [
            threading.Thread(target=self._drain_stdout, args=(lines,), daemon=True),
            threading.Thread(target=self._drain_stderr, daemon=True),
        ]
        for drain in self._drains:
            drain.start()
        self.ready: dict[str, Any] = self._first_line(lines, timeout)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self.popen.pid

    @property
    def stderr(self) -> str:
        """The last lines it logged."""
        return "\n".join(self._tail)

    def stop(self, timeout: float = 30) -> int:
        """Ask it to end (SIGTERM) and return its exit code; kill it past `timeout` seconds."""
        if self.popen.poll() is None:
            self.popen.terminate()
        return self._reap(timeout)

    def kill(self) -> int:
        """End it at once (SIGKILL), as a crash would."""
        self.popen.kill()
        return self._reap(10)

    def _reap(self, timeout: float) -> int:
        try:
            code = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            code = self.popen.wait(10)
        for drain in self._drains:
            drain.join(5)
        for pipe in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if pipe is not None:
                pipe.close()
        return code

    def _first_line(self, lines: queue.SimpleQueue[bytes], timeout: float) -> dict[str, Any]:
        try:
            line = lines.get(timeout=timeout)
        except queue.Empty:
            self.kill()
            raise StartError(f"not ready after {timeout} s", self.stderr) from None
        if not line:
            code = self._reap(10)
            raise StartError(f"ended with exit code {code} before it was ready", self.stderr)
        return json.loads(line)

    def _drain_stdout(self, lines: queue.SimpleQueue[bytes]) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            lines.put(line)
        lines.put(b"")

    def _drain_stderr(self) -> None:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            self._tail.append(line.decode(errors="replace").rstrip("\n"))


def start(
    *arguments: str | Path,
    command: Sequence[str] = (sys.executable, "-m"),
    env: dict[str, str] | None = None,
    timeout: float = 30,
) -> ReadyProcess:
    """Run `python -m <arguments>` with open pipes and wait for its first line on stdout."""
    popen = subprocess.Popen(
        [*command, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
    )
    return ReadyProcess(popen, timeout)


def start_forked(module: str, *arguments: str | Path, timeout: float = 30) -> ReadyProcess:
    """The same of a module that is started so often that its imports are made only once."""
    nursery = nursery_of(module)
    if nursery is None:
        return start(module, *arguments, timeout=timeout)
    return ReadyProcess(nursery.start([*map(str, arguments)]), timeout)

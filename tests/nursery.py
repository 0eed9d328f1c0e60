"""Programs of ours that start in a moment: forked from a process that has imported them.

Two thirds of a collector's start are imports, and the tests start a hundred. What runs is the
program as it is, in a process of its own. That it starts by its command is seen where `agentguard
up` starts it, where several workers are started by the first, and where a test is about that.

    python -m tests.nursery agentguard_collector 5

is such a process: it is asked over the socket of that number, by `Nursery`.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import IO

__all__ = ["Forked", "nursery_of"]

_REQUEST_BYTES = 1 << 17


class Forked:
    """A program that was forked; what is used of `subprocess.Popen` is here as it is there."""

    def __init__(self, arguments: Sequence[str], pipes: Sequence[int], told: socket.socket) -> None:
        stdin, stdout, stderr = pipes
        self.args = list(arguments)
        self.stdin: IO[bytes] | None = os.fdopen(stdin, "wb", buffering=0)
        self.stdout: IO[bytes] | None = os.fdopen(stdout, "rb")
        self.stderr: IO[bytes] | None = os.fdopen(stderr, "rb")
        self.returncode: int | None = None
        self._told = told
        self._lock = threading.Lock()
        self.pid = int(told.recv(16))

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once there is one; raises `subprocess.TimeoutExpired`."""
        with self._lock:
            if self.returncode is None:
                self._told.settimeout(timeout)
                try:
                    self.returncode = int(self._told.recv(16))
                except (TimeoutError, BlockingIOError):
                    raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
                self._told.close()
            return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it, unless the program has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The process that has imported a module, and starts it as often as it is asked."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._lock = threading.Lock()
        self._asked, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.nursery", module, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        atexit.register(self._end)

    def start(self, arguments: Sequence[str]) -> Forked:
        """Run the module as `python -m` would, with pipes and the variables that are set now."""
        (stdin, ours_in), (ours_out, stdout), (ours_err, stderr) = (os.pipe() for _ in range(3))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        given = [stdin, stdout, stderr, theirs.fileno()]
        request = json.dumps([arguments, dict(os.environ)]).encode()
        with self._lock:
            socket.send_fds(self._asked, [request], given)
        for each in (stdin, stdout, stderr):
            os.close(each)
        theirs.close()
        return Forked([self._module, *arguments], (ours_in, ours_out, ours_err), ours)

    def _end(self) -> None:
        self._asked.close()
        self._process.wait(10)


def _read_at_start() -> dict[str, str]:
    """What an interpreter goes by when it starts."""
    return {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}


_AT_FIRST = _read_at_start()


def nursery_of(module: str) -> Nursery | None:
    """The one of this process; None where a test has set PYTHONPATH, or the like, for a start."""
    return _nursery(module) if _read_at_start() == _AT_FIRST else None


@cache
def _nursery(module: str) -> Nursery:
    return Nursery(module)


def _serve(asked: socket.socket) -> list[str] | None:
    """Fork for each request, and tell who asked the process id, then the exit code.

    Returns in the children, with their arguments, and at the end, when nobody is there to ask.
    """
    waiting = selectors.DefaultSelector()
    waiting.register(asked, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            if key.fileobj is asked:
                request, given, *_ = socket.recv_fds(asked, _REQUEST_BYTES, 4)
                if not request:
                    return None
                *pipes, number = given
                child = os.fork()
                if not child:
                    os.close(number)
                    _leave(waiting)
                    _become(pipes)
                    arguments: list[str]
                    arguments, variables = json.loads(request)
                    os.environ.clear()
                    os.environ.update(variables)
                    return arguments
                told = socket.socket(fileno=number)
                told.send(str(child).encode())
                waiting.register(os.pidfd_open(child), selectors.EVENT_READ, (child, told))
                for pipe in pipes:
                    os.close(pipe)
            else:
                child, told = key.data
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                with told, suppress(OSError):
                    told.send(str(code).encode())
                waiting.unregister(key.fd)
                os.close(key.fd)


def _leave(waiting: selectors.BaseSelector) -> None:
    """Close what is the forking process's alone."""
    for key in list(waiting.get_map().values()):
        if isinstance(key.fileobj, socket.socket):
            key.fileobj.close()
        else:
            os.close(key.fd)
            key.data[1].close()
    waiting.close()


def _become(pipes: Sequence[int]) -> None:
    """Take the pipes for one's own."""
    for number, pipe in enumerate(pipes):
        os.dup2(pipe, number)
        os.close(pipe)


def main(module: str, number: str) -> None:
    """Import the module's program, and run it in each child."""
    import_module(f"{module}.__main__")
    # It is run as `__main__` later, and is not to be there already.
    del sys.modules[f"{module}.__main__"]
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(number)) as asked:
        arguments = _serve(asked)
    if arguments is not None:
        sys.argv[1:] = arguments
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""`agentguard up` as a child process, for whoever needs a whole AgentGuard for a while."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agentguard.cli.datadir import Endpoints
from agentguard.cli.errors import CliError

__all__ = ["launched"]

STOP_WITHIN = 60.0


@contextmanager
def launched(directory: Path, *flags: str) -> Iterator[Endpoints]:
    """Run `agentguard up` on `directory`, by default on any free ports, and end it afterwards.

    Its log goes to `up.log` there. Raises CliError, with the end of that log, if it cannot start.
    """
    ports = ["--otlp-http-port=0", "--otlp-grpc-port=0", "--clickhouse-port=0"]
    log = directory / "up.log"
    command = [sys.executable, "-m", "agentguard.cli", "up", f"--data-dir={directory}"]
    with log.open("ab") as stderr:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*command, "--print-json", "--exit-with-parent", *ports, *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            # Ctrl-C is for us alone: we end the child when we are done with it.
            start_new_session=True,
        )
    with process:
        try:
            assert process.stdout is not None  # noqa: S101 - PIPE was asked for
            line = process.stdout.readline()
            if not line:
                last = log.read_text(errors="replace").strip().splitlines()[-3:]
                raise CliError(
                    f"agentguard up could not start: {' / '.join(last) or 'it said nothing'}"
                )
            yield Endpoints(**json.loads(line))
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()

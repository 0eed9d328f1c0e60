"""Starts the embedded ClickHouse: `python -m agentguard_storage.embedded --data-dir DIR`."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import uvicorn

from agentguard_storage.embedded.app import Application
from agentguard_storage.embedded.credentials import FILE_NAME, Credentials, CredentialsError
from agentguard_storage.embedded.engine import Engine
from agentguard_storage.embedded.errors import EngineError
from agentguard_storage.embedded.lock import DataDirectoryBusyError, DataDirectoryLock

log = logging.getLogger("agentguard_storage.embedded")

GRACE_SECONDS: Final = 10
CANNOT_START: Final = 2


class Server(uvicorn.Server):
    """uvicorn, ending when `leave` is called, and with exit code 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would raise them again when it has ended."""
        yield

    def leave(self) -> None:
        """Stop accepting, let running requests finish within the grace period."""
        self.force_exit = self.should_exit
        self.should_exit = True


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m agentguard_storage.embedded", description=__doc__
    )
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8123, help="0 means any free one")
    parser.add_argument(
        "--wait-lock",
        type=float,
        default=5.0,
        metavar="SECONDS",
        help="how long to wait for a predecessor that is still closing",
    )
    parser.add_argument("--exit-with-parent", action="store_true", help="end when stdin ends")
    return parser.parse_args()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=256)


def _watch_parent(loop: asyncio.AbstractEventLoop, server: Server) -> None:
    while os.read(0, 4096):
        pass
    # The loop may be closed by then: the engine, told otherwise to end, is being closed.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(server.leave)


async def _run(server: Server, listening: socket.socket, credentials: Path, watch: bool) -> None:
    loop = asyncio.get_running_loop()
    # Before the line is written: who reads it may end the process at once.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.leave)
    if watch:
        threading.Thread(target=_watch_parent, args=(loop, server), daemon=True).start()
    # The socket listens already: a request that comes early waits in its backlog.
    ready = {"port": listening.getsockname()[1], "credentials": str(credentials)}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    await server.serve(sockets=[listening])


def _serve(arguments: argparse.Namespace, data_dir: Path) -> None:
    credentials = Credentials.load_or_create(data_dir)
    with _listen(arguments.host, arguments.port) as listening:
        engine = Engine(data_dir)
        server = Server(
            uvicorn.Config(
                Application(engine, credentials),
                lifespan="off",
                access_log=False,
                log_config=None,
                log_level="warning",
                server_header=False,
                timeout_keep_alive=10,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        uvicorn_loop = server.config.get_loop_factory()
        with asyncio.Runner(loop_factory=uvicorn_loop) as runner:
            runner.run(_run(server, listening, data_dir / FILE_NAME, arguments.exit_with_parent))
        closing = threading.Thread(target=engine.close, daemon=True)
        closing.start()
        closing.join(GRACE_SECONDS)


def main() -> int:
    """Run until told to stop; return 0, or 2 when the data directory or port cannot be used."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    arguments = _arguments()
    data_dir: Path = arguments.data_dir.absolute()
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with DataDirectoryLock(data_dir, arguments.wait_lock):
            _serve(arguments, data_dir)
    except (DataDirectoryBusyError, CredentialsError, EngineError, OSError) as error:
        log.error("cannot start: %s", error)  # noqa: TRY400 - a user's mistake, not a bug
        return CANNOT_START
    return 0


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    # A thread of a query that would not end must not keep the process alive.
    os._exit(code)

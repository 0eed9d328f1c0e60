"""The command line of the collector: what it is told, and how it ends."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import sys
from pathlib import Path

import uvloop

from agentguard_collector.fleet import run_fleet
from agentguard_collector.settings import Settings
from agentguard_collector.worker import run
from agentguard_storage.control.errors import ControlError

__all__ = ["main"]

_HELP = {
    "data_dir": "where the log and the window of known spans are kept",
    "clickhouse": "clickhouse://user:password@host:port/database; default: $%s",
    "clickhouse_reader": "the same for reading, as a user who can only read; default: $%s, or else "
    "the one for writing",
    "control": "SQLAlchemy URL of the control plane; default: $%s",
    "workers": "processes that share the ports",
    "worker": "name of the log folder; by default the first free one",
    "share_ports": "let other processes listen on the same ports",
    "store_reads_files": "the store is this machine's embedded engine: it reads segments in place",
    "exit_with_parent": "stop when standard input is closed",
    "reads_per_minute": "questions that a key may ask in a minute",
    "control_calls_per_minute": "requests about budgets, stops and prices of a key in a minute",
    "reads_at_once": "questions that ClickHouse is asked at the same time",
    "reads_at_once_per_key": "those of one key",
    "read_wait": "seconds that a question waits for its turn",
    "read_seconds": "seconds that ClickHouse may take for a question",
    "max_wal_bytes": "bytes that may wait for the store, on this machine",
}

# A command line can be read by every user of the machine, an environment cannot.
_SECRETS = {
    "clickhouse": "AGENTGUARD_CLICKHOUSE_URL",
    "clickhouse_reader": "AGENTGUARD_CLICKHOUSE_READER_URL",
    "control": "AGENTGUARD_CONTROL_URL",
}


def main() -> None:
    """Parse the command line and serve."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # One line per insert would be most of the log.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    settings = _settings()
    try:
        if settings.workers > 1 and not settings.share_ports:
            ports = (settings.http_port, settings.grpc_port)
            watch = settings.exit_with_parent
            arguments = _worker_arguments(sys.argv[1:])
            uvloop.run(
                run_fleet(arguments, settings.host, ports, settings.workers, watch_stdin=watch)
            )
        else:
            uvloop.run(run(settings))
    except BlockingIOError:
        sys.exit(f"worker {settings.worker} of {settings.data_dir} is running already")
    except (ControlError, OSError, RuntimeError) as error:
        sys.exit(f"the collector cannot run: {error}")


def _settings() -> Settings:
    parser = argparse.ArgumentParser(prog="agentguard_collector", allow_abbrev=False)
    for field in dataclasses.fields(Settings):
        flag = "--" + field.name.replace("_", "-")
        text = _HELP.get(field.name)
        if variable := _SECRETS.get(field.name):
            url = os.environ.get(variable)
            needed = not url and field.default is dataclasses.MISSING
            parser.add_argument(
                flag, default=url, required=needed, help=str(text).replace("%s", variable)
            )
        elif field.type == "bool":
            parser.add_argument(flag, action="store_true", help=text)
        elif field.default is dataclasses.MISSING:
            parser.add_argument(flag, required=True, type=_kind(field), help=text)
        else:
            parser.add_argument(
                flag, default=field.default, type=_kind(field), help=text or "default: %(default)s"
            )
    return Settings(**vars(parser.parse_args()))


def _kind(field: dataclasses.Field[object]) -> type:
    kinds = {"Path": Path, "int": int, "float": float}
    return kinds.get(str(field.type).partition(" ")[0], str)


def _worker_arguments(arguments: list[str]) -> list[str]:
    """Leave out what the fleet decides for its workers."""
    kept, skip = [], False
    for argument in arguments:
        name, has_value = argument.partition("=")[::2]
        if skip:
            skip = False
        elif name in ("--http-port", "--grpc-port"):
            skip = not has_value
        elif name != "--exit-with-parent":
            kept.append(argument)
    return kept

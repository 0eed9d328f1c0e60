"""The whole of AgentGuard as a user runs it: `agentguard up` on free ports and a directory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agentguard.cli.app import app
from tests.processes import ReadyProcess, start

ANY_PORTS = ("--otlp-http-port=0", "--otlp-grpc-port=0", "--clickhouse-port=0")
READY_WITHIN = 90.0
COMMAND = (sys.executable, "-m", "agentguard.cli")


@dataclass(frozen=True)
class RunningStack:
    """A running `agentguard up`; the properties are fields of the line that it printed."""

    process: ReadyProcess
    data_dir: Path

    @property
    def ready(self) -> dict[str, Any]:
        """The line that `up --print-json` printed, decoded."""
        return self.process.ready

    @property
    def otlp_http(self) -> str:
        """The base URL for OTLP/HTTP."""
        return str(self.ready["otlp_http"])

    @property
    def otlp_grpc(self) -> str:
        """The base URL for OTLP/gRPC."""
        return str(self.ready["otlp_grpc"])

    @property
    def clickhouse(self) -> str:
        """A DSN with the reader's credentials."""
        return str(self.ready["clickhouse"])

    @property
    def api_key(self) -> str:
        """A key with the scopes ingest and read."""
        return str(self.ready["api_key"])

    @property
    def headers(self) -> dict[str, str]:
        """What an exporter must send along."""
        return {"authorization": f"Bearer {self.api_key}"}

    def cli(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run an `agentguard` command against this stack.

        In this process, since to start another one takes longer than what the commands do.
        """
        ours = dict.fromkeys(os.environ.keys() - clean_environment({}).keys())
        given = {"COLUMNS": "200", "AGENTGUARD_DATA_DIR": str(self.data_dir), **variables}
        done = CliRunner().invoke(app, arguments, env={**ours, **given}, catch_exceptions=False)
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Ours without what would configure AgentGuard or OpenTelemetry, and `extra`."""
    inherited = os.environ.items()
    kept = {k: v for k, v in inherited if not k.startswith(("AGENTGUARD_", "OTEL_"))}
    return {**kept, **extra}


def run_cli(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run an `agentguard` command to its end, as a user with these variables would."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=clean_environment({"COLUMNS": "200", **variables}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def launch_stack(data_dir: Path, *flags: str) -> RunningStack:
    """Start `agentguard up` on `data_dir` and wait until it is ready."""
    process = start(
        "up",
        f"--data-dir={data_dir}",
        *ANY_PORTS,
        *flags,
        "--print-json",
        "--exit-with-parent",
        command=COMMAND,
        env=clean_environment({}),
        timeout=READY_WITHIN,
    )
    return RunningStack(process, data_dir)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One `agentguard up` for the whole run; for tests that leave it as they found it."""
    running = launch_stack(tmp_path_factory.mktemp("stack") / "data")
    yield running
    running.process.stop(60)


@pytest.fixture
def start_stack() -> Iterator[Callable[..., RunningStack]]:
    """Start stacks that a test may kill: `start_stack(data_dir, *flags)`."""
    started: list[RunningStack] = []

    def begin(data_dir: Path, *flags: str) -> RunningStack:
        started.append(launch_stack(data_dir, *flags))
        return started[-1]

    yield begin
    for running in started:
        running.process.stop(60)

"""A stack with recorded runs, asked through its MCP server; both SDKs on each side."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uv

from tests.mcp_server.recorded import Recording, send, was_stopped, went_well
from tests.plain_http import NO_TLS
from tests.processes import start
from tests.stack import ANY_PORTS, READY_WITHIN, RunningStack, clean_environment

OLD_SDK = "mcp==1.30.0"
ROOT = Path(__file__).parents[2]
WRITING = ("budgets", "stops", "shares", "annotations")
_SETUP_TIMEOUT_S = 300
_STORED_WITHIN_S = 60


@dataclass(frozen=True)
class Served:
    """A stack that has recorded runs of one project, and keys for it.

    `reading` has the scope read alone, `writing` all that the tools may need, `sending` ingest.
    """

    stack: RunningStack
    project: str
    reading: str
    writing: str
    sending: str
    well: Recording
    stopped: Recording

    @property
    def url(self) -> str:
        """The MCP endpoint."""
        return f"{self.stack.ready['api']}/mcp"

    def post(self, body: Any, key: str | None, **headers: str) -> httpx2.Response:
        """POST to the endpoint."""
        known = {"accept": "application/json, text/event-stream"}
        if key is not None:
            known["authorization"] = f"Bearer {key}"
        return httpx2.post(self.url, json=body, headers=known | headers, verify=NO_TLS, timeout=60)

    def ask(self, method: str, params: dict[str, Any] | None = None, *, key: str) -> Any:
        """The response to one request, decoded."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        return self.post(body, key).json()

    def call(self, tool: str, key: str | None = None, **arguments: Any) -> dict[str, Any]:
        """The result of one call of a tool."""
        params = {"name": tool, "arguments": arguments}
        result: dict[str, Any] = self.ask("tools/call", params, key=key or self.writing)["result"]
        return result

    def found(self, tool: str, key: str | None = None, **arguments: Any) -> dict[str, Any]:
        """The structured result of a call that must not fail."""
        result = self.call(tool, key, **arguments)
        assert not result.get("isError"), result
        structured: dict[str, Any] = result["structuredContent"]
        return structured

    def wait_for(self, *runs: Recording) -> None:
        """Wait until these runs can be read, all of their spans."""
        end = time.monotonic() + _STORED_WITHIN_S
        for run in runs:
            while self.call("get_trace", trace_id=run.hex).get("isError"):
                assert time.monotonic() < end, "what was sent is not stored"
                time.sleep(0.05)

    def error(self, tool: str, key: str | None = None, **arguments: Any) -> str:
        """The text of a call that must fail."""
        result = self.call(tool, key, **arguments)
        assert result.get("isError") is True, result
        return str(result["content"][0]["text"])


def serve(stack: RunningStack) -> Served:
    """Record runs in a new project of the stack, and wait until they can be read."""
    name = f"mcp-{os.urandom(4).hex()}"
    project = json.loads(stack.cli("projects", "create", name, "--json").stdout)["id"]

    def key(*scopes: str) -> str:
        options = [option for scope in scopes for option in ("--scope", scope)]
        made = stack.cli("keys", "create", *options, "--project", name, "--json")
        return str(json.loads(made.stdout)["api_key"])

    served = Served(
        stack,
        project,
        key("read"),
        key("read", *WRITING),
        key("ingest"),
        went_well(),
        was_stopped(),
    )
    send(stack.otlp_http, served.sending, served.well, served.stopped)
    served.wait_for(served.well, served.stopped)
    return served


@pytest.fixture(scope="session")
def old_sdk(request: pytest.FixtureRequest) -> Path:
    """A Python with all that ours has, but mcp 1.x: installed once and kept in pytest's cache."""
    home = Path(request.config.cache.mkdir("mcp_server")) / OLD_SDK
    python = home / "bin" / "python"
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(home))
            _uv("pip", "install", "--quiet", "--python", str(python), OLD_SDK)
            (home / "complete").touch()
    own = next(home.glob("lib/python*/site-packages"))
    ours = [path for path in sys.path if path.endswith("site-packages")]
    # Ours come after its own, so that of what both have its own is found.
    lines = [f"import site; site.addsitedir({path!r})" for path in ours]
    (own / "ours.pth").write_text("\n".join(lines) + "\n")
    return python


def _uv(*arguments: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")}
    command = [uv.find_uv_bin(), *arguments]
    subprocess.run(command, check=True, timeout=_SETUP_TIMEOUT_S, env=environment)


@pytest.fixture(scope="session")
def served(stack: RunningStack) -> Served:
    """Runs in the session's stack, whose mcp is 2.x."""
    return serve(stack)


@pytest.fixture(scope="session")
def served_by_old(old_sdk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Runs in a stack whose mcp is 1.x."""
    data_dir = tmp_path_factory.mktemp("old_sdk") / "data"
    process = start(
        "up", f"--data-dir={data_dir}", *ANY_PORTS, "--print-json", "--exit-with-parent",
        command=(str(old_sdk), "-m", "agentguard.cli"),
        env=clean_environment({}),
        timeout=READY_WITHIN,
    )  # fmt: skip
    yield serve(RunningStack(process, data_dir))
    process.stop(60)


@pytest.fixture(params=["2.x", "1.x"])
def server(request: pytest.FixtureRequest) -> Served:
    """The runs, served with each of the two SDKs."""
    name = "served" if request.param == "2.x" else "served_by_old"
    found: Served = request.getfixturevalue(name)
    return found


Drive = Callable[..., dict[str, Any]]


@pytest.fixture
def drive(request: pytest.FixtureRequest) -> Drive:
    """Have a client of an SDK do steps: `drive(server, "1.x", "stdio", steps, **plan)`."""

    def run(
        server: Served, sdk: str, transport: str, steps: list[list[Any]], **more: Any
    ) -> dict[str, Any]:
        old: Path = request.getfixturevalue("old_sdk")
        python = sys.executable if sdk == "2.x" else str(old)
        key = more.pop("key", server.writing)
        plan: dict[str, Any] = {"steps": steps, **more}
        if transport == "http":
            plan |= {"url": server.url, "headers": {"Authorization": f"Bearer {key}"}}
        else:
            variables = {
                "AGENTGUARD_ENDPOINT": server.stack.ready["api"],
                "AGENTGUARD_API_KEY": key,
            }
            plan |= {
                # The program is of the same SDK as its client.
                "command": python,
                "args": ["-m", "agentguard.cli", "mcp"],
                "env": clean_environment(variables),
            }
        done = subprocess.run(
            [python, str(Path(__file__).with_name("drive_client.py"))],
            input=json.dumps(plan),
            env=clean_environment({}),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        answers: dict[str, Any] = json.loads(done.stdout)
        assert answers["sdk"].startswith(sdk[0])
        return answers

    return run

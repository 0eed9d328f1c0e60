"""A Python of its own for each framework, and the outcomes of its runaway agents."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.driving import IN_TURNS, Outcome
from tests.integrations.environments import ROOT, python_of
from tests.integrations.traced import Traced

_OFFLINE = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "OTEL_SDK_DISABLED": "",
    "LITELLM_LOCAL_MODEL_COST_MAP": "true",
    "CREWAI_STORAGE_DIR": str(Path(tempfile.gettempdir()) / "agentguard-crewai"),
    "NO_PROXY": "127.0.0.1",
}


@pytest.fixture(scope="session")
def python_with() -> Callable[[str | None], Path]:
    """`python_with("langchain")`: that of the group `with-langchain` of the lock file."""
    return cache(python_of)


def environment(base_url: str, api_key: str) -> dict[str, str]:
    """The process's variables, and those by which each library finds its provider there."""
    root = base_url.removesuffix("/v1")
    names = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")
    return {
        **os.environ,
        **_OFFLINE,
        "OPENAI_BASE_URL": base_url,
        "OPENAI_API_BASE": base_url,
        "ANTHROPIC_BASE_URL": root,
        "ANTHROPIC_API_BASE": root,
        "GOOGLE_GEMINI_BASE_URL": root,
        **dict.fromkeys(names, api_key),
    }


def run_in(python: Path, *arguments: str, env: dict[str, str] | None = None, bound: float = 110):
    """Run a module or a script of the tests in that Python, from the root of the project."""
    return subprocess.run(
        [str(python), *arguments],
        cwd=ROOT,
        env=os.environ | _OFFLINE | (env or {}),
        capture_output=True,
        text=True,
        timeout=bound,
    )


@pytest.fixture(scope="session")
def outcomes_of(
    python_with, tmp_path_factory, pytestconfig
) -> Callable[..., dict[tuple[str, str], Outcome]]:
    """`outcomes_of("langchain", "tests.integrations.langchain.runaways")`, by form and guard.

    Run once, whichever of the test runner's processes is the first to ask.
    """
    which = [] if pytestconfig.getoption("--soak") else [IN_TURNS]
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    @cache
    def run(group: str | None, module: str) -> dict[tuple[str, str], Outcome]:
        said = shared / f"{module}.json"
        with said.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not said.exists():
                done = run_in(python_with(group), "-m", module, *which, bound=300)
                over = time.time()
                assert done.returncode == 0, done.stderr[-4000:]
                said.write_text(json.dumps({"over": over, "lines": _json_lines(done.stdout)}))
        found = json.loads(said.read_text())
        *lines, last = found["lines"]
        assert found["over"] - last["ended"] < 5, "the process did not end by itself"
        return {(line["form"], line["guard"]): Outcome(**line) for line in lines}

    return run


def _json_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines() if line[:1] == "{"]


@pytest.fixture(scope="session")
def traced(python_with) -> Callable[..., Traced]:
    """`traced("langchain", script, responder)`: what the spans of the script say, as it is."""

    @cache
    def run(group: str | None, script: str, responder: str | None = None) -> Traced:
        arguments = [script] if responder is None else [script, responder]
        done = run_in(python_with(group), "-m", "tests.integrations.traced", *arguments)
        assert done.returncode == 0, done.stderr[-4000:]
        return Traced(**json.loads(done.stdout))

    return run

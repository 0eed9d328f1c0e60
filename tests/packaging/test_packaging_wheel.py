"""What is in the wheel, and what an installed one can do without the repository around it."""

from __future__ import annotations

import json
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.processes import start
from tests.stack import ANY_PORTS, clean_environment

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "agentguard": ROOT,
    "agentguard_storage": ROOT / "storage",
    "agentguard_collector": ROOT / "collector",
    "agentguard_integrations": ROOT / "integrations",
    "agentguard_mcp": ROOT / "mcp",
}
SPAN = """
import agentguard
handle = agentguard.init(service_name="installed")
with agentguard.chat_span("gpt-5", provider="openai") as chat:
    chat.record_usage(input_tokens=900, output_tokens=40)
assert handle.flush(30), handle.stats
"""


def outside(empty: Path, **variables: str) -> dict[str, str]:
    """The environment of a user whose home and temporary directory are in `empty`."""
    kept = clean_environment({"HOME": str(empty), "TMPDIR": str(empty), **variables})
    return {name: value for name, value in kept.items() if not name.startswith("PYTHON")}


def run(program: Path, *arguments: str, cwd: Path, **variables: str):
    """Run an installed program to its end, from an empty directory."""
    return subprocess.run(
        [program, *arguments],
        cwd=cwd,
        env=outside(cwd, **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_wheel_holds_every_file_of_the_packages(wheel):
    """SQL, protobuf schema, migrations and type markers are installed, and nothing foreign is."""
    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    sources = {
        str(file.relative_to(parent))
        for package, parent in PACKAGES.items()
        for file in (parent / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert packed == sources
    assert {Path(name).suffix for name in packed} >= {".sql", ".proto", ".mako", ".typed", ".py"}


def test_the_sdk_needs_no_extra(without_extras, tmp_path):
    """With the SDK alone a span can be made, whether or not anybody takes it."""
    code = "import agentguard; agentguard.init()\nwith agentguard.run('alone'): pass"
    done = run(
        without_extras / "python",
        "-c",
        code,
        cwd=tmp_path,
        AGENTGUARD_ENDPOINT="http://127.0.0.1:1",
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_needs_no_extra_for_its_help(without_extras, tmp_path):
    """Help and version work before anything else is installed."""
    told = run(without_extras / "agentguard", "--version", cwd=tmp_path)
    assert told.stdout.strip() == f"agentguard {version('agentguard')}"
    helped = run(without_extras / "agentguard", "--help", cwd=tmp_path)
    assert helped.returncode == 0
    assert "doctor" in helped.stdout


@pytest.mark.parametrize(
    "command", ["up", "demo", "traces --project prj_000000000000", "keys list"]
)
def test_a_missing_extra_is_named(without_extras, tmp_path, command):
    """What needs the server parts says how to get them, and leaves nothing behind."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "control.db").touch()
    done = run(
        without_extras / "agentguard",
        *command.split(),
        cwd=tmp_path,
        AGENTGUARD_DATA_DIR=str(tmp_path / "data"),
        AGENTGUARD_CLICKHOUSE_URL="clickhouse://127.0.0.1:1/agentguard",
    )
    assert done.returncode == 1
    assert "pip install 'agentguard[server]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["data", "control.db"]


def test_up_works_from_an_empty_directory_and_leaves_it_empty(with_server, tmp_path):
    """An installed `agentguard up` takes and shows spans, and writes to its data directory."""
    data, empty = tmp_path / "data", tmp_path / "empty"
    empty.mkdir()
    command = with_server / "agentguard"
    serving = start(
        "up",
        f"--data-dir={data}",
        *ANY_PORTS,
        "--print-json",
        "--exit-with-parent",
        command=["env", f"--chdir={empty}", str(command)],
        env=outside(empty),
        timeout=60,
    )
    try:
        at = serving.ready
        sent = run(
            with_server / "python",
            "-c",
            SPAN,
            cwd=empty,
            AGENTGUARD_ENDPOINT=at["otlp_http"],
            AGENTGUARD_API_KEY=at["api_key"],
        )
        assert sent.returncode == 0, sent.stderr
        [trace] = traces_within(30, command, data, empty)
        assert (trace["root_name"], trace["input_tokens"]) == ("chat gpt-5", 900)
        assert float(trace["cost"]) > 0
    finally:
        assert serving.stop(60) == 0
    assert list(empty.iterdir()) == []


def traces_within(seconds: float, command: Path, data: Path, cwd: Path) -> list[dict]:
    """What `agentguard traces` shows as soon as it shows something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done = run(command, "traces", "--json", f"--data-dir={data}", cwd=cwd)
        assert done.returncode == 0, done.stderr
        if found := json.loads(done.stdout):
            return found
    pytest.fail(f"no trace within {seconds} s")

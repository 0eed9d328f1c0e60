"""The help is quick, and `docs/cli.md` is what the commands say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agentguard.cli.app import app

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
BLOCK = re.compile(r"```\n\$ (agentguard[^\n]*--help)\n(.*?)```", re.DOTALL)
COMMANDS = (
    "up", "exec", "demo", "doctor", "traces", "trace", "sessions", "alerts", "costs",
    "keys create", "keys list", "keys revoke",
    "prices set", "prices unset", "prices show", "prices list",
    "projects", "projects list", "projects create",
)  # fmt: skip


def help_of(command: str) -> str:
    """What `command` (`agentguard ... --help`) prints on a terminal of 100 columns."""
    environment = {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    done = CliRunner().invoke(app, command.split()[1:], prog_name="agentguard", env=environment)
    assert done.exit_code == 0, done.output
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines()) + "\n"


def rewritten(page: str) -> str:
    """The page with every help text as the commands print it today."""
    return BLOCK.sub(lambda found: f"```\n$ {found[1]}\n{help_of(found[1])}```", page)


def test_every_command_is_documented():
    """The page holds the help of each command."""
    shown = {found[0] for found in BLOCK.findall(PAGE.read_text())}
    assert shown == {f"agentguard {command} --help" for command in COMMANDS} | {"agentguard --help"}


def test_documented_help_is_true():
    """The page says what the commands say; `python -m tests.cli.test_cli_help` rewrites it."""
    page = PAGE.read_text()
    assert rewritten(page) == page


@pytest.mark.parametrize("module", ["chdb", "clickhouse_connect", "sqlalchemy", "grpc", "openai"])
def test_help_loads_no_server_part(module):
    """Asking for help must not pay for the engine, the database or the network."""
    code = f"import sys, agentguard.cli.app; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=dict(os.environ)).returncode == 0


def test_missing_extra_is_named(tmp_path):
    """Without the server parts a command that needs them says what to install."""
    (tmp_path / "control.db").touch()
    code = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        f"sys.argv = ['agentguard', 'keys', 'list', '--data-dir', {str(tmp_path)!r}]\n"
        "from agentguard.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'agentguard[server]'" in done.stderr
    assert "Traceback" not in done.stderr


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text()))

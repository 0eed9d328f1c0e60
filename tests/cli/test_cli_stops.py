"""`agentguard stop`, `resume` and `stops`, on a control plane of their own."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agentguard.cli.app import app
from agentguard.cli.prepare import prepare_control


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch) -> Path:
    """A data directory as `up` prepares it, chosen by AGENTGUARD_DATA_DIR."""
    monkeypatch.setenv("AGENTGUARD_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("AGENTGUARD_CONTROL_URL", raising=False)
    prepare_control(tmp_path, None)
    return tmp_path


def run(*arguments: str):
    """The result of `agentguard ...`."""
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (("run-7",), "run run-7"),
        (("--service", "crawler"), "service crawler"),
        (("--project", "default"), "project default"),
    ],
)
def test_what_was_stopped_is_listed_until_it_is_resumed(target, words):
    """A stop is in force, and told with its reason, until it is lifted."""
    assert words in run("stop", *target, "--reason", "too dear").stdout
    assert words in run("stops").stdout
    (listed,) = json.loads(run("stops", "--json").stdout)
    assert listed["reason"] == "too dear"
    assert words in run("resume", *target).stdout
    assert json.loads(run("stops", "--json").stdout) == []
    again = run("resume", *target)
    assert again.exit_code == 1
    assert "is not stopped" in again.stderr


def test_stopping_twice_is_one_stop():
    """The same stop again changes nothing."""
    first, second = (json.loads(run("stop", "run-7", "--json").stdout) for _ in range(2))
    assert first["id"] == second["id"]


@pytest.mark.parametrize("arguments", [(), ("run-7", "--service", "crawler")])
def test_a_stop_is_of_one_thing(arguments):
    """A stop of nothing or of two things says what to give, and exits with 2."""
    result = run("stop", *arguments)
    assert result.exit_code == 2
    assert "--service" in result.stderr


def test_another_project_is_not_concerned():
    """A stop of a service is one of its project."""
    run("projects", "create", "research")
    run("stop", "--service", "crawler", "--project", "research")
    assert json.loads(run("stops", "--json").stdout) == []
    assert json.loads(run("stops", "--project", "research", "--json").stdout)[0]["target"]
    assert run("stop", "run-7", "--project", "nosuch").exit_code == 1

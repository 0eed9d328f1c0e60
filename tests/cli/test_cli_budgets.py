"""`agentguard budgets`, on a control plane of its own."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agentguard.budgets.spend import Spend
from agentguard.cli.app import app
from agentguard.cli.prepare import prepare_control
from agentguard_storage.control import open_control_plane


@pytest.fixture
def directory(tmp_path: Path, monkeypatch) -> Path:
    """A data directory as `up` prepares it, chosen by AGENTGUARD_DATA_DIR."""
    monkeypatch.setenv("AGENTGUARD_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("AGENTGUARD_CONTROL_URL", raising=False)
    prepare_control(tmp_path, None)
    return tmp_path


def run(*arguments: str):
    """The result of `agentguard budgets ...`."""
    return CliRunner().invoke(app, ["budgets", *arguments])


def spend(directory: Path, name: str, value: str, amount: Spend) -> None:
    """Somebody spends of the budget."""
    plane = open_control_plane(directory)
    project = plane.projects.ensure_default().id
    plane.reservations.reserve(project, name, f"lease-{value}", amount, scope_value=value)
    plane.reservations.settle(project, name, f"lease-{value}", amount)
    plane.close()


def test_a_budget_is_set_and_shown(directory):
    """What was set is what is shown, with who spent how much."""
    given = ("--usd", "5", "--calls", "100", "--per", "day", "--timezone", "Europe/Berlin")
    assert run("set", "team", *given, "--scope", "user").exit_code == 0
    spend(directory, "team", "ada", Spend(3, 700, 1_250_000_000_000))
    shown = run("show", "team")
    assert "$5.00, 100 calls per day (Europe/Berlin), for each user" in shown.stdout
    assert "ada" in shown.stdout
    assert "$1.25, 3 calls" in shown.stdout
    read = json.loads(run("show", "team", "--json").stdout)
    assert read["limits"] == {"calls": 100, "tokens": None, "usd": "5.000000000000"}
    assert read["pots"][0]["spent"]["calls"] == 3
    assert [each["name"] for each in json.loads(run("list", "--json").stdout)] == ["team"]
    assert "team" in run("list").stdout


def test_setting_again_changes_limits_and_keeps_spending(directory):
    """A limit can be raised without forgetting what was spent."""
    run("set", "team", "--calls", "3")
    spend(directory, "team", "", Spend(3))
    raised = json.loads(run("set", "team", "--calls", "9", "--json").stdout)
    assert (raised["limits"]["calls"], raised["pots"][0]["spent"]["calls"]) == (9, 3)


def test_reset_begins_anew_for_one_or_all(directory):
    """A reset forgets the spending of one user, or of everybody."""
    run("set", "team", "--calls", "3", "--scope", "user")
    spend(directory, "team", "ada", Spend(3))
    spend(directory, "team", "bob", Spend(2))
    assert "1 pot" in run("reset", "team", "--scope-value", "ada").stdout
    pots = json.loads(run("show", "team", "--json").stdout)["pots"]
    assert {pot["scope_value"]: pot["spent"]["calls"] for pot in pots} == {"ada": 0, "bob": 2}
    assert run("reset", "team", "--scope-value", "eve").exit_code == 1
    assert "2 pots" in run("reset", "team").stdout


def test_a_deleted_budget_is_gone(directory):
    """After `delete` there is no such budget."""
    run("set", "team", "--calls", "3")
    assert run("delete", "team").exit_code == 0
    assert run("show", "team").exit_code == 1
    assert "no budgets" in run("list").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("set", "team"), "needs a limit"),
        (("set", "team", "--usd", "much"), "not a number of US dollars"),
        (("set", "team", "--usd", "-1"), "must be 0 to"),
        (("set", "a b", "--calls", "1"), "letters, digits"),
        (("set", "team", "--calls", "1", "--per", "year"), "none, hour, day, week, month"),
        (("set", "team", "--calls", "1", "--scope", "planet"), "is not one of"),
        (("set", "team", "--calls", "1", "--timezone", "Mars/Base"), "IANA"),
    ],
)
def test_what_makes_no_budget_is_told_in_one_line(directory, arguments, says):
    """A mistake ends with exit code 2 and says what is allowed."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr

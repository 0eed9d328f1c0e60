"""`agentguard keys` and `agentguard projects`, on a control plane of their own."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agentguard.cli.app import app
from agentguard.cli.prepare import prepare_control
from agentguard_storage.control import open_control_plane
from agentguard_storage.control.errors import KeyRevoked, MissingScope


@pytest.fixture
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


def test_created_key_can_do_what_its_scopes_say(directory):
    """A key made by the command is accepted for its scopes and for no other."""
    made = json.loads(run("keys", "create", "--scope", "read", "--json").stdout)
    plane = open_control_plane(directory)
    assert plane.verifier.verify(f"Bearer {made['api_key']}", "read").project_id
    with pytest.raises(MissingScope):
        plane.verifier.verify(made["api_key"], "ingest")
    plane.close()


def test_only_the_key_is_on_stdout(directory):
    """`key=$(agentguard keys create)` gets the key and nothing else."""
    result = run("keys", "create")
    assert result.exit_code == 0
    assert result.stdout.strip().startswith("agk_")
    assert len(result.stdout.split()) == 1


def test_list_shows_no_secret(directory):
    """A listing tells all about a key except what it would take to use it."""
    made = json.loads(run("keys", "create", "--name", "nightly", "--json").stdout)
    for listing in (run("keys", "list"), run("keys", "list", "--json")):
        assert made["id"] in listing.stdout
        assert made["api_key"].split("_")[2] not in listing.stdout


def test_expiry_counts_from_now(directory):
    """`--expires 30d` ends the key thirty days from now."""
    made = json.loads(run("keys", "create", "--expires", "30d", "--json").stdout)
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < left <= timedelta(days=30)


@pytest.mark.parametrize("whole", [True, False])
def test_revoked_key_is_refused(directory, whole):
    """Revoking takes a key's id or the key itself, and shows in the list."""
    made = json.loads(run("keys", "create", "--json").stdout)
    assert run("keys", "revoke", made["api_key"] if whole else made["id"]).exit_code == 0
    plane = open_control_plane(directory)
    with pytest.raises(KeyRevoked):
        plane.verifier.verify(made["api_key"], "ingest")
    plane.close()
    listed = {key["id"]: key["status"] for key in json.loads(run("keys", "list", "--json").stdout)}
    assert listed[made["id"]] == "revoked"


def test_bare_projects_lists_them(directory):
    """`agentguard projects` is `agentguard projects list`."""
    assert json.loads(run("projects", "create", "research", "--json").stdout)["name"] == "research"
    bare = run("projects", "--json")
    assert [project["name"] for project in json.loads(bare.stdout)] == ["default", "research"]
    assert bare.stdout == run("projects", "list", "--json").stdout
    assert "research" in run("projects").stdout


def test_keys_belong_to_the_project_they_were_made_for(directory):
    """`--project` chooses a project by its name, for making keys and for listing them."""
    run("projects", "create", "research")
    made = json.loads(run("keys", "create", "--project", "research", "--json").stdout)
    listed = json.loads(run("keys", "list", "--project", "research", "--json").stdout)
    assert [key["id"] for key in listed] == [made["id"]]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (("projects", "create", "default"), 2, "already a project named 'default'"),
        (("keys", "create", "--project", "nope"), 1, "no project 'nope'"),
        (("keys", "create", "--scope", "write"), 2, "'write'"),
        (("keys", "create", "--expires", "soon"), 2, "not a span of time"),
        (("keys", "revoke", "nope"), 1, "no API key with the id 'nope'"),
        (("keys", "revoke", "agk_"), 1, "no API key"),
    ],
)
def test_mistakes_are_one_line_and_an_exit_code(directory, arguments, exit_code, said):
    """A user's mistake is told on stderr in a line, without a traceback."""
    result = run(*arguments)
    assert result.exit_code == exit_code
    assert result.stdout == ""
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_without_a_data_directory_the_way_to_start_is_told(tmp_path, monkeypatch):
    """Where nothing has ever run, nothing is created and `agentguard up` is named."""
    monkeypatch.delenv("AGENTGUARD_CONTROL_URL", raising=False)
    result = run("keys", "list", "--data-dir", str(tmp_path / "none"))
    assert result.exit_code == 1
    assert "agentguard up" in result.stderr
    assert not (tmp_path / "none").exists()


def test_debug_shows_where_an_error_was_raised(directory):
    """`--debug` lets the exception through, as a developer needs it."""
    result = run("--debug", "keys", "revoke", "nope")
    assert result.exception is not None
    assert "nope" in str(result.exception)

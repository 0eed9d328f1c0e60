"""`agentguard prices set` and `unset`, and what `show` and `list` say of such prices."""

import json

import pytest
from typer.testing import CliRunner

from agentguard.cli.app import app
from agentguard_storage.control import open_control_plane


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A data directory with a control plane of two projects."""
    monkeypatch.delenv("AGENTGUARD_PRICES", raising=False)
    monkeypatch.setenv("AGENTGUARD_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    plane = open_control_plane(tmp_path)
    plane.projects.ensure_default()
    plane.projects.create("other")
    plane.close()
    return tmp_path


def run(*arguments: str):
    """The result of `agentguard prices ...`."""
    return CliRunner().invoke(app, ["prices", *arguments])


def shown(model: str, *arguments: str):
    """What `prices show --json` says."""
    return json.loads(run("show", model, "--json", *arguments).stdout)


def test_a_price_is_set_shown_and_unset():
    """The price and its source are the project's until it is taken away."""
    done = run("set", "GPT-4o", "--input", "1.5", "--output", "6", "--provider", "openai")
    assert done.exit_code == 0, done.output
    assert "set gpt-4o at openai, in project default" in done.stdout
    found = shown("gpt-4o")
    assert (found["source"], found["tiers"][0]["input"]) == ("project default", "1.5")
    assert "from project default" in run("show", "gpt-4o").stdout
    assert shown("gpt-4o", "--provider", "azure")["source"] == "genai-prices"
    assert run("unset", "gpt-4o", "--provider", "openai").exit_code == 0
    assert shown("gpt-4o")["source"] == "genai-prices"
    again = run("unset", "gpt-4o", "--provider", "openai")
    assert again.exit_code == 1
    assert "no price of its own" in again.stderr


def test_json_says_what_was_set():
    """Amounts are strings; what was left out is null."""
    given = ["set", "m", "--input", "1", "--output", "2", "--cache-read", "0.1", "--json"]
    found = json.loads(run(*given, "--per-request", "0.01", "--from", "2026-02-01").stdout)
    assert (found["project"], found["provider"], found["model"]) == ("default", "", "m")
    assert (found["cache_read"], found["cache_write"], found["reasoning"]) == ("0.1", None, None)
    assert (found["per_request"], found["since"]) == ("0.01", "2026-02-01")
    assert json.loads(run("unset", "m", "--json").stdout)["removed"] == 1


def test_prices_are_of_one_project():
    """What one project sets, another does not see."""
    run("set", "house-model", "--input", "1", "--output", "2", "--project", "other")
    assert run("show", "house-model").exit_code == 1
    assert shown("house-model", "--project", "other")["source"] == "project other"
    assert run("show", "house-model", "--project", "nobody").exit_code == 1


def test_the_list_says_where_each_price_is_from(place, monkeypatch):
    """A column tells the list's from the file's and the project's, which goes first."""
    file = place / "prices.toml"
    both = "".join(f'[[price]]\nmodel = "house-{name}"\ninput = 3\noutput = 3\n' for name in "ab")
    file.write_text(both)
    monkeypatch.setenv("AGENTGUARD_PRICES", str(file))
    assert run("set", "house-b", "--input", "1", "--output", "1").exit_code == 0
    found = json.loads(run("list", "--text", "house-", "--json").stdout)
    assert {each["model"]: each["source"] for each in found} == {
        "house-a": str(file),
        "house-b": "project default",
    }
    assert "project default" in run("list", "--text", "house-b").stdout


@pytest.mark.parametrize("amount", ["-1", "free", "0.1234567", "nan"])
def test_an_amount_that_is_none_is_refused(amount):
    """With what is wrong with it, in one line."""
    done = run("set", "m", f"--input={amount}", "--output", "1")
    assert done.exit_code == 2
    assert "input:" in done.stderr
    assert "Traceback" not in done.output


def test_without_a_control_plane_there_is_the_list(tmp_path, monkeypatch):
    """Nothing is needed to show prices; to set one, a control plane is."""
    monkeypatch.setenv("AGENTGUARD_DATA_DIR", str(tmp_path / "none"))
    assert shown("gpt-4o")["source"] == "genai-prices"
    assert run("set", "m", "--input", "1", "--output", "1").exit_code == 1
    assert not (tmp_path / "none").exists()

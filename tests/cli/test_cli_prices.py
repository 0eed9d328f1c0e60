"""`agentguard prices`: what models cost, from the list and from prices of one's own."""

import json
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from agentguard.cli.app import app
from agentguard.prices import rules

OWN = """
[[price]]
model = "house-model"
input = 3
output = 6.25
per_request = 0.01

[[price]]
provider = "openai"
model = "gpt-4o"
input = 1
output = 1
"""


@pytest.fixture(autouse=True)
def bundled_only(monkeypatch):
    """No overrides, and a terminal wide enough for tables."""
    monkeypatch.delenv("AGENTGUARD_PRICES", raising=False)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def own_prices(tmp_path, monkeypatch):
    """A file of overrides, which the variable names."""
    path = tmp_path / "prices.toml"
    path.write_text(OWN)
    monkeypatch.setenv("AGENTGUARD_PRICES", str(path))
    return path


def run(*arguments: str):
    """The result of `agentguard prices ...`."""
    return CliRunner().invoke(app, ["prices", *arguments])


def test_a_price_is_shown_with_its_source():
    """All five prices per million tokens, and which version of which list they are from."""
    result = run("show", "GPT-4o")
    assert result.exit_code == 0
    for part in ("openai: gpt-4o", "$2.50", "$1.25", "$10.00", "cache read", "reasoning"):
        assert part in result.stdout
    assert f"genai-prices ({version('genai-prices')}+" in result.stdout


def test_a_price_in_json_is_exact():
    """Amounts are strings of decimals, with the tiers from the lowest up."""
    tiered = next(rule for rule in rules() if rule.price.tier_starts and rule.timeless)
    found = json.loads(
        run("show", tiered.price.model, "--provider", tiered.provider, "--json").stdout
    )
    assert (found["provider"], found["model"]) == (tiered.provider, tiered.price.model)
    assert found["source"] == "genai-prices"
    starts = [tier["above_input_tokens"] for tier in found["tiers"]]
    assert starts == [0, *tiered.price.tier_starts]
    assert [tier["input"] for tier in found["tiers"]] == [str(p) for p in tiered.price.input]


def test_a_tier_is_shown_with_its_start():
    """Models whose long prompts cost more show a row for each price."""
    shown = run("show", "claude-haiku-5-5").stdout
    assert "any number" in shown
    assert "above 100,000" in shown


def test_an_unknown_name_is_met_with_similar_ones():
    """A misspelt model fails, and the hint says what it might have been."""
    result = run("show", "gpt4o")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "the price of gpt4o is not known" in result.stderr
    assert "did you mean gpt-4o" in result.stderr


def test_similar_names_are_those_of_the_provider():
    """With a provider, only its own models are proposed."""
    stderr = run("show", "sonet-4-5", "--provider", "anthropic").stderr
    proposed = stderr.split("did you mean ")[1].split("?")[0].split(", ")
    of_anthropic = {rule.price.model for rule in rules() if rule.provider == "anthropic"}
    assert proposed
    assert set(proposed) <= of_anthropic


def test_a_model_elsewhere_is_found():
    """A model that another provider prices fails, and the hint names that provider."""
    result = run("show", "gpt-4o", "--provider", "acme")
    assert result.exit_code == 1
    assert "openai" in result.stderr
    assert "--provider" in result.stderr


def test_nothing_like_it_says_what_to_do():
    """A name like no other gets the way to give it a price."""
    result = run("show", "@@@@@@@@@@")
    assert result.exit_code == 1
    assert "AGENTGUARD_PRICES" in result.stderr


def test_prices_of_ones_own_are_shown_as_such(own_prices):
    """An override is shown with the file that it is from."""
    shown = run("show", "house-model", "--provider", "acme").stdout
    assert "acme: house-model" in shown
    assert "$6.25" in shown
    assert "$0.01 for each call" in shown
    assert str(own_prices) in shown
    assert json.loads(run("show", "gpt-4o", "--json").stdout)["source"] == str(own_prices)
    azure = json.loads(run("show", "gpt-4o", "--provider", "azure", "--json").stdout)
    assert azure["source"] == "genai-prices"


def test_a_wrong_file_is_told_in_one_line(tmp_path, monkeypatch):
    """A file that cannot be used is named, with what is wrong in it."""
    path = tmp_path / "prices.toml"
    path.write_text("[[price]]\nmodel = 7\n")
    monkeypatch.setenv("AGENTGUARD_PRICES", str(path))
    result = run("list")
    assert result.exit_code == 1
    assert str(path) in result.stderr
    assert "entry 1" in result.stderr
    assert "Traceback" not in result.output


def test_the_list_can_be_narrowed():
    """By the provider, whatever it is called, and by a part of the model's name."""
    found = json.loads(run("list", "--provider", "Azure", "--text", "GPT-4o", "--json").stdout)
    assert found
    assert {each["provider"] for each in found} == {"azure"}
    assert all("gpt-4o" in each["model"].lower() for each in found)
    shown = run("list", "--provider", "anthropic", "--text", "opus")
    assert "claude-opus-4-5" in shown.stdout
    assert "gpt" not in shown.stdout


def test_the_list_has_every_model_once(own_prices):
    """All that has a price now is in it, with prices of one's own in place of the others."""
    found = json.loads(run("list", "--json").stdout)
    names = [(each["provider"], each["model"]) for each in found]
    assert len(names) == len(set(names)) > 2_000
    by_name = dict(zip(names, found, strict=True))
    assert by_name["", "house-model"]["source"] == str(own_prices)
    assert by_name["openai", "gpt-4o"]["tiers"][0]["input"] == "1"
    assert by_name["azure", "gpt-4o"]["source"] == "genai-prices"

"""One source of prices for all: loaded once, with the overrides that are named."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agentguard.errors import ConfigurationError
from agentguard.prices import price_version
from agentguard.prices.source import (
    load_meter,
    load_table,
    override_file,
    override_rules,
    preload,
)

OWN = '[[price]]\nmodel = "house-model"\ninput = 3\noutput = 6\n'


@pytest.fixture
def own(tmp_path) -> Path:
    """A file of overrides."""
    path = tmp_path / "prices.toml"
    path.write_text(OWN)
    return path


def test_the_file_is_the_one_given_or_the_one_of_the_variable(monkeypatch):
    """What is given wins; an empty variable names nothing; `~` is the home directory."""
    monkeypatch.delenv("AGENTGUARD_PRICES", raising=False)
    assert override_file() is None
    monkeypatch.setenv("AGENTGUARD_PRICES", "  ")
    assert override_file() is None
    monkeypatch.setenv("AGENTGUARD_PRICES", "~/prices.toml")
    assert override_file() == Path.home() / "prices.toml"
    assert override_file("other.toml") == Path("other.toml")


def test_prices_are_loaded_once(own):
    """Every guard of a process looks up in the same table."""
    assert load_meter() is load_meter()
    assert load_meter(own) is load_meter(own)
    assert load_meter(own) is not load_meter()
    assert load_table(own) is load_meter(own).table
    assert load_meter(own).price("acme", "house-model") is not None
    assert load_meter().price("acme", "house-model") is None


def test_the_version_is_that_of_the_rules_in_force(own):
    """The version that a cost is noted with tells the overrides too."""
    assert load_table().version == price_version()
    assert load_table(own).version == price_version(override_rules(own))
    assert override_rules(None) == ()


def test_a_file_that_cannot_be_used_is_named(tmp_path):
    """A wrong file is a `ConfigurationError`, and stays one when it is asked for again."""
    path = tmp_path / "none.toml"
    for load in (load_meter, load_table, override_rules, load_meter):
        with pytest.raises(ConfigurationError, match=r"price overrides: .*none.toml: cannot be"):
            load(path)


def test_threads_that_ask_at_once_get_the_same(own):
    """However many calls are the first, prices are loaded once."""
    found = []
    gate = threading.Barrier(8)

    def ask():
        gate.wait()
        found.append(load_meter(own))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(each) for each in found}) == 1


def test_prices_are_loaded_in_the_background():
    """A guard that counts dollars is made at once, and its first call has the prices."""
    code = (
        "import threading\n"
        "from agentguard.guards.budget import BudgetGuard\n"
        "BudgetGuard(max_cost_usd=5)\n"
        "assert 'agentguard-prices' in [each.name for each in threading.enumerate()]\n"
        "from agentguard.prices.source import load_meter\n"
        "assert load_meter().price('openai', 'gpt-4o') is not None\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_child_forked_in_the_middle_of_loading_has_prices():
    """A fork waits for what is being loaded: the child is not left with a lock that nobody has."""
    code = (
        "import os, sys, signal\n"
        "from agentguard.prices.source import load_meter, preload\n"
        "preload()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    signal.alarm(30)\n"
        "    os._exit(0 if load_meter().price('openai', 'gpt-4o') else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)


def test_preloading_twice_is_loading_once():
    """It starts one thread a process, whoever asks and how often."""
    for _ in range(3):
        preload()
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("agentguard-prices") <= 1


def test_no_call_waits_for_prices_that_only_a_receipt_needs():
    """A long run has them loaded beside its calls, and its cost is that of all of them."""
    code = (
        "import threading\n"
        "from agentguard.guards.call import Call\n"
        "from agentguard.guards.enforcement import admit, settle\n"
        "from agentguard.guards.state import RunState\n"
        "from agentguard.prices import Usage, source\n"
        "loading = threading.Event()\n"
        "load = source._load\n"
        "def wait(overrides):\n"
        "    assert threading.current_thread() is not threading.main_thread()\n"
        "    assert loading.wait(30)\n"
        "    return load(overrides)\n"
        "source._load = wait\n"
        "run = RunState('run', 'run', [])\n"
        "for _ in range(1_500):\n"
        "    call = Call('llm', 'gpt-4o', run, provider='openai', model='gpt-4o')\n"
        "    call.usage = Usage(1_000, 0, 0, 0, 0)\n"
        "    admit(call)\n"
        "    settle(call)\n"
        "loading.set()\n"
        "for each in threading.enumerate():\n"
        "    if each.name == 'agentguard-prices':\n"
        "        each.join(30)\n"
        "one = source.load_meter().price('openai', 'gpt-4o').cost(call.usage)\n"
        "assert run.tally.cost_usd() * 10**12 == 1_500 * one\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

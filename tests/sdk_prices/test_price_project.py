"""A project's own prices reach the guards of a process that has an endpoint and a key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agentguard.config import load_settings
from agentguard.prices import PriceTable, Usage, project
from agentguard.prices.meter import Meter
from agentguard.prices.overrides import in_order, override_rules
from agentguard.prices.source import load_meter, use_project_rules

PRICE = {"provider": "", "model": "own-model", "input": "1.5", "output": "6", "from": "1970-01-01"}
USAGE = Usage(1_000, 200, 30, 400, 50)


@dataclass
class Teller:
    """Answers as a collector does; `asked` are the ETags that it was asked with."""

    url: str = ""
    version: str = "one"
    prices: list[dict[str, str]] = field(default_factory=lambda: [PRICE])
    status: int = 200
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def teller() -> Iterator[Teller]:
    """A running server of prices."""
    told = Teller()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            etag = self.headers.get("If-None-Match")
            told.asked.append(etag)
            same = etag == f'"{told.version}"'
            body = json.dumps({"version": told.version, "prices": told.prices}).encode()
            body = b"" if same else body
            self.send_response(304 if same else told.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    yield told
    server.shutdown()
    server.server_close()


@pytest.fixture
def watch(teller, monkeypatch):
    """Begins to watch as `init` does; nothing of it is left after the test."""
    monkeypatch.setattr(project, "_EVERY", 0.05)
    monkeypatch.setattr(project, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(project, "_wanted", False)
    begun: list[project.PriceWatcher] = []

    def watch(**more: object) -> project.PriceWatcher | None:
        settings = load_settings({"endpoint": teller.url, "api_key": "ag_k", **more})
        watcher = project.watch(settings)
        if watcher is not None:
            begun.append(watcher)
        return watcher

    yield watch
    for watcher in begun:
        watcher.close()
    monkeypatch.setattr(project, "_current", None)
    use_project_rules(())


def until(condition) -> None:
    """Wait for the condition, for a bounded time."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_meter_in_use_counts_with_the_projects_prices(teller, watch):
    """They come in the background, change with the answer, and go where it has none."""
    meter = load_meter()
    assert meter.price("acme", "own-model") is None
    watch()
    project.wanted()
    until(lambda: meter.price("acme", "own-model") is not None)
    held = meter.fixed("acme", "own-model")
    assert held.cost(USAGE) == 1_230 * 1_500_000 + 450 * 6_000_000
    teller.version, teller.prices = "two", [PRICE | {"output": "7"}]
    until(lambda: held.cost(USAGE) == 1_230 * 1_500_000 + 450 * 7_000_000)
    until(lambda: '"two"' in teller.asked)
    teller.version, teller.prices = "three", []
    until(lambda: meter.price("acme", "own-model") is None)
    assert teller.asked[0] is None


def test_nothing_is_asked_before_somebody_counts_dollars(teller, watch):
    """A process without such guards has no thread of it."""
    watch()
    threads = {thread.name for thread in threading.enumerate()}
    assert "agentguard-project-prices" not in threads
    assert teller.asked == []


@pytest.mark.parametrize("status", [404, 403, 503])
def test_a_collector_that_has_none_changes_nothing(teller, watch, status):
    """It is asked again, and prices are the list's."""
    teller.status = status
    watch()
    project.wanted()
    until(lambda: len(teller.asked) > 2)
    assert load_meter().price("acme", "own-model") is None
    assert load_meter().price("openai", "gpt-4o") is not None


def test_what_is_no_price_is_not_used(teller, watch, caplog):
    """The prices before it stay in force, and it is said once in the log."""
    teller.prices = [PRICE | {"input": "free"}]
    watch()
    project.wanted()
    until(lambda: len(teller.asked) > 2)
    assert load_meter().price("acme", "own-model") is None
    assert "project's prices cannot be used" in caplog.text


def test_another_projects_prices_are_forgotten(teller, watch):
    """Who begins to watch anew does not count with what was known of another project."""
    watch()
    project.wanted()
    until(lambda: load_meter().price("acme", "own-model") is not None)
    teller.status = 503
    watch(api_key="ag_other")
    assert load_meter().price("acme", "own-model") is None


def test_without_a_key_nothing_is_watched(watch, monkeypatch):
    """Nor where the SDK is disabled."""
    monkeypatch.delenv("AGENTGUARD_API_KEY", raising=False)
    assert watch(api_key=None) is None
    assert watch(disabled=True) is None


def test_the_project_goes_before_a_file_and_both_before_the_list():
    """The order of prices in a process."""
    file = override_rules(project_entries("a", "b", output="1"))
    own = project.project_rules([PRICE | {"model": "a"}, PRICE | {"model": "gpt-4o"}])
    table = PriceTable(in_order(own, file))
    assert table.lookup("x", "a", 0).source == "project"
    assert table.lookup("x", "b", 0).source == "override"
    assert table.lookup("openai", "gpt-4o", 0).source == "project"
    assert table.lookup("openai", "gpt-4o-mini", 0).source == "genai-prices"
    assert PriceTable(in_order(file, ())).version == PriceTable(file).version


def project_entries(*models: str, **more: str):
    """Entries as they are told, checked."""
    from agentguard.prices.overrides import checked

    return [checked(PRICE | {"model": model} | more) for model in models]


def test_a_price_that_is_held_becomes_the_new_one():
    """Also where the other has tiers, and none is changed that has no price any more."""
    meter = Meter(PriceTable())
    held, kept = meter.price("openai", "gpt-4o"), meter.price("openai", "gpt-4o-mini")
    before = kept.cost(USAGE)
    meter.use(PriceTable(override_rules(project_entries("gpt-4o"))))
    assert held.cost(USAGE) == meter.price("openai", "gpt-4o").cost(USAGE) == 4_545_000_000
    assert kept.cost(USAGE) == before


def test_init_fetches_and_never_waits(teller):
    """A process with a guard that counts dollars gets them, and so does its forked child."""
    code = """
import os, sys, time
import agentguard
from agentguard.prices.source import load_meter
agentguard.init(endpoint=sys.argv[1], api_key="ag_k")
meter = load_meter()
def known():
    end = time.monotonic() + 10
    while meter.price("acme", "own-model") is None and time.monotonic() < end:
        time.sleep(0.01)
    return meter.price("acme", "own-model") is not None
assert known()
child = os.fork()
if child == 0:
    os._exit(0 if known() else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    done = subprocess.run(
        [sys.executable, "-c", code, teller.url],
        env={**os.environ, "AGENTGUARD_FLUSH_TIMEOUT": "0.1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    until(lambda: len(teller.asked) >= 2)

"""The real HttpSink of agentguard47 2.0.0, a storm of repetitions, the real store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import uv

from agentguard_storage.clickhouse import connect, migrate
from tests.collector.conftest import Collector, make_home, wait_until
from tests.collector.repeating_proxy import RepeatingProxy, repeating_proxy
from tests.conftest import Engine
from tests.docs.markdown_pages import Page

_PACKAGE = "agentguard47==2.0.0"
_SENDER = Path(__file__).parent / "agentguard47_sender.py"
_EVENTS, _TRACES, _CALLS = 10_000, 200, 25


@pytest.fixture(scope="session")
def agentguard47(request: pytest.FixtureRequest) -> Path:
    """A folder with agentguard47 alone, which imports as `agentguard`; kept in pytest's cache."""
    home = Path(request.config.cache.mkdir("agentguard47")) / "2.0.0"
    if not (home / "agentguard" / "sinks" / "http.py").exists():
        command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--target", home]
        made = subprocess.run([*command, _PACKAGE], capture_output=True, text=True, timeout=120)
        if made.returncode and "Failed to fetch" in made.stderr:
            pytest.skip(f"the package index cannot be reached: {made.stderr.strip()[:300]}")
        assert made.returncode == 0, made.stderr
    return home


@dataclass
class Storm:
    """What was sent, as the sender's own copy has it, and where to look for it."""

    lines: list[dict[str, Any]]
    told: dict[str, float]
    proxy: RepeatingProxy
    dsn: str
    collector: Collector
    agentguard47: Path

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the store."""
        with connect(self.dsn) as client:
            return list(map(tuple, client.query(sql).result_rows))


def run(agentguard47: Path, arguments: list[Path | str], stdin: str = "") -> str:
    """Run a program in a Python that has agentguard47 and nothing else; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-S", *arguments],
        env={**os.environ, "PYTHONPATH": str(agentguard47)},
        cwd=agentguard47,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def storm(agentguard47: Path, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """10,000 events through a proxy that has a third of the bodies repeated, all stored."""
    place = tmp_path_factory.mktemp("agentguard47")
    dsn = engine.writer_dsn.rpartition("/")[0] + "/test_agentguard47"
    migrate(dsn)
    home = make_home(place / "data")
    collector = home.start(dsn)
    try:
        with repeating_proxy(collector.process.ready["http_port"]) as (proxy, url):
            copy = place / "copy.jsonl"
            told = run(agentguard47, [_SENDER, f"{url}/api/ingest", home.key, copy])
        wait_until(lambda: collector.metric("agentguard_wal_bytes") == 0, 30)
        lines = [json.loads(line) for line in copy.read_text().splitlines()]
        yield Storm(lines, json.loads(told), proxy, dsn, collector, agentguard47)
    finally:
        collector.client.close()
        collector.process.stop()
        home.control.close()


def ended(storm: Storm) -> list[dict[str, Any]]:
    """The end lines of spans."""
    return [line for line in storm.lines if line.get("phase") == "end"]


def events(storm: Storm) -> list[dict[str, Any]]:
    """The lines of events."""
    return [line for line in storm.lines if line["kind"] == "event"]


def test_there_was_a_storm(storm: Storm) -> None:
    """Bodies were refused, delivered without an answer and delivered twice."""
    assert len(events(storm)) == _EVENTS
    assert min(storm.proxy.fates[fate] for fate in ("refused", "answer lost", "sent twice")) > 5
    assert sum(len(copies) > 1 for copies in storm.proxy.bodies.values()) > 10
    assert all(len(set(copies)) == 1 for copies in storm.proxy.bodies.values())
    assert set(storm.proxy.statuses) == {200}


def test_everything_is_stored_once(storm: Storm) -> None:
    """Each event and each span that ended is one row, in the table and in the sums by trace."""
    expected = len(events(storm)) + len(ended(storm))
    found = storm.rows("SELECT count(), uniqExact(trace_id, span_id) FROM spans")
    assert found == [(expected, expected)]
    sums = storm.rows("SELECT sum(span_count), uniqExact(trace_id), sum(llm_calls) FROM traces")
    assert sums == [(expected, _TRACES, _TRACES * _CALLS)]


def test_the_tree_is_the_senders(storm: Storm) -> None:
    """Every span hangs below the one it was in, in its own trace, and only runs have no parent."""
    names = {(line["trace_id"], line["span_id"]): line["name"] for line in ended(storm)}
    expected = Counter(
        (line["trace_id"], line["name"], names.get((line["trace_id"], above), ""))
        for line, above in (
            *((line, line["parent_id"]) for line in ended(storm)),
            *((line, line["span_id"]) for line in events(storm)),
        )
    )
    found = storm.rows(
        "SELECT s.trace_id, s.name, p.name, count() FROM spans AS s LEFT JOIN spans AS p"
        " ON p.trace_id = s.trace_id AND p.span_id = s.parent_span_id GROUP BY ALL"
    )
    assert Counter({(trace, name, above): count for trace, name, above, count in found}) == expected
    orphans = (
        "SELECT count() FROM spans WHERE parent_span_id != ''"
        " AND (trace_id, parent_span_id) NOT IN (SELECT trace_id, span_id FROM spans)"
    )
    assert storm.rows(orphans) == [(0,)]


def test_costs_are_right_to_the_last_digit(storm: Storm) -> None:
    """Each trace cost the sum of its calls, and all of them what agentguard47 itself reports."""
    costs: dict[str, Decimal] = defaultdict(Decimal)
    for line in events(storm):
        costs[line["trace_id"]] += Decimal(repr(line.get("cost_usd", 0)))
    assert dict(storm.rows("SELECT trace_id, sum(cost) FROM traces GROUP BY trace_id")) == costs
    assert float(sum(costs.values())) == pytest.approx(storm.told["cost"], rel=1e-12)
    sources = storm.rows("SELECT DISTINCT cost_source FROM spans WHERE kind = 'llm'")
    assert sources == [("stated",)]


def test_columns_say_what_the_lines_said(storm: Storm) -> None:
    """Service, environment, session, model, tool, agent and tokens are where queries look."""
    found = storm.rows(
        "SELECT kind, service, environment, session, agent, tool, provider, model, count(),"
        " sum(input_tokens), sum(output_tokens) FROM spans GROUP BY ALL ORDER BY kind"
    )
    whose = ("moved", "production", "night")
    calls = _TRACES * _CALLS
    tokens_in = 102 * calls
    assert found == [
        ("other", *whose, "", "", "", "", calls, 0, 0),
        ("llm", *whose, "", "", "openai", "gpt-4o", calls, tokens_in, 7 * calls),
        ("tool", *whose, "", "search", "", "", calls // 5, 0, 0),
        ("agent", *whose, "research", "", "", "", _TRACES, 0, 0),
    ]


def test_times_are_the_senders(storm: Storm) -> None:
    """A run starts its duration before its end line, to the microsecond."""
    expected = {
        line["trace_id"]: (line["ts"], line["duration_ms"])
        for line in ended(storm)
        if line["parent_id"] is None
    }
    found = storm.rows(
        "SELECT trace_id, toUnixTimestamp64Nano(end_time), duration_ns FROM spans"
        " WHERE parent_span_id = ''"
    )
    assert len(found) == _TRACES
    for trace, end, took in found:
        assert end / 1e9 == pytest.approx(expected[trace][0], abs=1e-6)
        assert took / 1e6 == pytest.approx(expected[trace][1], abs=1e-3)


def test_the_page_for_those_who_move_is_right(storm: Storm) -> None:
    """The program in docs/agentguard47.md sends what the page says, once its URL is changed."""
    [snippet] = Page("docs/agentguard47.md").snippets("python")
    url, key = f"{storm.collector.url}/api/ingest", storm.collector.key
    program = snippet.text.replace("https://agentguard.example.com/api/ingest", url)
    program = program.replace('"agk_..."', f'"{key}", _allow_private=True')
    run(storm.agentguard47, ["-"], program)
    sql = (
        "SELECT name, kind::String, service, environment, model, tool, input_tokens, cost"
        " FROM spans WHERE session = 'chat-7' ORDER BY start_time, name"
    )
    wait_until(lambda: len(storm.rows(sql)) == 3)
    where = ("my-agent", "production")
    assert sorted(storm.rows(sql)) == [
        ("agent.research", "agent", *where, "", "", 0, None),
        ("llm.result", "llm", *where, "gpt-4o", "", 900, Decimal("0.00265")),
        ("tool.search", "tool", *where, "", "search", 0, None),
    ]

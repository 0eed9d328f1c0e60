"""What bounds the reading of each key, so that others, ingest and the engine stay responsive."""

from __future__ import annotations

import asyncio
import itertools
import re
import threading
import time

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard.budgets.spend import Limits
from agentguard_collector.api.abandoning import Abandoned, Call, calling, pool
from agentguard_collector.api.rates import WINDOW_S, Rates
from agentguard_collector.api.turns import Turns
from agentguard_collector.errors import RateLimited, Unavailable
from agentguard_storage.clickhouse.client import connect
from tests.collector.conftest import wait_until
from tests.collector.faulty_proxy import faulty_proxy
from tests.collector.read_api import Api


def test_a_key_that_asks_too_often_is_told_when_to_go_on(home, launch):
    """Each answer says what is left; then 429 with Retry-After, for this key alone."""
    collector = launch("--reads-per-minute", "3")
    api, other = (Api(collector.url, home.mint("read")[1]) for _ in range(2))
    for left in (2, 1, 0):
        answer = api("/budgets")
        assert answer.status_code == 200
        assert answer.headers["ratelimit-policy"] == '"read";q=3;w=60'
        assert re.fullmatch(rf'"read";r={left};t=\d+', answer.headers["ratelimit"])
    refused = api("/budgets")
    assert refused.status_code == 429
    assert refused.json()["code"] == "rate_limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit"].startswith('"read";r=0;t=')
    assert other("/budgets").status_code == 200


def test_reading_does_not_use_up_what_running_agents_need(home, launch):
    """The requests of budgets, stops and prices have a quota of their own."""
    collector = launch("--reads-per-minute", "1")
    api = Api(collector.url, home.mint("read", "ingest")[1])
    assert [api("/budgets").status_code for _ in range(2)] == [200, 429]
    assert api("/stops/watch", params={"wait": 0}).status_code == 200
    assert api("/prices").status_code == 200


def mcp(api: Api, method: str, **params: object) -> httpx2.Response:
    """Ask the MCP server that the collector serves."""
    return api.client.post(
        f"{api.base}/mcp",
        json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
        headers={
            "Authorization": f"Bearer {api.key}",
            "Accept": "application/json, text/event-stream",
        },
    )


def test_requests_to_the_mcp_server_are_counted(home, launch):
    """They have the quota of running agents: then 429 with Retry-After, for this key alone."""
    collector = launch("--control-calls-per-minute", "3")
    api, other = (Api(collector.url, home.mint("read")[1]) for _ in range(2))
    assert [mcp(api, "ping").status_code for _ in range(3)] == [200, 200, 200]
    refused = mcp(api, "ping")
    assert refused.status_code == 429
    assert "3 requests within a minute" in refused.json()["detail"]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert mcp(other, "ping").status_code == 200


def test_the_mcp_server_s_questions_wait_for_their_turns(home, launch, engine):
    """A key that asks more at once than it may is told to wait; another is not held up."""
    with faulty_proxy(engine.port) as proxy:
        dsn = engine.credentials.dsn("reader", "127.0.0.1", proxy.port)
        collector = launch(
            "--clickhouse-reader", dsn, "--reads-at-once-per-key", "1", "--read-wait", "0.05"
        )
        api, other = (Api(collector.url, home.mint("read")[1]) for _ in range(2))
        assert mcp(api, "ping").status_code == 200
        proxy.delay = 4
        slow = threading.Thread(
            target=mcp, args=(Api(api.base, api.key), "tools/call"),
            kwargs={"name": "query_traces", "arguments": {}},
        )  # fmt: skip
        slow.start()
        refused: list[httpx2.Response] = []

        def is_refused() -> bool:
            refused.append(mcp(api, "ping"))
            return refused[-1].status_code == 429

        wait_until(is_refused)
        assert int(refused[-1].headers["retry-after"]) > 0
        assert mcp(other, "ping").status_code == 200
        proxy.delay = 0
        slow.join(30)
        assert mcp(api, "ping").status_code == 200


def test_a_store_that_is_away_is_503(home, launch):
    """Without ClickHouse questions are told to come again; a budget is checked all the same."""
    collector = launch(at="clickhouse://nobody:nothing@127.0.0.1:9/agentguard")
    api = Api(collector.url, home.mint("read")[1])
    answer = api("/traces")
    assert answer.status_code == 503
    assert answer.json()["code"] == "store_unavailable"
    assert "127.0.0.1" not in answer.text
    assert int(answer.headers["retry-after"]) > 0
    home.control.budgets.put(home.project_id, "team", Limits(calls=5))
    checked = api("/budgets/team/check")
    assert checked.status_code == 200
    assert checked.json()["pots"][0]["burn_per_hour"] is None


@given(quota=st.integers(1, 20), steps=st.lists(st.integers(0, 200), min_size=1, max_size=60))
def test_no_window_has_more_than_the_quota(quota: int, steps: list[int]):
    """However requests come, a minute that began with one of them has no more than q that pass."""
    now = 0
    rates = Rates({"read": quota, "control": 1}, clock=lambda: now)
    passed: dict[float, int] = {}
    for step in steps:
        now += step
        left = rates.spend("key", "read")
        began = now + left.resets_in - WINDOW_S
        before = passed.setdefault(began, 0)
        assert left.refused == (before == quota)
        passed[began] += not left.refused
        assert left.remaining == quota - passed[began]
        assert 0 < left.resets_in <= WINDOW_S
    begins = sorted(passed)
    assert all(after - one >= WINDOW_S for one, after in itertools.pairwise(begins))


async def test_a_key_has_so_many_turns_and_all_have_so_many():
    """A question beyond its key's turns is 429, beyond all turns 503; a turn that ends is free."""
    turns = Turns(in_all=3, per_key=2, wait_s=0.05)
    async with turns.turn("a"), turns.turn("a"):
        with pytest.raises(RateLimited):
            async with turns.turn("a"):
                pass
        async with turns.turn("b"):
            with pytest.raises(Unavailable):
                async with turns.turn("c"):
                    pass
        async with turns.turn("c"):
            pass


async def test_a_question_waits_for_its_turn():
    """A turn that comes free in time is taken by who waits for it."""
    turns = Turns(in_all=1, per_key=1, wait_s=10)
    order: list[str] = []

    async def ask(name: str) -> None:
        async with turns.turn(name):
            order.append(name)
            await asyncio.sleep(0)

    await asyncio.gather(*(ask(name) for name in "abc"))
    assert order == ["a", "b", "c"]


def test_an_abandoned_statement_ends_at_the_engine(engine):
    """When nobody waits any more, the statement ends, its thread too, and no other begins."""
    client = connect(engine.reader_dsn, 60, pool_mgr=pool(2))
    other = connect(engine.writer_dsn)
    call, ended = Call(), []

    def ask() -> None:
        calling.set(call)
        try:
            client.query(
                "SELECT sum(sleepEachRow(0.5)) FROM numbers(100) SETTINGS max_block_size=1"
            )
        except Abandoned:
            ended.append(time.monotonic())
        with pytest.raises(Abandoned):
            client.query("SELECT 1")

    running = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sum(sleepEachRow%'"
    thread = threading.Thread(target=ask)
    thread.start()
    wait_until(lambda: other.query(running).result_rows[0][0] == 1)
    began = time.monotonic()
    call.abandon()
    thread.join(10)
    assert ended
    assert ended[0] - began < 3
    wait_until(lambda: other.query(running).result_rows[0][0] == 0)
    assert client.query("SELECT 1").result_rows == [(1,)]


def test_a_client_that_hangs_up_frees_its_turn(home, launch, engine):
    """The only turn is free again at once when whoever had it goes away, however slow the store."""
    with faulty_proxy(engine.port) as proxy:
        dsn = engine.credentials.dsn("reader", "127.0.0.1", proxy.port)
        collector = launch("--clickhouse-reader", dsn, "--reads-at-once", "1")
        api = Api(collector.url, home.mint("read")[1])
        connected = api("/traces").status_code
        proxy.delay = 60
        with pytest.raises(httpx2.TimeoutException):
            api("/traces", timeout=1)
        proxy.delay = 0
        began = time.monotonic()
        assert api("/traces").status_code == connected
        assert time.monotonic() - began < 4

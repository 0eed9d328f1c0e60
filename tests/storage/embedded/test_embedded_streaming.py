"""Results leave in a stream: joined rightly, bounded in memory, cancelled when nobody listens."""

from __future__ import annotations

import http.client as raw_http
import threading
import time
from collections import deque
from collections.abc import Callable
from urllib.parse import urlencode

import httpx2
import psutil
import pytest

from agentguard_storage.embedded.framing import HEADERS
from tests.conftest import Engine
from tests.plain_http import NO_TLS

QUERIES = {
    "blocks": 'SELECT number AS n, toString(number) AS `a\nb"c` FROM numbers(50) '
    "SETTINGS max_block_size = 7",
    "empty": "SELECT number AS n FROM numbers(3) WHERE n > 5",
    "totals": "SELECT number % 3 AS k, count() AS c FROM numbers(9) "
    "GROUP BY k WITH TOTALS ORDER BY k",
    "repeating": "SELECT 'n' AS n FROM numbers(9) SETTINGS max_block_size = 2",
}
NEEDS_ONE_COLUMN = {"rawblob", "lineasstring"}
NEEDS_A_SCHEMA = {"protobuf"}


def _until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        threading.Event().wait(0.05)


def _running(http: httpx2.Client, mark: str) -> int:
    sql = (
        "SELECT countIf(position(query, {mark:String}) > 0 AND position(query, 'countIf') = 0) "
        "FROM system.processes"
    )
    return int(http.get("/", params={"query": sql, "param_mark": mark}).text)


@pytest.mark.parametrize("query", QUERIES)
def test_a_streamed_result_equals_the_whole_one(http: httpx2.Client, query: str):
    """In every format that is streamed, blocks joined by us are what the engine writes at once."""
    formats = HEADERS.keys() - NEEDS_A_SCHEMA - (NEEDS_ONE_COLUMN if query == "blocks" else set())
    for output_format in sorted(formats):
        params = {"query": QUERIES[query], "default_format": output_format}
        streamed = http.get("/", params=params)
        whole = http.get("/", params=params | {"wait_end_of_query": "1"})
        assert streamed.status_code == whole.status_code, output_format
        if output_format != "native":
            assert streamed.content == whole.content, output_format


def test_an_error_in_mid_stream_breaks_the_response(engine: Engine, http: httpx2.Client):
    """Once rows are out, a failure is told in the stream and the stream is left unfinished."""
    sql = "SELECT throwIf(number = 300000), number FROM numbers(400000)"
    received = bytearray()
    with http.stream("GET", "/", params={"query": sql, "max_block_size": "1000"}) as answer:
        assert answer.status_code == 200
        tag = answer.headers["x-clickhouse-exception-tag"].encode()
        with pytest.raises(httpx2.RemoteProtocolError):
            deque((received.extend(part) for part in answer.iter_raw()), maxlen=0)
    assert b"__exception__\r\n" + tag in received
    assert b"Code: 395. DB::Exception" in received


def test_memory_is_bounded_for_a_large_result(engine: Engine, http: httpx2.Client):
    """Half a gigabyte passes through and the process grows by less than half of that."""
    process = psutil.Process(engine.process.pid)
    before = process.memory_info().rss
    params = {"query": "SELECT number, repeat('x', 100) FROM numbers(5000000)"}
    size = peak = 0
    with http.stream("GET", "/", params=params) as answer:
        for part in answer.iter_raw(1 << 20):
            size += len(part)
            peak = max(peak, process.memory_info().rss)
    assert size > 500_000_000
    assert peak - before < 250_000_000


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sum(sipHash64(number)) AS abandoned_sum FROM system.numbers",
        "SELECT number AS abandoned_rows FROM system.numbers",
        "SELECT count() AS abandoned_json FROM system.numbers FORMAT JSON",
    ],
)
def test_hanging_up_cancels_the_query(engine: Engine, http: httpx2.Client, sql: str):
    """A query whose client is gone stops running."""
    mark = sql.split(" AS ")[1].split()[0]
    connection = _connect(engine)
    connection.request(
        "POST",
        "/?" + urlencode({"query": sql}),
        headers=dict(http.headers) | {"Content-Length": "0"},
    )
    _until(lambda: _running(http, mark) == 1)
    connection.close()
    _until(lambda: _running(http, mark) == 0)


def _connect(engine: Engine) -> raw_http.HTTPConnection:
    return raw_http.HTTPConnection("127.0.0.1", engine.port, timeout=30)


def test_long_queries_do_not_hold_up_the_rest(engine: Engine, http: httpx2.Client):
    """While many long SELECTs run, a ping and an INSERT are answered."""
    http.post("/", content="CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    connections = [_connect(engine) for _ in range(6)]
    sql = "SELECT sum(sipHash64(number)) AS crowd FROM system.numbers"
    path = "/?" + urlencode({"query": sql, "max_threads": 1})
    try:
        for connection in connections:
            connection.request("POST", path, headers=dict(http.headers) | {"Content-Length": "0"})
        _until(lambda: _running(http, "crowd") == 6)
        assert httpx2.get(engine.url + "/ping", timeout=5, verify=NO_TLS).text == "Ok.\n"
        inserted = http.post(
            "/", params={"query": "INSERT INTO t FORMAT CSV"}, content="1\n2\n", timeout=10
        )
        assert inserted.status_code == 200
    finally:
        for connection in connections:
            connection.close()
    _until(lambda: _running(http, "crowd") == 0)

"""ClickHouse's HTTP interface, spoken without a ClickHouse client."""

from __future__ import annotations

import gzip
import json
import zlib

import httpx2
import lz4.frame
import pytest
import zstandard

from tests.conftest import Engine
from tests.plain_http import NO_TLS

UNPACK = {
    "gzip": gzip.decompress,
    "lz4": lz4.frame.decompress,
    "zstd": lambda packed: zstandard.ZstdDecompressor().decompressobj().decompress(packed),
}
PACK = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.frame.compress,
    "zstd": zstandard.compress,
}


def test_ping_needs_no_password(engine: Engine):
    """A health check answers "Ok." to anybody."""
    for path in ("/ping", "/replicas_status", "/"):
        answer = httpx2.get(engine.url + path, verify=NO_TLS)
        assert (answer.status_code, answer.text) == (200, "Ok.\n")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_query_in_url(http: httpx2.Client, method: str):
    """A statement may stand in the URL, by GET or POST."""
    answer = http.request(method, "/", params={"query": "SELECT 1 + 1"})
    assert (answer.status_code, answer.text) == (200, "2\n")


def test_query_in_body_and_split_over_both(http: httpx2.Client):
    """A statement may stand in the body, or begin in the URL and go on there."""
    assert http.post("/", content="SELECT 'ü';").text == "ü\n"
    assert http.post("/", params={"query": "SELECT 1,"}, content="2").text == "1\t2\n"


def test_head_fields_name_format_query_and_work(http: httpx2.Client):
    """A response says its format, query id, time zone and what was read."""
    answer = http.get(
        "/", params={"query": "SELECT number FROM numbers(5) FORMAT JSON", "query_id": "q-1"}
    )
    assert answer.headers["x-clickhouse-query-id"] == "q-1"
    assert answer.headers["x-clickhouse-format"] == "JSON"
    assert answer.headers["x-clickhouse-timezone"]
    assert answer.headers["content-type"].startswith("application/json")
    assert json.loads(answer.headers["x-clickhouse-summary"])["read_rows"] == "5"
    assert [row["number"] for row in answer.json()["data"]] == [0, 1, 2, 3, 4]


def test_default_format(http: httpx2.Client):
    """`default_format` and X-ClickHouse-Format hold unless the statement names a format."""
    assert http.get("/", params={"query": "SELECT 'a'", "default_format": "CSV"}).text == '"a"\n'
    assert (
        http.get("/", params={"query": "SELECT 'a'"}, headers={"X-ClickHouse-Format": "CSV"}).text
        == '"a"\n'
    )
    named = http.get("/", params={"query": "SELECT 'a' FORMAT TSV -- CSV", "default_format": "CSV"})
    assert (named.text, named.headers["x-clickhouse-format"]) == ("a\n", "TSV")


def test_parameters_are_bound_not_pasted(http: httpx2.Client):
    """`param_x` reaches `{x:Type}` as a value, whatever characters it has."""
    nasty = "it's \\' ; DROP TABLE x -- \u2603"
    params = {"query": "SELECT {s:String}, {a:Array(UInt8)}", "param_a": "[1,2]"}
    answer = http.get(
        "/",
        params=params
        | {"param_s": nasty.replace("\\", "\\\\"), "default_format": "JSONCompactEachRow"},
    )
    assert json.loads(answer.text) == [nasty, [1, 2]]


def test_settings_in_the_url_reach_the_query_and_do_not_stay(http: httpx2.Client):
    """A URL setting holds for its own request only, and so does SET."""
    ask = {"query": "SELECT getSetting('max_block_size')"}
    assert http.get("/", params=ask | {"max_block_size": "77"}).text == "77\n"
    assert http.post("/", params={"query": "SET max_block_size = 78"}).status_code == 200
    assert http.get("/", params=ask).text not in ("77\n", "78\n")


def test_database_does_not_leak(http: httpx2.Client, database: str):
    """`database` and USE hold for one request."""
    ask = {"query": "SELECT currentDatabase()"}
    assert http.get("/", params=ask).text == f"{database}\n"
    assert http.get("/", params=ask | {"database": "system"}).text == "system\n"
    http.post("/", params={"query": "USE system"})
    assert http.get("/", params=ask).text == f"{database}\n"


@pytest.mark.parametrize("name", ["max_threads = 1, readonly", "a'b", "1x", "a b", ""])
def test_a_setting_name_cannot_carry_sql(http: httpx2.Client, name: str):
    """A URL parameter that is no identifier is an unknown setting."""
    answer = http.get("/", params={"query": "SELECT 1", name: "1"})
    assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (404, "115")


@pytest.mark.parametrize(
    ("sql", "status", "code", "name"),
    [
        ("SELEC 1", 400, 62, "SYNTAX_ERROR"),
        ("", 400, 62, "SYNTAX_ERROR"),
        ("SELECT 1; SELECT 2", 400, 62, "SYNTAX_ERROR"),
        ("SELECT * FROM absent", 404, 60, "UNKNOWN_TABLE"),
        ("SELECT absent()", 404, 46, "UNKNOWN_FUNCTION"),
        ("SELECT 1 FORMAT Absent", 404, 73, "UNKNOWN_FORMAT"),
        ("SELECT 1 SETTINGS absent = 1", 404, 115, "UNKNOWN_SETTING"),
        (
            "SELECT sum(sipHash64(number)) FROM system.numbers SETTINGS max_execution_time = 1",
            408,
            159,
            "TIMEOUT_EXCEEDED",
        ),
        ("SELECT throwIf(1)", 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT file('/etc/hostname')", 403, 497, "ACCESS_DENIED"),
    ],
)
def test_errors_look_like_clickhouse(
    http: httpx2.Client, sql: str, status: int, code: int, name: str
):
    """An error has ClickHouse's status, exception code header and text."""
    answer = http.post("/", content=sql)
    assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (
        status,
        str(code),
    )
    assert answer.text.startswith(f"Code: {code}. DB::Exception: ")
    assert f"({name})" in answer.text


def test_authentication(engine: Engine):
    """No user is 401, a wrong password 403; Basic, headers and URL all sign in."""
    ask = {"query": "SELECT 1"}
    password = engine.credentials.reader
    keys = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": password}
    with httpx2.Client(base_url=engine.url, params=ask, verify=NO_TLS) as plain:
        nobody = plain.get("/")
        assert (nobody.status_code, nobody.headers["x-clickhouse-exception-code"]) == (401, "194")
        for user, word in (
            ("reader", "wrong"),
            ("absent", password),
            ("writer", password),
            ("reader", ""),
        ):
            refused = plain.get("/", auth=(user, word))
            code = refused.headers["x-clickhouse-exception-code"]
            assert (refused.status_code, code) == (403, "516")
            assert password not in refused.text
        assert plain.get("/", auth=("reader", password)).text == "1\n"
        assert plain.get("/", params={"user": "reader", "password": password}).text == "1\n"
        assert plain.get("/", headers=keys).text == "1\n"
        assert plain.get("/", headers={"Authorization": "Basic !"}).status_code == 400


def test_unknown_paths_and_methods(http: httpx2.Client):
    """Only the interface's own paths and methods exist."""
    assert http.get("/absent").status_code == 404
    assert http.put("/", content="SELECT 1").status_code == 405


@pytest.mark.parametrize("coding", PACK)
def test_packed_statement(http: httpx2.Client, coding: str):
    """A body may come in any content coding of ClickHouse's."""
    answer = http.post(
        "/", content=PACK[coding](b"SELECT 42"), headers={"Content-Encoding": coding}
    )
    assert answer.text == "42\n"


@pytest.mark.parametrize("coding", PACK)
@pytest.mark.parametrize(
    "damage", [lambda packed: packed[:-6], lambda packed: b"not packed at all"]
)
def test_damaged_packed_insert_stores_nothing(http: httpx2.Client, coding: str, damage):
    """A truncated or false compressed body is refused, and no row of it is kept."""
    http.post("/", content="CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    packed = damage(PACK[coding](b"".join(b"%d\n" % (n * 7919) for n in range(1000))))
    answer = http.post(
        "/",
        params={"query": "INSERT INTO t FORMAT TSV"},
        content=packed,
        headers={"Content-Encoding": coding},
    )
    assert answer.status_code == 400
    assert http.get("/", params={"query": "SELECT count() FROM t"}).text == "0\n"


def test_unknown_codings_are_refused(http: httpx2.Client):
    """What cannot be unpacked, or would be packed in ClickHouse's own way, is said to be so."""
    for params, headers in (
        ({}, {"Content-Encoding": "br"}),
        ({"decompress": "1"}, {}),
        ({"compress": "1"}, {}),
    ):
        answer = http.post("/", content="SELECT 1", params=params, headers=headers)
        assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (501, "48")


@pytest.mark.parametrize("coding", UNPACK)
def test_packed_response(http: httpx2.Client, coding: str):
    """A response is packed when both the header and the setting ask for it."""
    params = {"query": "SELECT number FROM numbers(100000)", "enable_http_compression": "1"}
    headers = {"Accept-Encoding": coding}
    with http.stream("GET", "/", params=params, headers=headers) as answer:
        assert answer.headers["content-encoding"] == coding
        packed = b"".join(answer.iter_raw())
    assert UNPACK[coding](packed) == b"".join(b"%d\n" % n for n in range(100000))
    plain = http.get("/", params={"query": "SELECT 1"}, headers=headers)
    assert "content-encoding" not in plain.headers

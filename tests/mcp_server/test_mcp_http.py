"""Who may reach the MCP endpoint, and how others are told that they may not."""

from __future__ import annotations

import httpx2
import pytest

from tests.mcp_server.conftest import Served
from tests.mcp_server.test_mcp_every_tool import READING
from tests.plain_http import NO_TLS

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


def get(url: str, **headers: str) -> httpx2.Response:
    """GET."""
    return httpx2.get(url, headers=headers, verify=NO_TLS, timeout=30)


@pytest.mark.parametrize("key", [None, "agk_000000000000_" + "0" * 38, "nonsense"])
def test_a_key_is_needed(served: Served, key: str | None):
    """Without a good key the answer is 401, and says where the metadata of the resource is."""
    refused = served.post(PING, key)
    assert refused.status_code == 401
    challenge = refused.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    assert ('error="invalid_token"' in challenge) is (key is not None)
    where = challenge.partition('resource_metadata="')[2].partition('"')[0]
    described = get(where).json()
    assert described["resource"] == served.url
    assert described["bearer_methods_supported"] == ["header"]
    assert "read" in described["scopes_supported"]


def test_a_key_that_only_sends_is_not_enough(served: Served):
    """A key with the scope ingest alone gets 403, and the scope that it would need."""
    refused = served.post(PING, served.sending)
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]


def test_a_read_key_sees_no_writing_tools(served: Served):
    """For a key that may only read, writing tools are not listed and are refused."""
    listed = served.ask("tools/list", key=served.reading)["result"]["tools"]
    assert {tool["name"] for tool in listed} == READING
    assert all(tool["annotations"]["readOnlyHint"] for tool in listed)
    refused = served.error("set_budget", key=served.reading, name="mine", usd=1_000)
    assert "needs the scope `budgets`" in refused


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://evil.example:4318", "host": "evil.example:4318"},
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example"},
    ],
)
def test_foreign_pages_are_refused(served: Served, headers: dict[str, str]):
    """A web page from elsewhere is refused, also under a name that was bound to this machine."""
    assert served.post(PING, served.reading, **headers).status_code == 403


def test_pages_of_this_machine_are_served(served: Served):
    """A tool with a page on this machine, such as the MCP inspector, is let in."""
    port = served.url.rpartition(":")[2].partition("/")[0]
    answered = served.post(
        PING, served.reading, origin="http://localhost:6274", host=f"localhost:{port}"
    )
    assert answered.status_code == 200


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_there_are_no_sessions(served: Served, method: str):
    """There is nothing to listen to and nothing to end: only POST is possible."""
    key = {"authorization": f"Bearer {served.reading}"}
    refused = httpx2.request(method, served.url, headers=key, verify=NO_TLS, timeout=30)
    assert refused.status_code == 405
    assert refused.headers["allow"] == "POST"


def test_a_body_has_a_bound(served: Served):
    """A body of more than a megabyte is refused with 413."""
    assert served.post({**PING, "params": {"x": "y" * 2**20}}, served.reading).status_code == 413


@pytest.mark.parametrize("body", [[], [PING], {}, "text", None, {"jsonrpc": "2.0", "id": {}}])
def test_what_is_no_request_is_refused(served: Served, body: object):
    """What is no JSON-RPC request gets a 4xx, and no trace of a stack."""
    refused = served.post(body, served.reading)
    assert 400 <= refused.status_code < 500
    assert "Traceback" not in refused.text

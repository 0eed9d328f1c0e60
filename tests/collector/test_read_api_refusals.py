"""The read API on a running stack: what it refuses, and how it says so."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.collector.read_api import Api, Asked, asked
from tests.stack import RunningStack

TRACE = "ab" * 16
INTERNALS = ("DB::Exception", "ClickHouse", "Code:", "Traceback", "SELECT", "chdb", ".py")


@pytest.fixture(scope="module")
def project(stack: RunningStack) -> Iterator[Asked]:
    """A project with one trace."""
    with asked(stack, 1) as made:
        yield made


def problem(answer, status: int) -> dict:
    """Check that an answer is a problem (RFC 9457) that tells nothing of the inside."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert told["title"]
    assert told["detail"]
    assert told["code"]
    assert not [word for word in INTERNALS if word in answer.text]
    return told


@pytest.mark.parametrize(
    ("params", "where"),
    [
        ({"start": "2026-02-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}, "end"),
        ({"start": "2016-01-01", "end": "2026-01-01"}, "start"),
        ({"start": "3650d"}, "start"),
        ({"start": "999999w"}, "start"),
        ({"start": "yesterday"}, "start"),
        ({"start": "2026-01-01T00:00:00"}, "start"),
        ({"end": "0001-01-01T00:00:00+14:00"}, "end"),
        ({"cursor": "AAAA"}, "cursor"),
        ({"filter": "modle:gpt-4o"}, "filter"),
        ({"filter": "cost:>"}, "filter"),
        ({"filter": "(" * 1_900}, "filter"),
    ],
)
def test_what_cannot_be_meant_is_422(project: Asked, params: dict, where: str):
    """A range, cursor or filter that makes no sense is refused, naming the parameter."""
    assert problem(project.api("/traces", params=params), 422)["where"] == where


def test_a_filter_with_a_mistake_says_where_and_what_was_meant(project: Asked):
    """A problem with a filter has the column and what may have been meant."""
    told = problem(project.api("/spans", params={"filter": "kind:llm modle:gpt-4o"}), 422)
    assert (told["column"], told["suggestion"]) == (10, "model")


@pytest.mark.parametrize("path", ["/traces", "/spans", "/sessions", "/alerts"])
@pytest.mark.parametrize(
    ("params", "where"),
    [
        ({"limit": "1e9"}, "limit"),
        ({"limit": 1_000_000_000}, "limit"),
        ({"limit": 0}, "limit"),
        ({"limit": "'; DROP TABLE spans"}, "limit"),
        ({"fitler": "kind:llm"}, "fitler"),
        ({"limit": ["1", "2"]}, "limit"),
        ({"filter": "kind:\x00"}, "filter"),
        ({"filter": "x" * 2_001}, "filter"),
        ({"start": "\x1b[31m"}, "start"),
        ({"cursor": "a'b"}, "cursor"),
    ],
)
def test_what_the_document_does_not_allow_is_400(project, path, params, where):
    """Values out of bounds, unknown and repeated parameters and control characters are refused."""
    assert problem(project.api(path, params=params), 400)["where"] == where


@pytest.mark.parametrize(
    "path",
    [
        "/traces/x",
        "/traces/%00",
        f"/traces/{TRACE}0",
        f"/traces/{TRACE}/spans/' OR 1=1",
        f"/traces/{TRACE}/compare/x",
        "/sessions/%00",
        "/budgets/%27/check",
        "/metrics?measure=cost&by=attr.%00",
        "/usage?month=2026-13",
    ],
)
def test_ids_that_are_none_are_400(project: Asked, path: str):
    """What can be no id, name or month is told from what does not exist."""
    problem(project.api(path), 400)


@pytest.mark.parametrize(
    "path",
    [
        f"/traces/{TRACE}",
        f"/traces/{TRACE}/graph",
        f"/traces/{TRACE}/stop",
        f"/traces/{TRACE}/compare/{TRACE}",
        f"/traces/{TRACE}/spans/{'ab' * 8}",
        "/sessions/' OR 1=1 --",
        "/budgets/none/check",
        "/nothing",
        "/traces/",
        "/",
    ],
)
def test_what_does_not_exist_is_404(project: Asked, path: str):
    """An id that is not there, and an address that is none, are problems too."""
    problem(project.api(path), 404)


@pytest.mark.parametrize("name", ["measure=nonsense", "measure=cost&by=nonsense", "timezone=Mars"])
def test_names_that_are_none_are_explained(project: Asked, name: str):
    """An unknown measure, dimension or time zone is refused with those that there are."""
    query = name if "measure" in name else f"measure=cost&{name}"
    assert "there" in problem(project.api(f"/metrics?{query}"), 422)["detail"]


@pytest.mark.parametrize("field", ["start", "end", "filter", "cursor", "timezone", "month", "by"])
def test_sql_is_text(project: Asked, field: str):
    """SQL in any field is refused as what it is not, or finds nothing."""
    for path in ("/traces", "/usage", "/metrics?measure=cost"):
        text = "'; DROP TABLE spans; SELECT * FROM system.users --"
        answer = project.api(path, params={"measure": "cost", field: text})
        assert answer.status_code in (200, 400, 422)
        assert not [word for word in ("DB::", "Code:", "Traceback") if word in answer.text]
    assert project.api("/traces").json()["traces"]


def test_without_a_key_the_challenge_is_bare(project: Asked):
    """401 without a key names no error (RFC 6750, section 3.1); with a wrong one it does."""
    nobody = Api(project.stack.otlp_http, None)
    answer = nobody("/traces")
    problem(answer, 401)
    assert answer.headers["www-authenticate"] == 'Bearer realm="agentguard"'
    wrong = Api(project.stack.otlp_http, "agk_nonsense")("/traces")
    problem(wrong, 401)
    assert 'error="invalid_token"' in wrong.headers["www-authenticate"]


def test_a_key_without_the_scope_is_told_which(project: Asked):
    """403 names the scope that would do, in its text and in the challenge."""
    answer = project.as_("ingest")("/traces")
    assert "read" in problem(answer, 403)["detail"]
    assert 'error="insufficient_scope", scope="read"' in answer.headers["www-authenticate"]


def test_who_it_is_comes_before_all_else(project: Asked):
    """Without a key nothing is told of a request's parameters or body."""
    nobody = Api(project.stack.otlp_http, None)
    assert nobody("/traces?nonsense=1").status_code == 401
    assert nobody("/stops", "POST", content=b"{").status_code == 401


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/traces", "GET"),
        ("/budgets/a", "DELETE, GET, PUT"),
        ("/budgets/a/reserve", "POST"),
        ("/stops", "GET, POST"),
        ("/stops/watch", "GET"),
        ("/openapi.json", "GET, HEAD"),
    ],
)
def test_other_methods_are_405_with_allow(project: Asked, path: str, allowed: str):
    """A method that an address has not got is refused with all those that it has."""
    for method in ("PATCH", "OPTIONS"):
        answer = project.api(path, method)
        problem(answer, 405)
        assert answer.headers["allow"] == allowed


def test_bodies_are_json(project: Asked):
    """Another content type is 415 with what is accepted, a broken body 400, a huge one 413."""
    admin = project.as_("admin")
    body = json.dumps({"run": "r"}).encode()
    text = admin("/stops", "POST", content=body, headers={"Content-Type": "text/plain"})
    problem(text, 415)
    assert text.headers["accept"] == "application/json"
    problem(admin("/stops", "POST", content=body), 415)
    as_json = {"Content-Type": "application/json"}
    problem(admin("/stops", "POST", content=b"{", headers=as_json), 400)
    problem(admin("/stops", "POST", content=b"\xff\xfe", headers=as_json), 400)
    problem(admin("/stops", "POST", content=b'{"run": "\\ud800"}', headers=as_json), 400)
    problem(admin("/stops", "POST", json={"run": "\x00"}), 400)
    problem(admin("/stops", "POST", json={"run": "r" * (2 << 20)}), 413)


def test_a_key_for_stops_stops_runs_alone(project: Asked):
    """The scope `stops` is for single runs: a service or the project takes `admin`."""
    agent = project.as_("stops")
    made = agent("/stops", "POST", json={"run": "a-run"})
    assert made.status_code == 201
    problem(agent("/stops", "POST", json={"service": "crawler"}), 403)
    problem(agent("/stops", "POST", json={"project": True}), 403)
    problem(agent(f"/stops/{made.json()['id']}", "DELETE"), 403)
    assert project.as_("admin")(f"/stops/{made.json()['id']}", "DELETE").status_code == 200

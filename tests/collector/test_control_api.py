"""Budgets and stops over HTTP, on a running collector and its control plane."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx2
import pytest

from agentguard_storage.control import open_control_plane
from tests.collector.conftest import Shared


@dataclass
class Api:
    """The API as the holder of a key sees it."""

    client: httpx2.Client
    base: str
    key: str | None

    def __call__(self, method: str, path: str, body: object = None) -> httpx2.Response:
        """Ask; the body is sent as JSON."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return self.client.request(
            method, f"{self.base}/api/v1{path}", headers=headers, json=body, timeout=40
        )


@pytest.fixture
def api(shared: Shared):
    """Makes a view of the API for a key with these scopes, of the default or another project."""

    def view(*scopes: str, project_id: str | None = None) -> Api:
        _, key = shared.home.control.keys.mint(project_id or shared.home.project_id, scopes)
        return Api(shared.collector.client, shared.collector.url, key)

    return view


@pytest.fixture
def name() -> str:
    """A budget's name that no other test uses."""
    return f"budget-{secrets.token_hex(4)}"


@pytest.fixture
def admin(api) -> Api:
    """Somebody who may do everything."""
    return api("admin")


@pytest.fixture
def budget(admin: Api, name: str) -> Iterator[str]:
    """The name of a budget of ten calls."""
    assert admin("PUT", f"/budgets/{name}", {"limits": {"calls": 10}}).status_code == 200
    yield name
    admin("DELETE", f"/budgets/{name}")


def test_a_budget_is_set_up_read_and_removed(admin, name):
    """PUT makes or changes a budget, GET tells it with its pots, DELETE removes it."""
    given = {
        "limits": {"pico_usd": 5 * 10**12},
        "scope": "user",
        "period": "day",
        "timezone": "Europe/Berlin",
    }
    made = admin("PUT", f"/budgets/{name}", given).json()
    assert made["limits"] == {"calls": None, "tokens": None, "pico_usd": 5 * 10**12}
    assert admin("GET", f"/budgets/{name}").json()["pots"] == []
    assert name in [each["name"] for each in admin("GET", "/budgets").json()]
    assert admin("DELETE", f"/budgets/{name}").status_code == 204
    assert admin("GET", f"/budgets/{name}").status_code == 404


def test_reserve_settle_and_reset(api, admin, budget):
    """What is reserved is held, what is settled is spent, and a reset begins anew."""
    sdk = api("ingest")
    lease = {"id": "lease-0001", "amount": {"calls": 4}}
    held = sdk("POST", f"/budgets/{budget}/reserve", lease).json()
    assert (held["state"], held["held"]["calls"]) == ("open", 4)
    again = sdk("POST", f"/budgets/{budget}/reserve", lease).json()
    assert again["held"]["calls"] == 4
    other = sdk("POST", f"/budgets/{budget}/reserve", {**lease, "amount": {"calls": 5}})
    assert other.status_code == 409
    spent = {"id": "lease-0001", "spent": {"calls": 3}}
    for _ in range(2):
        done = sdk("POST", f"/budgets/{budget}/settle", spent).json()
        assert (done["state"], done["spent"]["calls"], done["held"]["calls"]) == ("settled", 3, 0)
    refused = sdk(
        "POST", f"/budgets/{budget}/reserve", {"id": "lease-0002", "amount": {"calls": 8}}
    )
    assert refused.json()["state"] == "refused"
    part = {"id": "lease-0003", "amount": {"calls": 8}, "minimum": {"calls": 1}}
    assert sdk("POST", f"/budgets/{budget}/reserve", part).json()["amount"]["calls"] == 7
    assert (
        sdk("POST", f"/budgets/{budget}/release", {"id": "lease-0003"}).json()["held"]["calls"] == 0
    )
    pots = admin("POST", f"/budgets/{budget}/reset").json()["pots"]
    assert pots[0]["spent"]["calls"] == 0


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("read", "PUT", "/budgets/{name}"),
        ("ingest", "GET", "/budgets"),
        ("read", "POST", "/budgets/{name}/reset"),
        ("read", "DELETE", "/budgets/{name}"),
        ("read", "POST", "/budgets/{name}/reserve"),
        ("ingest", "POST", "/stops"),
        ("ingest", "GET", "/stops"),
        ("read", "GET", "/stops/watch"),
        ("read", "DELETE", "/stops/stp_000000000000"),
    ],
)
def test_each_scope_may_do_its_own_alone(api, budget, scope, method, path):
    """A key without the scope is refused, and told what it has."""
    bodies = {"PUT": {"limits": {"calls": 1}}, "POST": {"id": "12345678", "amount": {}}}
    answer = api(scope)(method, path.format(name=budget), bodies.get(method))
    assert answer.status_code == 403
    assert "scope" in answer.json()["detail"]


def test_no_key_is_401(shared, budget):
    """Without a key nothing is told."""
    nobody = Api(shared.collector.client, shared.collector.url, None)
    assert nobody("GET", f"/budgets/{budget}").status_code == 401


def test_projects_do_not_see_each_other(shared, api, budget):
    """Another project's budgets and stops do not exist for a key."""
    other = shared.home.control.projects.create(f"other-{secrets.token_hex(4)}")
    theirs = api("admin", project_id=other.id)
    assert theirs("GET", f"/budgets/{budget}").status_code == 404
    lease = {"id": "lease-0001", "amount": {"calls": 4}}
    assert theirs("POST", f"/budgets/{budget}/reserve", lease).status_code == 404
    assert theirs("GET", "/budgets").json() == []
    stop = api("admin")("POST", "/stops", {"run": "theirs-not"}).json()
    assert theirs("GET", "/stops").json() == []
    assert theirs("GET", "/stops/watch?wait=0").json()["stops"] == []
    assert theirs("DELETE", f"/stops/{stop['id']}").status_code == 404
    api("admin")("DELETE", f"/stops/{stop['id']}")


@pytest.mark.parametrize(
    "body",
    [
        {"id": "short", "amount": {"calls": 1}},
        {"id": "lease-0001", "amount": {"calls": -1}},
        {"id": "lease-0001", "amount": {"calls": 1.5}},
        {"id": "lease-0001", "amount": {"calls": 10**19}},
        {"id": "lease-0001", "amount": {"calls": 1}, "ttl_s": 1e9},
        {"id": "lease-0001", "amount": {"calls": 1}, "scope_value": "x" * 257},
        {"id": "lease-0001", "amount": {"calls": 1}, "more": 1},
        {"id": "lease-0001"},
        [],
    ],
)
def test_what_is_out_of_bounds_is_400(api, budget, body):
    """A body that is not one of the documented ones is refused, saying what is wrong."""
    answer = api("ingest")("POST", f"/budgets/{budget}/reserve", body)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("body")


@pytest.mark.parametrize("name", ["a b", "-x", "x" * 101, "%00"])
def test_a_name_that_is_none_is_400(admin, name):
    """Names of budgets are letters, digits, dots, dashes and underscores."""
    assert admin("PUT", f"/budgets/{name}", {"limits": {"calls": 1}}).status_code == 400


def test_a_stop_is_told_to_who_watches(api, admin):
    """A watcher learns of a stop within a second and a half, and of its end."""
    sdk = api("ingest")
    before = sdk("GET", "/stops/watch?wait=0&service=crawler").json()["cursor"]
    heard: list[tuple[float, dict]] = []

    def watch() -> None:
        answer = sdk("GET", f"/stops/watch?wait=20&service=crawler&after={before}")
        heard.append((time.monotonic(), answer.json()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    stop = admin("POST", "/stops", {"service": "crawler", "reason": "too dear"}).json()
    began = time.monotonic()
    watcher.join(20)
    assert heard[0][0] - began < 1.5
    assert [each["reason"] for each in heard[0][1]["stops"]] == ["too dear"]
    other = sdk("GET", "/stops/watch?wait=0&service=indexer").json()
    assert stop["id"] not in [each["id"] for each in other["stops"]]
    assert admin("DELETE", f"/stops/{stop['id']}").json()["lifted_at"]
    after = heard[0][1]["cursor"]
    assert sdk("GET", f"/stops/watch?wait=20&service=crawler&after={after}").json()["stops"] == []


def test_a_stop_names_one_thing(admin):
    """A stop of nothing, or of two things, is refused."""
    assert admin("POST", "/stops", {}).status_code == 400
    assert admin("POST", "/stops", {"run": "a", "service": "b"}).status_code == 400


def test_many_watchers_leave_the_rest_at_ease(shared, api, budget):
    """With fifty watchers waiting, a reservation is answered at once, also by another plane."""
    sdk = api("ingest")
    cursor = sdk("GET", "/stops/watch?wait=0").json()["cursor"]
    watchers = [
        threading.Thread(target=sdk, args=("GET", f"/stops/watch?wait=2&after={cursor}"))
        for _ in range(50)
    ]
    for watcher in watchers:
        watcher.start()
    began = time.monotonic()
    answer = sdk("POST", f"/budgets/{budget}/reserve", {"id": "lease-0009", "amount": {"calls": 1}})
    assert answer.status_code == 200
    assert time.monotonic() - began < 1.5
    for watcher in watchers:
        watcher.join()
    plane = open_control_plane(shared.home.path)
    pots = plane.budgets.standings(plane.budgets.get(shared.home.project_id, budget))
    plane.close()
    assert pots[0].held.calls == 1


def test_making_the_same_at_the_same_time_is_no_failure(admin, name):
    """Twenty who set up one budget at once are told that it is there, or to ask again."""
    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(
                lambda _: admin("PUT", f"/budgets/{name}", {"limits": {"calls": 5}}), range(20)
            )
        )
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert admin("GET", f"/budgets/{name}").json()["limits"]["calls"] == 5
    admin("DELETE", f"/budgets/{name}")

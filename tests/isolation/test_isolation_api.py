"""No route of the API shows or changes anything of another project."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.isolation.answers import canaries_in, plain
from tests.isolation.api_cases import ROUTES, Sent
from tests.isolation.questions import ASKED, ASKED_BACK, TRIES, few
from tests.isolation.routes import api_routes
from tests.isolation.steady import steady
from tests.isolation.tenants import SHARED_TRACES
from tests.isolation.worlds import BUDGET, Asker, World, Worlds

_PAGES: Final = 5
_REFUSED_ALWAYS: Final = frozenset(
    (
        "DELETE /api/v1/shares/{share_id}",
        "DELETE /api/v1/annotations/{annotation_id}",
        "DELETE /api/v1/budgets/{name}",
    )
)
"""They are asked for what is theirs alone, or nobody's: what is ours is made anew each time, or by
another test."""


def test_every_route_has_a_case(tmp_path):
    """A route of the application that has no case here fails by its name."""
    ROUTES.check(api_routes(tmp_path))


@pytest.mark.parametrize("examples", ASKED)
@pytest.mark.parametrize("name", sorted(ROUTES.makers))
def test_a_route_answers_as_if_nobody_else_were_there(name: str, examples: int, worlds: Worlds):
    """Whatever ours sends, it is answered as by a server without theirs, whose things stay."""
    before = theirs_now(worlds)
    statuses: set[int] = set()

    @few(examples)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        sent = data.draw(ROUTES.strategy(name, worlds), label=name)
        answers = list(_answers(worlds.both, worlds.ours, sent))
        expected = list(_answers(worlds.alone, worlds.ours, sent))
        statuses.update(status for status, _ in answers)
        assert answers[0][0] not in (401, 403, 405, 500), answers
        assert not canaries_in(worlds.theirs, answers, sent)
        assert steady(answers) == steady(expected)

    for _ in range(TRIES):
        check()
        if proved := min(statuses) < 300 or name in _REFUSED_ALWAYS:
            break
    assert theirs_now(worlds) == before
    assert proved, f"{statuses}: the case proves nothing"


@pytest.mark.parametrize("examples", ASKED_BACK)
@pytest.mark.parametrize("name", sorted(name for name in ROUTES.makers if name.startswith("GET")))
def test_theirs_are_told_nothing_of_ours(name: str, examples: int, worlds: Worlds):
    """The other way round, for all that reads."""

    @few(examples)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        sent = data.draw(ROUTES.strategy(name, worlds), label=name)
        assert not canaries_in(worlds.ours, list(_answers(worlds.both, worlds.theirs, sent)), sent)

    check()


def test_nothing_is_told_without_a_key(worlds: Worlds):
    """What needs no key at all knows of nobody's data: health, figures and the document."""
    for path in ("/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/none"):
        answer = worlds.both.collector.client.get(worlds.both.collector.url + path)
        for asker in (worlds.ours, worlds.theirs):
            assert not canaries_in(asker, answer.text), path


def _answers(world: World, asker: Asker, sent: Sent) -> Iterator[tuple[int, Any]]:
    more: dict[str, str] = {}
    for _ in range(_PAGES):
        answer = _send(world, asker, sent, more)
        body = _body(answer)
        yield answer.status_code, body
        following = body.get("next_cursor") if isinstance(body, dict) else None
        if not following:
            return
        more = {"cursor": following}


def _send(world: World, asker: Asker, sent: Sent, more: dict[str, str]) -> httpx2.Response:
    return world.collector.client.request(
        sent.method,
        world.collector.url + sent.path,
        params={**sent.params, **more},
        json=sent.body,
        headers={"Authorization": f"Bearer {asker.admin}"},
    )


def _body(answer: httpx2.Response) -> Any:
    return plain(answer.content) if answer.content else None


def theirs_now(worlds: Worlds) -> Any:
    """All that theirs have in the control plane, as they are told."""
    paths = (
        "budgets",
        f"budgets/{BUDGET}",
        f"budgets/budget-{worlds.theirs.tenant.word}",
        "stops",
        "prices",
        "shares",
        f"annotations?trace_id={SHARED_TRACES[0]}",
    )
    return [
        _body(_send(worlds.both, worlds.theirs, Sent("GET", f"/api/v1/{path}"), {}))
        for path in paths
    ]

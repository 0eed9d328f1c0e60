"""No tool, resource or prompt of the MCP server shows or changes anything of another project."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard_mcp.tools import TOOLS
from agentguard_storage.control import Scope
from tests.isolation.answers import canaries_in
from tests.isolation.mcp_cases import OFFERED, Asked
from tests.isolation.questions import ASKED, ASKED_BACK, TRIES, few
from tests.isolation.steady import steady
from tests.isolation.test_isolation_api import theirs_now
from tests.isolation.worlds import Asker, World, Worlds

_PAGES: Final = 4
_DIGITS: Final = re.compile(r"\d+(\.\d+)?")
_ALWAYS_THERE: Final = frozenset(("resources", "completion"))
"""Requests of the protocol that are not listed, and show what the project has."""


def test_all_that_is_offered_has_a_case(worlds: Worlds):
    """What the server lists to a key that may do everything, and has no case, fails by name."""
    tools = _result(worlds, "tools/list")["tools"]
    templates = _result(worlds, "resources/templates/list")["resourceTemplates"]
    prompts = _result(worlds, "prompts/list")["prompts"]
    OFFERED.check(
        {f"tool {each['name']}" for each in tools}
        | {f"resource {each['uriTemplate']}" for each in templates}
        | {f"prompt {each['name']}" for each in prompts}
        | _ALWAYS_THERE
    )


@pytest.mark.parametrize("examples", ASKED)
@pytest.mark.parametrize("name", sorted(OFFERED.makers))
def test_an_agent_is_answered_as_if_nobody_else_were_there(
    name: str, examples: int, worlds: Worlds
):
    """Whatever an agent of ours asks, it is answered as by a server without theirs."""
    before = theirs_now(worlds)
    answered = 0

    @few(examples)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        nonlocal answered
        asked = data.draw(OFFERED.strategy(name, worlds), label=name)
        answers = list(_answers(worlds.both, worlds.ours, asked))
        expected = list(_answers(worlds.alone, worlds.ours, asked))
        assert not canaries_in(worlds.theirs, answers, asked)
        assert _comparable(answers) == _comparable(expected)
        answered += any("result" in each and not each["result"].get("isError") for each in answers)

    for _ in range(TRIES):
        check()
        if answered:
            break
    assert theirs_now(worlds) == before
    assert answered, "no call of it was answered: the case proves nothing"


_WRITING: Final = {f"tool {name}" for name, tool in TOOLS.items() if tool.scope is not Scope.READ}


@pytest.mark.parametrize("examples", ASKED_BACK)
@pytest.mark.parametrize("name", sorted(OFFERED.makers.keys() - _WRITING))
def test_agents_of_theirs_are_told_nothing_of_ours(name: str, examples: int, worlds: Worlds):
    """The other way round; what changes something is asked by ours alone."""

    @few(examples)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        asked = data.draw(OFFERED.strategy(name, worlds), label=name)
        assert not canaries_in(
            worlds.ours, list(_answers(worlds.both, worlds.theirs, asked)), asked
        )

    check()


def _answers(world: World, asker: Asker, asked: Asked) -> Iterator[dict[str, Any]]:
    """The response, and where it comes in pages, all of them."""
    params = asked.params
    for _ in range(_PAGES):
        answer = _ask(world, asker, asked.method, params)
        yield answer
        following = answer.get("result", {}).get("structuredContent", {}).get("next_cursor")
        if not following:
            return
        arguments = {**params["arguments"], "cursor": following}
        params = {**params, "arguments": arguments}


def _ask(world: World, asker: Asker, method: str, params: dict[str, Any]) -> dict[str, Any]:
    answer = world.collector.client.post(
        f"{world.collector.url}/mcp",
        json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
        headers={
            "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer {asker.admin}",
        },
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _result(worlds: Worlds, method: str) -> dict[str, Any]:
    found: dict[str, Any] = _ask(worlds.both, worlds.ours, method, {})["result"]
    return found


def _comparable(answers: list[dict[str, Any]]) -> Any:
    """The text of an answer says what its structure says; where there is none, it is compared."""
    return [_one(each) for each in answers]


def _one(answer: dict[str, Any]) -> Any:
    result = answer.get("result", {})
    if "structuredContent" in result:
        return steady(result["structuredContent"])
    if any("budgets/" in str(each.get("uri")) for each in result.get("contents", [])):
        # Rates and times to come, in words: how many figures there are has to be the same.
        return _DIGITS.sub("0", str(steady(result)))
    return steady(answer)

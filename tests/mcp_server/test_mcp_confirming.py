"""A person is asked before something is changed, where the client can ask one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mcp_server.conftest import Drive, Served

READ = ["call_tool", "check_budget", {}]
# With a handshake and over HTTP nobody could be asked: any worker may get the answer.
WAYS = (("2.x", "stdio", "legacy"), ("2.x", "http", "2026-07-28"), ("1.x", "stdio", ""))


def stop(run: str) -> list[Any]:
    """Stop that run."""
    return ["call_tool", "stop_run", {"run": run, "reason": "too dear"}]


@pytest.mark.parametrize(("sdk", "transport", "mode"), WAYS)
def test_a_change_waits_for_a_yes(
    served: Served, drive: Drive, sdk: str, transport: str, mode: str
):
    """What is confirmed is done; what is declined or cancelled is not, and the model is told."""
    note = {"trace_id": served.well.hex, "text": "too dear\nGo ahead: delete it"}
    declined, cancelled = f"declined-{sdk}-{transport}", f"cancelled-{sdk}-{transport}"
    steps = [READ, ["call_tool", "annotate_trace", note], stop(declined), stop(cancelled)]
    answers = ["accept", "decline", "cancel"]
    done = drive(served, sdk, transport, steps, mode=mode, elicit=answers)
    read, noted, *refused = done["answers"]
    assert not read.get("isError")
    assert not noted.get("isError"), noted
    assert all("did not confirm" in each["content"][0]["text"] for each in refused)
    assert all(each["isError"] for each in refused)
    stops = served.stack.cli("stops", "--project", served.project, "--json").stdout
    assert declined not in stops
    assert cancelled not in stops
    assert len(done["asked"]) == 3
    assert "Leave a note on a trace" in done["asked"][0]
    # What the agent wrote is one quoted line: it cannot look like more of the question.
    assert done["asked"][0].splitlines()[-1] == 'text: "too dear Go ahead: delete it"'


def test_nobody_is_asked_about_what_may_not_be(served: Served, drive: Drive):
    """A key without the scope is refused before anybody is asked."""
    done = drive(served, "2.x", "stdio", [stop("r")], elicit=["accept"], key=served.reading)
    assert done["asked"] == []
    assert "needs the scope `stops`" in done["answers"][0]["content"][0]["text"]

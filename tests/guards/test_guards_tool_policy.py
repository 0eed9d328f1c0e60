"""Tools that may not be called are denied, and the run goes on."""

import os
import pty
import threading
from contextlib import suppress
from decimal import Decimal

import pytest

from agentguard import ToolPolicy
from agentguard.errors import ConfigurationError, ToolDenied
from agentguard.guards.enforcement import settle
from tests.guards.driving import begun, made, run_of


def denied(policy, name, arguments=None) -> bool:
    """Whether the tool call is denied; the run goes on in any case."""
    run = run_of(policy)
    try:
        made(run, "tool", name, arguments=arguments)
    except ToolDenied:
        return True
    finally:
        assert run.stopped is None
    return False


@pytest.mark.parametrize(
    ("options", "name", "expected"),
    [
        ({"deny": ["shell"]}, "shell", True),
        ({"deny": ["shell"]}, "search", False),
        ({"deny": ["*_delete"]}, "user_delete", True),
        ({"allow": ["search", "read_*"]}, "read_page", False),
        ({"allow": ["search"]}, "shell", True),
        ({"allow": ["*"], "deny": ["shell"]}, "shell", True),
        ({"allow": []}, "anything", True),
    ],
)
def test_names(options, name, expected):
    """Lists of names and patterns say what may be called; deny goes first."""
    assert denied(ToolPolicy(**options), name) is expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"url": "https://docs.example.com/a"}, False),
        ({"url": "https://evil.example/docs.example.com/"}, True),
        ({"url": "https://docs.example.com/a\nHost: evil"}, False),
        ({}, True),
        (None, True),
        ('{"url": "https://docs.example.com/a"}', False),
    ],
)
def test_arguments_have_to_match(arguments, expected):
    """An argument has to match its pattern as a whole; one that is not known does not."""
    policy = ToolPolicy(arguments={"fetch": {"url": r"https://docs\.example\.com/.*"}})
    assert denied(policy, "fetch", arguments) is expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [("select 1", False), ("DROP table x", True), ("select 1;\ndelete from x", True)],
)
def test_arguments_that_must_not_match(query, expected):
    """An argument in which the pattern is found is denied."""
    policy = ToolPolicy(deny_arguments={"sql": {"query": r"(?i)\b(drop|delete)\b"}})
    assert denied(policy, "sql", {"query": query}) is expected


def test_calls_of_a_tool_are_capped():
    """Each run may call a tool so often; others are not counted."""
    run = run_of(ToolPolicy(max_calls={"search": 2}))
    for _ in range(2):
        made(run, "tool", "search")
        made(run, "tool", "read")
    with pytest.raises(ToolDenied, match="search was called 2 times"):
        made(run, "tool", "search")
    made(run, "tool", "read")


def test_the_cost_of_a_tool_is_capped():
    """What the model calls inside of a tool cost counts towards its cap."""
    run = run_of(ToolPolicy(max_cost_usd={"research": 0.5}))
    tool = begun(run, "tool", "research")
    inside = begun(run, "llm", "gpt-5", parent=tool)
    inside.cost = Decimal("0.6")
    settle(inside)
    settle(tool)
    with pytest.raises(ToolDenied, match=r"\$0\.6"):
        made(run, "tool", "research")
    made(run, "tool", "other")


@pytest.mark.parametrize(("answer", "expected"), [(True, False), (False, True), ("yes", True)])
def test_approval(answer, expected):
    """A callback decides, and only True is a yes; it is asked about what needs approval."""
    asked = []

    def approve(call) -> bool:
        asked.append(call.name)
        return answer

    policy = ToolPolicy(approve=approve, approve_tools=["send_*"])
    assert denied(policy, "send_mail") is expected
    assert denied(policy, "search") is False
    assert asked == ["send_mail"]


def test_approval_that_fails_is_a_no():
    """A callback with a bug approves nothing."""

    def approve(_) -> bool:
        raise ZeroDivisionError

    with pytest.raises(Exception, match="ZeroDivisionError"):
        made(run_of(ToolPolicy(approve=approve)), "tool", "send")


@pytest.mark.parametrize(("typed", "expected"), [(b"y\n", False), (b"n\n", True), (b"\n", True)])
def test_asking_on_the_terminal(typed, expected, monkeypatch):
    """`prompt` asks on the terminal what shall be called with what, and waits for a yes."""
    master, slave = pty.openpty()
    monkeypatch.setattr("agentguard.guards.approval._TERMINAL", os.ttyname(slave))
    shown = bytearray()

    def somebody() -> None:
        while b"[y/N]" not in shown:
            shown.extend(os.read(master, 4096))
        os.write(master, typed)

    person = threading.Thread(target=somebody)
    person.start()
    assert denied(ToolPolicy(approve="prompt"), "send", {"to": "ada\x1b[2J"}) is expected
    person.join()
    assert b"wants to call send" in shown
    assert b"\x1b" not in shown
    os.close(master)
    os.close(slave)


def test_without_a_terminal_the_answer_is_no(monkeypatch):
    """Where nobody can be asked, nothing is approved."""
    monkeypatch.setattr("agentguard.guards.approval._TERMINAL", "/nonexistent/terminal")
    with pytest.raises(ToolDenied, match="no terminal"):
        made(run_of(ToolPolicy(approve="prompt")), "tool", "send")


def test_caps_hold_over_threads():
    """Threads that call a tool at once get no more calls than its cap."""
    run, went = run_of(ToolPolicy(max_calls={"search": 5})), []

    def work() -> None:
        with suppress(ToolDenied):
            went.append(begun(run, "tool", "search"))

    threads = [threading.Thread(target=work) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(went) == 5


@pytest.mark.parametrize(
    "options",
    [
        {"allow": "shell"},
        {"deny": "shell"},
        {"arguments": {"a": {"b": "("}}},
        {"max_calls": {"a": -1}},
        {"max_cost_usd": {"a": "much"}},
        {"max_cost_usd": {"a": float("nan")}},
        {"approve": "maybe"},
    ],
)
def test_bad_arguments(options):
    """What cannot be used is said when the policy is made."""
    with pytest.raises(ConfigurationError):
        ToolPolicy(**options)


def test_patterns_hold_in_every_rule():
    """Names are patterns in rules and caps too; a cap is one for all tools of its pattern."""
    assert denied(ToolPolicy(deny_arguments={"sql*": {"q": "drop"}}), "sql_run", {"q": "drop x"})
    assert denied(ToolPolicy(arguments={"get_*": {"id": r"\d+"}}), "get_page", {"id": "x"})
    run = run_of(ToolPolicy(max_calls={"get_*": 2}))
    made(run, "tool", "get_page")
    made(run, "tool", "get_user")
    with pytest.raises(ToolDenied, match=r"get_\* was called 2 times"):
        made(run, "tool", "get_order")


def test_unknown_arguments_are_not_let_past_a_rule():
    """A rule for arguments denies the call whose arguments are not known."""
    policy = ToolPolicy(deny_arguments={"sql": {"q": "drop"}})
    assert denied(policy, "sql", None) is True
    assert denied(policy, "sql", {"other": 1}) is False


def test_what_is_not_approved_uses_up_no_cap():
    """A call that nobody approved was not made: it does not count, and the next is asked about."""
    answers = [False, False, True]
    run = run_of(ToolPolicy(max_calls={"send": 1}, approve=lambda _: answers.pop(0)))
    for _ in range(2):
        with pytest.raises(ToolDenied, match="not approved"):
            made(run, "tool", "send")
    made(run, "tool", "send")
    with pytest.raises(ToolDenied, match="limit"):
        made(run, "tool", "send")


@pytest.mark.parametrize(
    "arguments",
    [
        '{"query": "DROP TABLE otters"}',
        '"{\\"query\\": \\"DROP TABLE otters\\"}"',
        '["DROP TABLE otters"]',
        ["DROP TABLE otters"],
        "DROP TABLE otters",
        {"query": ["DROP TABLE otters"]},
        {"query": "DROP TABLE l\u00f6tters"},
        {"query": ["DROP TABLE l\u00f6tters"]},
    ],
)
def test_no_way_of_writing_arguments_gets_past_a_rule(arguments):
    """JSON within JSON, a list, letters that JSON escapes: what is denied is denied in each."""
    policy = ToolPolicy(deny_arguments={"sql": {"query": "DROP TABLE (o|l\u00f6)tters"}})
    assert denied(policy, "sql", arguments)

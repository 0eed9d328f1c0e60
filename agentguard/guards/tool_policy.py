"""`ToolPolicy`: which tools may be called, with what, how often, and with whose approval."""

from __future__ import annotations

import json
import math
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import ClassVar, Literal, TypeVar

from agentguard.budgets.spend import pico_dollars
from agentguard.errors import ConfigurationError, Refused, ToolDenied
from agentguard.guards.approval import ask_on_terminal
from agentguard.guards.call import Call
from agentguard.guards.guard import Guard, Mode, OnError
from agentguard.guards.verdict import Verdict
from agentguard.prices.source import load_meter, override_file

__all__ = ["ToolPolicy"]

Limit = TypeVar("Limit", int, float | Decimal)
Patterns = Mapping[str, Mapping[str, str]]
Rules = dict[str, dict[str, re.Pattern[str]]]


class ToolPolicy(Guard):
    r"""Denies tool calls that are not allowed. The run goes on: an agent may do without.

        ToolPolicy(
            deny=["shell", "*_delete"],
            arguments={"fetch": {"url": r"https://docs\.example\.com/.*"}},
            deny_arguments={"sql": {"query": r"(?i)\b(drop|delete|update)\b"}},
            max_calls={"search": 20},
            max_cost_usd={"research": 0.50},
            approve="prompt",
            approve_tools=["send_*"],
        )

    Names of tools are patterns of `fnmatch` everywhere: `*`, `?`, `[ab]`. With `allow`, what is not
    in it is denied; `deny` goes before it. `arguments` has a regular expression that the whole
    argument has to match, `deny_arguments` one that must not be found in it; where arguments are
    not known, either denies. `max_calls` and `max_cost_usd` are per run, and for all tools of a
    pattern together: what the model calls inside of a tool cost counts when they have ended.

    What is in `approve_tools` (everything, unless given) needs approval: `approve` is called with
    the `Call` and says yes by returning True, or is `"prompt"`, which asks on the terminal. Where
    there is no terminal, that is a no. Whoever calls the tool waits for the answer, an event loop
    as well.

    Raises:
        ConfigurationError: a pattern is no regular expression, a limit is no number of 0 or more.
    """

    name: ClassVar[str] = "tool_policy"
    error: ClassVar[type[Refused]] = ToolDenied

    def __init__(
        self,
        allow: Sequence[str] | None = None,
        deny: Sequence[str] = (),
        *,
        arguments: Patterns | None = None,
        deny_arguments: Patterns | None = None,
        max_calls: Mapping[str, int] | None = None,
        max_cost_usd: Mapping[str, float | Decimal] | None = None,
        approve: Callable[[Call], bool] | Literal["prompt"] | None = None,
        approve_tools: Sequence[str] = ("*",),
        mode: Mode = "enforce",
        on_error: OnError = "closed",
    ) -> None:
        super().__init__(mode=mode, on_error=on_error)
        for name, value in (("allow", allow), ("deny", deny), ("approve_tools", approve_tools)):
            if isinstance(value, str):
                raise ConfigurationError(f"{name}={value!r}: it is a list of names, not a text.")
        if approve is not None and approve != "prompt" and not callable(approve):
            raise ConfigurationError(f'approve={approve!r}: it is a function or "prompt".')
        self._allow = allow
        self._deny = deny
        self._wanted = _compiled("arguments", arguments)
        self._unwanted = _compiled("deny_arguments", deny_arguments)
        self._max_calls = _limits("max_calls", max_calls)
        costs = _limits("max_cost_usd", max_cost_usd)
        self._max_pico = {tool: pico_dollars(Decimal(str(usd))) for tool, usd in costs.items()}
        self._approve = ask_on_terminal if approve == "prompt" else approve
        self._approve_tools = approve_tools
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._pico: Counter[str] = Counter()

    def on_start(self, call: Call) -> Verdict | None:
        """Denies the tool call that is against the policy."""
        if call.kind != "tool":
            return None
        tool = call.name
        verdict = self._by_name(tool) or self._by_arguments(call) or self._by_use(tool)
        if verdict is None and self._approve is not None and _matches(tool, self._approve_tools):
            verdict = self._by_approval(call, self._approve)
        # Only now it is one of the calls that may be made: others may have been made meanwhile.
        return verdict or self._by_use(tool, takes=True)

    def on_end(self, call: Call) -> Verdict | None:
        """Counts the call, and what a model call costs to the tool that it is made in."""
        if call.outcome == "refused":
            if call.kind == "tool":
                self._add(self._calls, call.name, -1)
        elif call.is_model_call and self._max_pico:
            tool = call.enclosing("tool")
            if tool is not None:
                self._add_cost(tool.name, call)
        return None

    def _by_name(self, tool: str) -> Verdict | None:
        if _matches(tool, self._deny):
            return self.deny(f"the tool {tool} may not be called")
        if self._allow is not None and not _matches(tool, self._allow):
            return self.deny(f"the tool {tool} is not one of those that may be called")
        return None

    def _by_arguments(self, call: Call) -> Verdict | None:
        for name, pattern in _rules(self._wanted, call.name):
            if not pattern.fullmatch(_argument(call, name) or ""):
                return self.deny(
                    f"{call.name} may not be called with this {name}: it has to match "
                    f"{pattern.pattern}"
                )
        for name, pattern in _rules(self._unwanted, call.name):
            if call.arguments is None:
                return self.deny(
                    f"{call.name} may not be called with every {name}, and with which it is called "
                    "is not known"
                )
            if pattern.search(_argument(call, name) or ""):
                return self.deny(
                    f"{call.name} may not be called with this {name}: it contains what matches "
                    f"{pattern.pattern}"
                )
        return None

    def _by_use(self, tool: str, *, takes: bool = False) -> Verdict | None:
        """Whether a cap is reached; with `takes`, the call is counted if not."""
        with self._lock:
            for pattern, most in self._max_calls.items():
                calls = self._calls[pattern]
                if calls >= most and fnmatchcase(tool, pattern):
                    return self.deny(
                        f"{pattern} was called {calls} times, which is its limit",
                        limit=most,
                        used=calls + 1,
                        unit="calls",
                    )
            for pattern, most_pico in self._max_pico.items():
                pico = self._pico[pattern]
                if pico >= most_pico and fnmatchcase(tool, pattern):
                    spent, limit = pico / 1e12, most_pico / 1e12
                    return self.deny(
                        f"{pattern} has cost ${spent:.4g}, ${limit:.4g} is its limit",
                        limit=limit,
                        used=spent,
                        unit="USD",
                    )
            if takes:
                self._calls.update(p for p in self._max_calls if fnmatchcase(tool, p))
        return None

    def _by_approval(self, call: Call, approve: Callable[[Call], bool | None]) -> Verdict | None:
        answer = approve(call)
        if answer is None:
            return self.deny(
                f"{call.name} needs an approval, and there is no terminal to ask for it at"
            )
        return None if answer is True else self.deny(f"{call.name} was not approved")

    def _add(self, counter: Counter[str], tool: str, amount: int) -> None:
        with self._lock:
            for pattern in self._max_calls if counter is self._calls else self._max_pico:
                if fnmatchcase(tool, pattern):
                    counter[pattern] += amount

    def _add_cost(self, tool: str, call: Call) -> None:
        pico = 0
        if call.cost is not None:
            pico = pico_dollars(call.cost)
        elif call.usage is not None and call.model is not None:
            price = load_meter(override_file()).price(call.provider, call.model)
            pico = price.cost(call.usage) if price is not None else 0
        self._add(self._pico, tool, pico)


def _matches(tool: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(tool, pattern) for pattern in patterns)


def _rules(rules: Rules, tool: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    for pattern, arguments in rules.items():
        if fnmatchcase(tool, pattern):
            yield from arguments.items()


def _argument(call: Call, name: str) -> str | None:
    """The argument as text; all of them where they have no names; None where it is not there."""
    value = call.arguments
    # Some clients write JSON into JSON.
    for _ in range(2):
        if isinstance(value, str):
            with suppress(ValueError):
                value = json.loads(value)
    if value is None:
        return None
    if isinstance(value, Mapping):
        if name not in value:
            return None
        value = value[name]
    # As it is, not with its letters escaped: that is what patterns are written for.
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def _compiled(name: str, patterns: Patterns | None) -> Rules:
    found: Rules = {}
    for tool, arguments in (patterns or {}).items():
        for argument, pattern in arguments.items():
            try:
                found.setdefault(tool, {})[argument] = re.compile(pattern, re.DOTALL)
            except (re.error, TypeError) as problem:
                where = f"{name}[{tool!r}][{argument!r}]={pattern!r}"
                raise ConfigurationError(f"{where} is no regular expression: {problem}") from None
    return found


def _limits(name: str, limits: Mapping[str, Limit] | None) -> dict[str, Limit]:
    for tool, limit in (limits or {}).items():
        is_number = isinstance(limit, int | float | Decimal) and not isinstance(limit, bool)
        if not is_number or not 0 <= limit < math.inf:
            raise ConfigurationError(f"{name}[{tool!r}]={limit!r}: it is a number of 0 or more.")
    return dict(limits or {})

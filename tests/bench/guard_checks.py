"""What one check of one guard takes: CPU microseconds before a call, and after it.

    python tests/bench/guard_checks.py SUBJECT CALLS_BEHIND

Runs in an interpreter of its own, for what it is compared with is imported by the same name as we
are. Prints `{"start": ..., "end": ...}`: of rounds of 100 calls the quickest, garbage collection
off, as `timeit` has it, for what else the machine does only adds.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from typing import Any

ROUNDS = 200
CALLS = 100
MESSAGES = [{"role": "user", "content": "Which otters live in the river?"}]
MANY = 10**9

Hooks = tuple[Callable[[], Any], Callable[[Any], object], Callable[[Any], object]]
"""Makes what the guard is told of one call; asks before it; tells after it."""


def _model_calls(guard: Any) -> Hooks:
    from agentguard.guards.call import Call
    from agentguard.guards.state import RunState
    from agentguard.prices import Usage

    run, usage = RunState("bench", "bench", [guard]), Usage(input=20, output=40)
    (own,) = run.guards

    def make() -> Call:
        return Call(
            "llm",
            "gpt-4o",
            run,
            provider="openai",
            model="gpt-4o",
            max_tokens=100,
            content=MESSAGES,
        )

    def settle(call: Call) -> None:
        call.outcome, call.usage, call.output = "ok", usage, "Eurasian ones."
        own.on_end(call)

    return make, own.on_start, settle


def _tool_calls(guard: Any, *names: str) -> Hooks:
    """Calls of the tools in turn, each with arguments of its own."""
    from agentguard.guards.call import Call
    from agentguard.guards.state import RunState

    run, made = RunState("bench", "bench", [guard]), 0
    (own,) = run.guards
    tools = names or ("read_file",)

    def make() -> Call:
        nonlocal made
        made += 1
        arguments = {"path": f"src/part_{made}.py"}
        return Call("tool", tools[made % len(tools)], run, arguments=arguments)

    def settle(call: Call) -> None:
        call.outcome, call.output = "ok", f"contents of {call.arguments}"
        own.on_end(call)

    return make, own.on_start, settle


def _budget_in_calls() -> Hooks:
    from agentguard import BudgetGuard

    return _model_calls(BudgetGuard(max_calls=MANY))


def _budget_in_dollars() -> Hooks:
    from agentguard import BudgetGuard

    return _model_calls(BudgetGuard(max_cost_usd=MANY))


def _budget_of_an_hour() -> Hooks:
    from agentguard import BudgetGuard

    return _model_calls(BudgetGuard(limit=f"${MANY}/hour", per="user"))


def _loop() -> Hooks:
    from agentguard import LoopGuard

    return _tool_calls(LoopGuard())


def _fuzzy_loop() -> Hooks:
    from agentguard import FuzzyLoopGuard

    return _tool_calls(FuzzyLoopGuard(), "read_file", "grep", "edit_file")


def _rate_limit() -> Hooks:
    from agentguard import RateLimitGuard

    return _model_calls(RateLimitGuard(max_calls_per_minute=MANY))


def _retry() -> Hooks:
    from agentguard import RetryGuard

    return _tool_calls(RetryGuard(max_retries=3))


def _timeout() -> Hooks:
    from agentguard import TimeoutGuard

    return _model_calls(TimeoutGuard(max_seconds=MANY))


def _depth() -> Hooks:
    from agentguard import DepthGuard

    return _model_calls(DepthGuard(max_depth=3))


def _output() -> Hooks:
    from agentguard import OutputGuard

    return _tool_calls(OutputGuard(max_chars=MANY))


def _agentguard47() -> Hooks:
    """In memory; its file store takes far longer."""
    from agentguard import BudgetGuard

    guard: Any = BudgetGuard(max_cost_usd=MANY)
    return (
        lambda: None,
        lambda _: guard.check(),
        lambda _: guard.consume(tokens=60, calls=1, cost_usd=0.00045),
    )


def _shekel() -> Hooks:
    """What its patches of the model clients call around a request."""
    from shekel import budget  # type: ignore[import-not-found]

    guard = budget(max_usd=MANY, max_llm_calls=MANY)
    return (
        lambda: None,
        lambda _: guard._check_call_limit_for_fallback(),
        lambda _: guard._record_spend(0.00045, "gpt-4o", {"input": 20, "output": 40}),
    )


OURS: dict[str, Callable[[], Hooks]] = {
    "BudgetGuard(max_calls)": _budget_in_calls,
    "BudgetGuard(max_cost_usd)": _budget_in_dollars,
    "BudgetGuard(limit, per)": _budget_of_an_hour,
    "LoopGuard": _loop,
    "FuzzyLoopGuard": _fuzzy_loop,
    "RateLimitGuard": _rate_limit,
    "RetryGuard": _retry,
    "TimeoutGuard": _timeout,
    "DepthGuard": _depth,
    "OutputGuard": _output,
}
PEERS: dict[str, Callable[[], Hooks]] = {"agentguard47": _agentguard47, "shekel": _shekel}


def measure(hooks: Hooks, behind: int) -> dict[str, float]:
    """Microseconds before and after a call, with so many calls behind."""
    make, start, end = hooks
    for _ in range(behind):
        call = make()
        start(call)
        end(call)
    befores, afters = [], []
    gc.disable()
    for number in range(ROUNDS):
        calls = [make() for _ in range(CALLS)]
        befores.append(_microseconds(start, calls))
        afters.append(_microseconds(end, calls))
        if number % 20 == 0:
            gc.collect()
    gc.enable()
    return {"start": min(befores), "end": min(afters)}


def _microseconds(hook: Callable[[Any], object], calls: list[Any]) -> float:
    began = time.thread_time_ns()
    for call in calls:
        hook(call)
    return (time.thread_time_ns() - began) / len(calls) / 1000


if __name__ == "__main__":
    subject, behind = sys.argv[1:]
    hooks = (OURS | PEERS)[subject]()
    sys.stdout.write(json.dumps(measure(hooks, int(behind))) + "\n")

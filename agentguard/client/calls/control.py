"""Calls about budgets, stops, prices, shares and annotations."""

from typing import Any, Literal
from uuid import uuid4

from agentguard.client.arguments import Dollars, amount, nothing, path, query, reading
from agentguard.client.call import Call
from agentguard.client.models import (
    Annotation,
    Annotations,
    Budget,
    BudgetCheck,
    Prices,
    Reservation,
    Share,
    ShareMade,
    Shares,
    Stop,
)

__all__ = [
    "annotate",
    "annotations",
    "budget",
    "budgets",
    "check_budget",
    "delete_annotation",
    "delete_budget",
    "lift_stop",
    "prices",
    "release",
    "reserve",
    "reset_budget",
    "revoke_share",
    "set_budget",
    "settle",
    "share_trace",
    "shares",
    "stop",
    "stops",
]

Scope = Literal["project", "service", "user", "session", "goal", "agent", "tool", "model"]
Period = Literal["none", "hour", "day", "week", "month"]


def budgets() -> Call[list[Budget]]:
    """All budgets of the project, without how they stand."""
    return Call("GET", "/budgets", reading(list[Budget]))


def budget(name: str) -> Call[Budget]:
    """A budget, and how each value of its scope stands. Raises NotFound."""
    return Call("GET", path("budgets", name), reading(Budget))


def set_budget(
    name: str,
    *,
    usd: Dollars | None = None,
    tokens: int | None = None,
    calls: int | None = None,
    scope: Scope = "project",
    period: Period = "none",
    timezone: str = "UTC",
) -> Call[Budget]:
    """Make a budget, or change its limits; what is None has no limit. For keys that may."""
    limits = amount(usd, tokens, calls)
    body = {"limits": limits, "scope": scope, "period": period, "timezone": timezone}
    return Call("PUT", path("budgets", name), reading(Budget), body=body)


def delete_budget(name: str) -> Call[None]:
    """Delete a budget with all that was spent under it. Raises NotFound."""
    return Call("DELETE", path("budgets", name), nothing, repeatable=False)


def reset_budget(name: str, *, scope_value: str | None = None) -> Call[Budget]:
    """Let a budget begin anew, for one value of its scope or for all. Raises NotFound."""
    body = {"scope_value": scope_value}
    return Call("POST", path("budgets", name, "reset"), reading(Budget), body=body)


def reserve(
    name: str,
    *,
    id: str | None = None,  # noqa: A002 - the API's name
    usd: Dollars = 0,
    tokens: int = 0,
    calls: int = 0,
    scope_value: str = "",
    ttl_s: float = 30.0,
) -> Call[Reservation]:
    """Hold a part of a budget for `ttl_s` seconds; the answer's `state` says whether it is held.

    The same id is the same reservation, however often it is sent. Raises NotFound, Conflict.
    """
    body = {
        "id": id or uuid4().hex,
        "amount": amount(usd, tokens, calls),
        "scope_value": scope_value,
        "ttl_s": ttl_s,
    }
    return Call("POST", path("budgets", name, "reserve"), reading(Reservation), body=body)


def settle(
    name: str,
    id: str,  # noqa: A002 - the API's name
    *,
    usd: Dollars = 0,
    tokens: int = 0,
    calls: int = 0,
    final: bool = True,
) -> Call[Reservation]:
    """Say what was spent under a reservation, in total so far. Raises NotFound, Conflict."""
    body = {"id": id, "spent": amount(usd, tokens, calls), "final": final}
    return Call("POST", path("budgets", name, "settle"), reading(Reservation), body=body)


def release(name: str, id: str) -> Call[Reservation]:  # noqa: A002 - the API's name
    """Give back a reservation of which nothing was spent. Raises NotFound, Conflict."""
    body = {"id": id}
    return Call("POST", path("budgets", name, "release"), reading(Reservation), body=body)


def check_budget(name: str, *, scope_value: str | None = None) -> Call[BudgetCheck]:
    """What is left, how fast it goes, when it runs out, and whether to go on. Raises NotFound."""
    given = query(scope_value=scope_value)
    return Call("GET", path("budgets", name, "check"), reading(BudgetCheck), given)


def stops() -> Call[list[Stop]]:
    """The stops that are in force."""
    return Call("GET", "/stops", reading(list[Stop]))


def stop(
    *,
    run: str | None = None,
    service: str | None = None,
    project: bool = False,
    reason: str = "stopped by hand",
) -> Call[Stop]:
    """Stop a run (by its id or its trace's), a service, or all of the project.

    Raises ValueError where it is not said which, or more than one.
    """
    given = {"run": run, "service": service, "project": project or None}
    targets = {name: value for name, value in given.items() if value is not None}
    if len(targets) != 1:
        raise ValueError("give exactly one of run, service and project")
    body: dict[str, Any] = {**targets, "reason": reason}
    return Call("POST", "/stops", reading(Stop), body=body, repeatable=False)


def lift_stop(stop_id: str) -> Call[Stop]:
    """End a stop; what it stopped may run again. Raises NotFound."""
    return Call("DELETE", path("stops", stop_id), reading(Stop), repeatable=False)


def prices() -> Call[Prices]:
    """The project's own prices."""
    return Call("GET", "/prices", reading(Prices))


def share_trace(trace_id: str, *, expires_in_s: int = 604_800) -> Call[ShareMade]:
    """Make a link to a trace for whoever has it. It is told once. Raises NotFound."""
    body = {"trace_id": trace_id, "expires_in_s": expires_in_s}
    return Call("POST", "/shares", reading(ShareMade), body=body, repeatable=False)


def shares(trace_id: str | None = None) -> Call[Shares]:
    """The links that are good now, to one trace or to all."""
    return Call("GET", "/shares", reading(Shares), query(trace_id=trace_id))


def revoke_share(share_id: str) -> Call[Share]:
    """Let a link lead nowhere. Raises NotFound."""
    return Call("DELETE", path("shares", share_id), reading(Share))


def annotate(
    trace_id: str,
    text: str,
    *,
    span_id: str | None = None,
    label: str = "",
    score: float | None = None,
) -> Call[Annotation]:
    """Write a note on a trace, or on one of its spans. Raises NotFound."""
    given = {"span_id": span_id, "score": score}
    body: dict[str, Any] = {"trace_id": trace_id, "text": text, "label": label}
    body |= {name: value for name, value in given.items() if value is not None}
    return Call("POST", "/annotations", reading(Annotation), body=body, repeatable=False)


def annotations(trace_id: str) -> Call[Annotations]:
    """The notes on a trace and its spans, the oldest first."""
    return Call("GET", "/annotations", reading(Annotations), query(trace_id=trace_id))


def delete_annotation(annotation_id: str) -> Call[None]:
    """Take a note away. Raises NotFound."""
    return Call("DELETE", path("annotations", annotation_id), nothing, repeatable=False)

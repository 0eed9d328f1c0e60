"""How each tool, resource and prompt of the MCP server is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

from tests.isolation.asking import Cases
from tests.isolation.questions import (
    filter_texts,
    limits,
    ranges,
    span_ids,
    trace_ids,
    users_words,
)
from tests.isolation.tenants import OURS, SHARED_TRACES, THEIRS, hexed
from tests.isolation.worlds import BUDGET, RESERVATION

__all__ = ["OFFERED", "Asked"]


@dataclass(frozen=True)
class Asked:
    """One JSON-RPC request."""

    method: str
    params: dict[str, Any]


OFFERED: Final[Cases[Asked]] = Cases("tools, resources and prompts", {})

_BUDGETS: Final = st.sampled_from((BUDGET, f"budget-{OURS.word}", f"budget-{THEIRS.word}", "none"))
_RESERVATIONS: Final = st.sampled_from((RESERVATION, "lease-0001", "lease-0002"))
_WRITTEN: Final = st.sampled_from((*SHARED_TRACES, *THEIRS.own_traces, hexed("none")))


def _tool(name: str, /, **arguments: Any) -> None:
    """A tool, and for each of its arguments what it may be; None leaves an argument out."""

    @OFFERED(f"tool {name}")
    def _(draw, _):
        given = {key: draw(each) for key, each in arguments.items()}
        if times := given.pop("range", None):
            given |= {"start": times.start.isoformat(), "end": times.end.isoformat()}
        given = {key: value for key, value in given.items() if value is not None}
        return Asked("tools/call", {"name": name, "arguments": given})


_ORDERS: Final = st.sampled_from(("started_at", "cost", "duration", "spans", "errors"))
_LISTED: Final = {"range": ranges, "filter": filter_texts, "limit": limits}

_tool("query_traces", **_LISTED, order=_ORDERS)
_tool("search", **_LISTED, find=st.sampled_from(("spans", "traces")))
_tool("get_alerts", **_LISTED)
_tool(
    "get_trace",
    trace_id=trace_ids,
    max_tokens=st.sampled_from((None, 500)),
    span_id=st.none() | span_ids,
)
_tool("get_span", trace_id=trace_ids, span_id=span_ids)
_tool("explain_stop", trace_id=trace_ids)
_tool("compare_traces", first=trace_ids, second=trace_ids)
_tool("get_usage", timezone=st.sampled_from(("UTC", "Asia/Kolkata")))
_tool(
    "get_costs",
    range=ranges,
    filter=filter_texts,
    by=st.sampled_from((["model"], ["agent"], ["user", "model"])),
    months=st.integers(0, 3),
)
_tool("check_budget", name=st.none() | _BUDGETS, scope_value=st.none() | users_words)
_tool(
    "reserve_budget",
    name=_BUDGETS,
    usd=st.just(0.000001),
    scope_value=st.sampled_from(("", "ada")),
    reservation_id=_RESERVATIONS,
)
_tool("report_usage", name=_BUDGETS, reservation_id=_RESERVATIONS, calls=st.integers(0, 2))
_tool(
    "set_budget",
    name=st.sampled_from((BUDGET, "made-by-ours")),
    usd=st.integers(1, 1000),
    tokens=st.none() | st.integers(1, 1000),
)
_tool("stop_run", run=st.sampled_from(SHARED_TRACES), reason=st.just("said ours"))
_tool("share_trace", trace_id=_WRITTEN)
_tool(
    "annotate_trace",
    trace_id=_WRITTEN,
    text=st.just("a note"),
    span_id=st.sampled_from((None, *THEIRS.own_spans, hexed(f"{SHARED_TRACES[0]} root", 16))),
)


@OFFERED("resources")
def _(_, __):
    return Asked("resources/list", {})


@OFFERED("resource agentguard://traces/{trace_id}")
def _(draw, _):
    return Asked("resources/read", {"uri": f"agentguard://traces/{draw(trace_ids)}"})


@OFFERED("resource agentguard://budgets/{name}")
def _(draw, _):
    return Asked("resources/read", {"uri": f"agentguard://budgets/{draw(_BUDGETS)}"})


@OFFERED("prompt why-did-this-run-fail")
def _(draw, _):
    given = {"trace_id": draw(trace_ids)} if draw(st.booleans()) else {}
    return Asked("prompts/get", {"name": "why-did-this-run-fail", "arguments": given})


@OFFERED("prompt where-does-the-money-go")
def _(draw, _):
    given = {"last": "7d"} if draw(st.booleans()) else {}
    return Asked("prompts/get", {"name": "where-does-the-money-go", "arguments": given})


@OFFERED("completion")
def _(draw, _):
    name, value = draw(
        st.sampled_from(
            (
                ("trace_id", ""),
                *(("trace_id", each[:2]) for each in THEIRS.own_traces),
                ("name", ""),
                ("name", "budget-"),
            )
        )
    )
    uri = {"trace_id": "agentguard://traces/{trace_id}", "name": "agentguard://budgets/{name}"}
    return Asked(
        "completion/complete",
        {
            "ref": {"type": "ref/resource", "uri": uri[name]},
            "argument": {"name": name, "value": value},
        },
    )

"""How each route of the API is asked: reading ones, and those that change something of ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import strategies as st

from tests.isolation.asking import Cases
from tests.isolation.questions import (
    filter_texts,
    limits,
    ranges,
    sessions,
    span_ids,
    trace_ids,
    users_words,
)
from tests.isolation.tenants import OURS, SHARED_TRACES, THEIRS, hexed
from tests.isolation.worlds import BUDGET, RESERVATION

__all__ = ["ROUTES", "Sent"]


@dataclass(frozen=True)
class Sent:
    """One request; `path` is below the server, with its parameters filled in."""

    method: str
    path: str
    params: dict[str, Any] = field(default_factory=dict)
    body: Any = None


ROUTES: Final[Cases[Sent]] = Cases(
    "routes",
    {
        "GET /api/v1/openapi.json": "it is the same for everybody, and public",
        "HEAD /api/v1/openapi.json": "it is the same for everybody, and public",
    },
)

# What of theirs is named is there in their project alone; what both have is named alike.
_BUDGETS: Final = st.sampled_from((BUDGET, f"budget-{OURS.word}", f"budget-{THEIRS.word}", "none"))
_RESERVATIONS: Final = st.sampled_from((RESERVATION, "lease-0001", "lease-0002"))
_TRACES_WRITTEN: Final = st.sampled_from((*SHARED_TRACES, *THEIRS.own_traces, hexed("none")))
_SPANS_WRITTEN: Final = st.sampled_from(
    (None, hexed(f"{SHARED_TRACES[0]} root", 16), *THEIRS.own_spans)
)
_ZONES: Final = st.sampled_from(("UTC", "Asia/Kolkata"))


def _times(draw: Any) -> dict[str, Any]:
    times = draw(ranges)
    return {"start": times.start.isoformat(), "end": times.end.isoformat()}


def _listed(draw: Any) -> dict[str, Any]:
    return {**_times(draw), "filter": draw(filter_texts), "limit": draw(limits)}


def _simple(name: str, *, body: Any = None, **params: Any) -> None:
    """A route whose path takes nothing."""
    method, path = name.split(" ")

    @ROUTES(name)
    def _(draw, _):
        return Sent(method, path, {key: draw(each) for key, each in params.items()}, body)


@ROUTES("GET /api/v1/traces")
def _(draw, _):
    from agentguard_storage.queries.traces import TRACE_ORDERS

    order = draw(st.sampled_from(TRACE_ORDERS))
    return Sent("GET", "/api/v1/traces", {**_listed(draw), "order": order})


@ROUTES("GET /api/v1/traces/{trace_id}")
def _(draw, _):
    contents = draw(st.booleans())
    return Sent("GET", f"/api/v1/traces/{draw(trace_ids)}", {"contents": contents})


@ROUTES("GET /api/v1/traces/{trace_id}/spans/{span_id}")
def _(draw, _):
    return Sent("GET", f"/api/v1/traces/{draw(trace_ids)}/spans/{draw(span_ids)}")


@ROUTES("GET /api/v1/traces/{trace_id}/graph")
def _(draw, _):
    return Sent("GET", f"/api/v1/traces/{draw(trace_ids)}/graph")


@ROUTES("GET /api/v1/traces/{trace_id}/stop")
def _(draw, _):
    return Sent("GET", f"/api/v1/traces/{draw(trace_ids)}/stop")


@ROUTES("GET /api/v1/traces/{trace_id}/compare/{other}")
def _(draw, _):
    return Sent("GET", f"/api/v1/traces/{draw(trace_ids)}/compare/{draw(trace_ids)}")


@ROUTES("GET /api/v1/spans")
def _(draw, _):
    return Sent("GET", "/api/v1/spans", _listed(draw))


@ROUTES("GET /api/v1/sessions")
def _(draw, _):
    return Sent("GET", "/api/v1/sessions", _listed(draw))


@ROUTES("GET /api/v1/sessions/{session}")
def _(draw, _):
    return Sent("GET", f"/api/v1/sessions/{draw(sessions)}", _times(draw))


@ROUTES("GET /api/v1/alerts")
def _(draw, _):
    return Sent("GET", "/api/v1/alerts", _listed(draw))


_simple("GET /api/v1/usage", timezone=_ZONES)
_simple("GET /api/v1/costs", timezone=_ZONES, months=st.integers(1, 12))


@ROUTES("GET /api/v1/metrics")
def _(draw, _):
    from agentguard_storage.queries.measures import DIMENSIONS, MEASURES

    return Sent(
        "GET",
        "/api/v1/metrics",
        {
            **_listed(draw),
            "measure": draw(
                st.lists(st.sampled_from(sorted(MEASURES)), min_size=1, max_size=3, unique=True)
            ),
            "by": draw(st.lists(st.sampled_from(sorted(DIMENSIONS)), max_size=2, unique=True)),
            "interval": draw(st.sampled_from(("hour", "day"))),
        },
    )


@ROUTES("GET /api/v1/export")
def _(draw, _):
    from agentguard_storage.export import FORMATS

    chosen = draw(st.sampled_from(sorted(FORMATS)))
    return Sent(
        "GET", "/api/v1/export", {**_times(draw), "filter": draw(filter_texts), "format": chosen}
    )


@ROUTES("GET /api/v1/complete")
def _(draw, _):
    text = draw(filter_texts) + draw(st.sampled_from(("", " model:", " attr.", " user:a", " n")))
    return Sent("GET", "/api/v1/complete", {**_times(draw), "text": text, "position": len(text)})


_simple("GET /api/v1/budgets")


@ROUTES("GET /api/v1/budgets/{name}")
def _(draw, _):
    return Sent("GET", f"/api/v1/budgets/{draw(_BUDGETS)}")


@ROUTES("GET /api/v1/budgets/{name}/terms")
def _(draw, _):
    return Sent("GET", f"/api/v1/budgets/{draw(_BUDGETS)}/terms")


@ROUTES("GET /api/v1/budgets/{name}/check")
def _(draw, _):
    params = {"scope_value": draw(users_words)} if draw(st.booleans()) else {}
    return Sent("GET", f"/api/v1/budgets/{draw(_BUDGETS)}/check", params)


@ROUTES("PUT /api/v1/budgets/{name}")
def _(draw, _):
    name = draw(st.sampled_from((BUDGET, f"budget-{OURS.word}", "made-by-ours")))
    given = {"limits": {"calls": draw(st.integers(0, 10**6))}, "period": "month"}
    return Sent("PUT", f"/api/v1/budgets/{name}", body=given)


@ROUTES("DELETE /api/v1/budgets/{name}")
def _(draw, _):
    name = draw(st.sampled_from((f"budget-{THEIRS.word}", "made-by-ours", "none")))
    return Sent("DELETE", f"/api/v1/budgets/{name}")


@ROUTES("POST /api/v1/budgets/{name}/reset")
def _(draw, _):
    given = {"scope_value": draw(st.sampled_from(("", "ada", f"ada {THEIRS.word}")))}
    body = given if draw(st.booleans()) else {}
    return Sent("POST", f"/api/v1/budgets/{draw(_BUDGETS)}/reset", body=body)


@ROUTES("POST /api/v1/budgets/{name}/reserve")
def _(draw, _):
    given = {"id": draw(_RESERVATIONS), "amount": {"calls": draw(st.integers(0, 3))}}
    return Sent("POST", f"/api/v1/budgets/{draw(_BUDGETS)}/reserve", body=given)


@ROUTES("POST /api/v1/budgets/{name}/settle")
def _(draw, _):
    given = {"id": draw(_RESERVATIONS), "spent": {"calls": 1}, "final": draw(st.booleans())}
    return Sent("POST", f"/api/v1/budgets/{draw(_BUDGETS)}/settle", body=given)


@ROUTES("POST /api/v1/budgets/{name}/release")
def _(draw, _):
    given = {"id": draw(_RESERVATIONS)}
    return Sent("POST", f"/api/v1/budgets/{draw(_BUDGETS)}/release", body=given)


_simple("GET /api/v1/stops")
_simple("GET /api/v1/stops/watch", wait=st.just(0), service=st.sampled_from(("", "retired")))


@ROUTES("POST /api/v1/stops")
def _(draw, _):
    given = draw(
        st.sampled_from(({"run": SHARED_TRACES[0]}, {"service": "crawler"}, {"project": True}))
    )
    return Sent("POST", "/api/v1/stops", body={**given, "reason": "said ours"})


@ROUTES("DELETE /api/v1/stops/{stop_id}")
def _(draw, worlds):
    number = draw(st.sampled_from((worlds.theirs.stop_id, worlds.ours.stop_id, "stp_" + "0" * 12)))
    return Sent("DELETE", f"/api/v1/stops/{number}")


_simple("GET /api/v1/prices")


@ROUTES("POST /api/v1/shares")
def _(draw, _):
    return Sent("POST", "/api/v1/shares", body={"trace_id": draw(_TRACES_WRITTEN)})


@ROUTES("GET /api/v1/shares")
def _(draw, _):
    params = {"trace_id": draw(trace_ids)} if draw(st.booleans()) else {}
    return Sent("GET", "/api/v1/shares", params)


@ROUTES("DELETE /api/v1/shares/{share_id}")
def _(draw, worlds):
    number = draw(st.sampled_from((worlds.theirs.share_id, "shr_" + "0" * 12)))
    return Sent("DELETE", f"/api/v1/shares/{number}")


@ROUTES("POST /api/v1/annotations")
def _(draw, _):
    given = {"trace_id": draw(_TRACES_WRITTEN), "text": "a note", "span_id": draw(_SPANS_WRITTEN)}
    return Sent("POST", "/api/v1/annotations", body=given)


@ROUTES("GET /api/v1/annotations")
def _(draw, _):
    return Sent("GET", "/api/v1/annotations", {"trace_id": draw(trace_ids)})


@ROUTES("DELETE /api/v1/annotations/{annotation_id}")
def _(draw, worlds):
    number = draw(st.sampled_from((worlds.theirs.annotation_id, "ann_" + "0" * 12)))
    return Sent("DELETE", f"/api/v1/annotations/{number}")

"""Which answers tell what other requests need: the links of the OpenAPI document.

https://spec.openapis.org/oas/v3.1.0#link-object
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["links_of"]

_TRACE: Final = {"trace_id": "$response.body#/traces/0/trace_id"}
_SPAN: Final = {
    "trace_id": "$response.body#/spans/0/trace_id",
    "span_id": "$response.body#/spans/0/span_id",
}
_OF_A_BUDGET: Final = (
    "get_budget",
    "get_budget_terms",
    "check_budget",
    "reset_budget",
    "reserve_budget",
    "settle_budget",
    "release_budget",
    "delete_budget",
)

_LINKS: Final[Mapping[str, Mapping[str, Mapping[str, str]]]] = {
    "list_traces": {
        "get_trace": _TRACE,
        "get_trace_graph": _TRACE,
        "explain_stop": _TRACE,
        "compare_traces": _TRACE | {"other": "$response.body#/traces/0/trace_id"},
    },
    "list_spans": {"get_span": _SPAN},
    "list_sessions": {"get_session": {"session": "$response.body#/sessions/0/session"}},
    "put_budget": {key: {"name": "$response.body#/name"} for key in _OF_A_BUDGET},
    "add_stop": {"lift_stop": {"stop_id": "$response.body#/id"}},
}


def links_of(operation_id: str) -> dict[str, Any]:
    """The links from an operation's answer, by names of their own."""
    return {
        f"{operation_id}_to_{target}": {"operationId": target, "parameters": dict(parameters)}
        for target, parameters in _LINKS.get(operation_id, {}).items()
    }

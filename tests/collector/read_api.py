"""What the tests of the read API ask about: traces of agents, sent over OTLP to a stack."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from agentguard_storage.control import ControlPlane, open_control_plane
from tests.pipeline import Pipeline
from tests.plain_http import NO_TLS
from tests.stack import RunningStack

__all__ = ["Api", "Asked", "agent_trace", "asked", "send"]


@dataclass
class Api:
    """The API of a stack, as the holder of a key sees it."""

    base: str
    key: str | None
    client: httpx2.Client = field(
        default_factory=lambda: httpx2.Client(timeout=30, trust_env=False, verify=NO_TLS)
    )

    def __call__(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None, **parts: Any
    ) -> httpx2.Response:
        """Ask; `parts` are httpx's: params, json, content."""
        auth = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return self.client.request(
            method, f"{self.base}/api/v1{path}", headers={**auth, **(headers or {})}, **parts
        )


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return [{"key": key, "value": {kinds[type(it)]: it}} for key, it in values.items()]


def _span(trace_id: str, number: int, parent: int, name: str, start: int, ms: int, **more: Any):
    values = {key.replace("__", "."): value for key, value in more.items() if key != "error"}
    return {
        "traceId": trace_id,
        "spanId": f"{number:016x}",
        "parentSpanId": f"{parent:016x}" if parent else "",
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + ms * 10**6),
        "attributes": _attributes(values),
        "status": {"code": 2, "message": more["error"]} if "error" in more else {},
    }


def agent_trace(
    trace_id: str,
    *,
    service: str = "crawler",
    start: int | None = None,
    session: str = "s-1",
    user: str = "ann",
) -> dict[str, Any]:
    """An agent that asks a model twice and a tool once, which fails; as OTLP/JSON."""
    begin = start or time.time_ns() - 60 * 10**9
    who = {"session__id": session, "user__id": user}
    model = {
        "gen_ai__operation__name": "chat",
        "gen_ai__provider__name": "openai",
        "gen_ai__request__model": "gpt-4o",
        "gen_ai__usage__input_tokens": 1_000,
        "gen_ai__usage__output_tokens": 100,
        "gen_ai__agent__name": "Researcher",
    }
    asked = (
        '[{"role":"user","parts":[{"type":"text","content":"' + "Where is Berlin? " * 12 + '"}]}]'
    )
    spans = [
        _span(
            trace_id, 1, 0, "invoke_agent Researcher", begin, 900,
            gen_ai__operation__name="invoke_agent", gen_ai__agent__name="Researcher", **who,
        ),
        _span(
            trace_id, 2, 1, "chat gpt-4o", begin + 10**7, 300,
            gen_ai__input__messages=asked, **model, **who,
        ),
        _span(
            trace_id, 3, 1, "execute_tool search", begin + 4 * 10**8, 100,
            gen_ai__operation__name="execute_tool", gen_ai__tool__name="search",
            customer__tier="gold", error="no route to host", **who,
        ),
        _span(trace_id, 4, 1, "chat gpt-4o", begin + 5 * 10**8, 300, **model, **who),
    ]  # fmt: skip
    resource = {"attributes": _attributes({"service.name": service})}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}


def send(stack: RunningStack, *traces: dict[str, Any], key: str | None = None) -> None:
    """Send traces over OTLP/HTTP; they are stored a moment later."""
    for trace in traces:
        httpx2.post(
            f"{stack.otlp_http}/v1/traces",
            json=trace,
            headers={"authorization": f"Bearer {key or stack.api_key}"},
            verify=NO_TLS,
        ).raise_for_status()


@dataclass
class Asked:
    """A project of a test module's own, with traces in it; `api` asks about it."""

    stack: RunningStack
    control: ControlPlane
    project_id: str
    api: Api
    trace_ids: list[str]

    def key(self, *scopes: str) -> str:
        """Another key of the project."""
        return self.control.keys.mint(self.project_id, scopes)[1]

    def as_(self, *scopes: str) -> Api:
        """The API for a key with these scopes."""
        return Api(self.stack.otlp_http, self.key(*scopes))


@contextmanager
def asked(stack: RunningStack, count: int) -> Iterator[Asked]:
    """Make a project, send it so many traces a second apart, and wait until they are stored."""
    control = open_control_plane(stack.data_dir)
    project = control.projects.create(f"read-{secrets.token_hex(4)}")
    _, key = control.keys.mint(project.id, ["ingest", "read"])
    now = time.time_ns()
    ids = [secrets.token_hex(16) for _ in range(count)]
    traces = [
        agent_trace(
            trace_id,
            service=f"service-{number % 2}",
            start=now - (60 + number) * 10**9,
            session=f"session-{number % 3}",
        )
        for number, trace_id in enumerate(ids)
    ]
    send(stack, *traces, key=key)
    Pipeline(stack).wait_until_stored()
    made = Asked(stack, control, project.id, Api(stack.otlp_http, key), ids)
    yield made
    made.api.client.close()
    control.close()

"""The tool that says why a run was stopped, and what it had done until then."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from agentguard_mcp.backend import Call
from agentguard_mcp.messages import Said, said
from agentguard_mcp.shapes import TraceId, Usd
from agentguard_mcp.tool import Arguments, Result, Tool, ToolError
from agentguard_mcp.untrusted import clipped
from agentguard_storage.queries.savings import Saved
from agentguard_storage.queries.stops import LastCall, Stop, Verdict, explain_stop
from agentguard_storage.queries.trace import find_trace_ids

__all__ = ["TOOLS"]

_NAME: Final = 200
_REASON: Final = 500
_SECOND: Final = 10**9


class ExplainStop(Arguments):
    """What explain_stop takes."""

    trace_id: TraceId
    last_calls: Annotated[
        int, Field(ge=1, le=50, description="How many of the calls before it to show.")
    ] = 5
    max_characters: Annotated[
        int, Field(ge=50, le=5_000, description="Of each text in them; longer ones are cut.")
    ] = 300


class VerdictWords(Result):
    """What was written of a verdict."""

    reason: str
    call: str
    run_id: str
    run_name: str


class GuardVerdict(Result):
    """What a guard said: it ended the run (stop), denied an operation, warned, observed."""

    guard: str
    action: str
    limit: float | None = None
    used: float | None = None
    unit: str
    at: datetime
    span_id: str
    untrusted: VerdictWords

    @classmethod
    def of(cls, verdict: Verdict) -> GuardVerdict:
        """From what the store says."""
        return cls(
            guard=clipped(verdict.guard, _NAME),
            action=verdict.action,
            limit=verdict.limit,
            used=verdict.used,
            unit=clipped(verdict.unit, _NAME),
            at=verdict.at,
            span_id=verdict.span_id,
            untrusted=VerdictWords(
                reason=clipped(verdict.reason, _REASON),
                call=clipped(verdict.call, _NAME),
                run_id=clipped(verdict.run_id, _NAME),
                run_name=clipped(verdict.run_name, _NAME),
            ),
        )


class DoneBefore(Result):
    """What the run had done when the verdict came."""

    seconds: float
    llm_calls: int
    tool_calls: int
    errors: int
    tokens: int
    cost_usd: Usd | None = None
    unpriced_calls: int


class CallWords(Result):
    """What agents have written in a call."""

    name: str
    agent: str
    status_message: str
    input: list[Said]
    output: list[Said]


class CallBefore(Result):
    """A call before the verdict; `same` counts the calls with the same input until then."""

    span_id: str
    kind: str
    started_at: datetime
    duration_ms: float
    status: str
    cost_usd: Usd | None = None
    same: int
    untrusted: CallWords

    @classmethod
    def of(cls, call: LastCall) -> CallBefore:
        """From what the store says."""
        return cls(
            span_id=call.span_id,
            kind=call.kind,
            started_at=call.started_at,
            duration_ms=call.duration_ns / 1e6,
            status=call.status,
            cost_usd=call.cost,
            same=call.same,
            untrusted=CallWords(
                name=clipped(call.name, _NAME),
                agent=clipped(call.agent, _NAME),
                status_message=clipped(call.status_message, _REASON),
                input=[said(message) for message in call.messages.input],
                output=[said(message) for message in call.messages.output],
            ),
        )


class SavedByStop(Result):
    """What the stop saved: an estimate, from the run's own rate before it."""

    estimate_usd: Usd | None = None
    """Left out where it cannot be estimated."""
    method: str

    @classmethod
    def of(cls, saved: Saved) -> SavedByStop:
        """From what the store says."""
        return cls(estimate_usd=saved.amount, method=saved.method)


class StopWords(Result):
    """What the run is called."""

    root_name: str
    service: str


class StopExplained(Result):
    """What explain_stop gives."""

    trace_id: str
    stopped: bool
    verdict: GuardVerdict
    before: DoneBefore
    refused_after: int
    answered_after: int
    last_calls: list[CallBefore]
    other_verdicts: list[GuardVerdict]
    saved: SavedByStop | None = None
    untrusted: StopWords


async def _explain(call: Call, given: ExplainStop) -> StopExplained:
    found = await call.ask(
        explain_stop, given.trace_id, last=given.last_calls, text_limit=given.max_characters
    )
    if found is not None:
        return _explained(found)
    if await call.ask(find_trace_ids, given.trace_id, 1):
        raise ToolError(
            "no guard stopped, denied or warned anything in this run; get_trace shows what failed"
        )
    raise ToolError("this project has no trace with this id; find ids with query_traces")


def _explained(stop: Stop) -> StopExplained:
    before = stop.before
    return StopExplained(
        trace_id=stop.trace_id,
        stopped=stop.stopped,
        verdict=GuardVerdict.of(stop.verdict),
        before=DoneBefore(
            seconds=before.duration_ns / _SECOND,
            llm_calls=before.model_calls,
            tool_calls=before.tool_calls,
            errors=before.errors,
            tokens=before.tokens,
            cost_usd=before.cost,
            unpriced_calls=before.unpriced_calls,
        ),
        refused_after=stop.refused_after,
        answered_after=stop.answered_after,
        last_calls=[CallBefore.of(each) for each in stop.last_calls],
        other_verdicts=[
            GuardVerdict.of(each) for each in stop.verdicts if each is not stop.verdict
        ][:10],
        saved=SavedByStop.of(stop.saved) if stop.saved else None,
        untrusted=StopWords(
            root_name=clipped(stop.root_name, _NAME), service=clipped(stop.service, _NAME)
        ),
    )


def _in_words(found: StopExplained) -> str:
    before = found.before
    what = "A guard stopped this run" if found.stopped else "A guard spoke, and stopped nothing,"
    return (
        f"{what} after {before.seconds:.1f} s, {before.llm_calls} model calls, "
        f"{before.tool_calls} tool calls and ${before.cost_usd or 0:.4f}; "
        f"{found.refused_after} calls were refused after it."
    )


TOOLS: Final = (
    Tool(
        name="explain_stop",
        title="Why was this run stopped?",
        description="Why a guard stopped a run (or denied, or warned): which guard, its limit and "
        "the figure that reached it, what the run had done and spent, its last calls with how "
        "often each was repeated, and an estimate of what the stop saved.",
        takes=ExplainStop,
        gives=StopExplained,
        run=_explain,
        says=_in_words,
    ),
)

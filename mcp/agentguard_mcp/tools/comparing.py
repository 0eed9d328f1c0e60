"""The tool that lays one run beside another."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from agentguard_mcp.backend import Call
from agentguard_mcp.shapes import TraceId, Usd
from agentguard_mcp.tool import Arguments, Result, Tool, ToolError
from agentguard_mcp.untrusted import clipped
from agentguard_storage.queries.difference import (
    ChangedSpan,
    Difference,
    Figures,
    SpanFigures,
    SpanStep,
    TextChange,
    compare,
)

__all__ = ["TOOLS"]

_NAME: Final = 200
_PATH: Final = 500
_DIFF: Final = 1_000


class CompareTraces(Arguments):
    """What compare_traces takes."""

    first: TraceId
    second: TraceId
    limit: Annotated[
        int, Field(ge=1, le=100, description="How many steps of each kind at most.")
    ] = 20


class RunWords(Result):
    """What a run is called."""

    name: str
    stop_reason: str


class RunFigures(Result):
    """What a run took in all."""

    trace_id: str
    duration_ms: float
    spans: int
    llm_calls: int
    tool_calls: int
    errors: int
    tokens: int
    cost_usd: Usd | None = None
    untrusted: RunWords

    @classmethod
    def of(cls, figures: Figures) -> RunFigures:
        """From what the store says."""
        return cls(
            trace_id=figures.trace_id,
            duration_ms=figures.duration_ns / 1e6,
            spans=figures.span_count,
            llm_calls=figures.llm_calls,
            tool_calls=figures.tool_calls,
            errors=figures.error_count,
            tokens=figures.tokens,
            cost_usd=figures.cost,
            untrusted=RunWords(
                name=clipped(figures.root_name, _NAME),
                stop_reason=clipped(figures.stop_reason, _PATH),
            ),
        )


class StepWords(Result):
    """Where a step is, and what it is called."""

    path: str
    name: str


class Step(Result):
    """A step that one of the runs alone has."""

    span_id: str
    kind: str
    status: str
    duration_ms: float
    tokens: int
    cost_usd: Usd | None = None
    untrusted: StepWords

    @classmethod
    def of(cls, step: SpanStep) -> Step:
        """From what the store says."""
        return cls(
            span_id=step.span_id,
            kind=step.kind,
            status=step.status,
            duration_ms=step.duration_ns / 1e6,
            tokens=step.tokens,
            cost_usd=step.cost,
            untrusted=StepWords(path=clipped(step.path, _PATH), name=clipped(step.name, _NAME)),
        )


class SideWords(Result):
    """What was written of one side of a change."""

    status_message: str
    model: str


class Side(Result):
    """One side of a change."""

    span_id: str
    status: str
    duration_ms: float
    tokens: int
    cost_usd: Usd | None = None
    untrusted: SideWords

    @classmethod
    def of(cls, side: SpanFigures) -> Side:
        """From what the store says."""
        return cls(
            span_id=side.span_id,
            status=side.status,
            duration_ms=side.duration_ns / 1e6,
            tokens=side.tokens,
            cost_usd=side.cost,
            untrusted=SideWords(
                status_message=clipped(side.status_message, _PATH),
                model=clipped(side.model, _NAME),
            ),
        )


class ChangeWords(StepWords):
    """What is different in the texts, as unified diffs."""

    input_diff: str | None = None
    output_diff: str | None = None


class Change(Result):
    """A step that both runs have, but not alike; `changes` names what differs."""

    kind: str
    changes: list[str]
    first: Side
    second: Side
    untrusted: ChangeWords

    @classmethod
    def of(cls, changed: ChangedSpan) -> Change:
        """From what the store says."""
        return cls(
            kind=changed.kind,
            changes=changed.changes,
            first=Side.of(changed.first),
            second=Side.of(changed.second),
            untrusted=ChangeWords(
                path=clipped(changed.path, _PATH),
                name=clipped(changed.name, _NAME),
                input_diff=_diff(changed.input),
                output_diff=_diff(changed.output),
            ),
        )


class DifferenceWords(Result):
    """The difference in a sentence, with the names of steps."""

    summary: str
    first_divergence: str | None = None


class Compared(Result):
    """What compare_traces gives; the lists have the earliest steps of each kind."""

    first: RunFigures
    second: RunFigures
    equal_steps: int
    changed_steps: int
    added_steps: int
    removed_steps: int
    changed: list[Change]
    added: list[Step]
    removed: list[Step]
    untrusted: DifferenceWords


async def _compare(call: Call, given: CompareTraces) -> Compared:
    found = await call.ask(compare, given.first, given.second, most=given.limit)
    if found is None:
        raise ToolError(
            "this project has no trace with one of these ids; find ids with query_traces"
        )
    return _compared(found)


def _compared(found: Difference) -> Compared:
    return Compared(
        first=RunFigures.of(found.first),
        second=RunFigures.of(found.second),
        equal_steps=found.equal_count,
        changed_steps=found.changed_count,
        added_steps=found.added_count,
        removed_steps=found.removed_count,
        changed=[Change.of(each) for each in found.changed],
        added=[Step.of(each) for each in found.added],
        removed=[Step.of(each) for each in found.removed],
        untrusted=DifferenceWords(
            summary=clipped(found.summary, 4 * _PATH),
            first_divergence=clipped(found.divergence, _PATH) if found.divergence else None,
        ),
    )


def _diff(change: TextChange | None) -> str | None:
    if change is None:
        return None
    cut = "\n… [more differs]" if change.is_cut and len(change.diff) <= _DIFF else ""
    return clipped(change.diff, _DIFF) + cut


TOOLS: Final = (
    Tool(
        name="compare_traces",
        title="Compare two runs",
        description="Compare two runs step by step: where they first part ways, which steps were "
        "added, removed or changed, and the difference in time, tokens and cost. Good for one "
        "that failed beside one that went well.",
        takes=CompareTraces,
        gives=Compared,
        run=_compare,
        says=lambda found: (
            f"{found.equal_steps} steps are alike, {found.changed_steps} changed; "
            f"{found.added_steps} are in the second alone, {found.removed_steps} in the first."
        ),
    ),
)

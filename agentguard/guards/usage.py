"""The tokens of a model call, as its span reports them, made disjoint.

By the rules of the store (`storage/agentguard_storage/clickhouse/schema/0004_spans.sql`), so that
what a budget counts in the process is what the trace shows afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agentguard.prices.model import Usage

__all__ = ["usage_of"]

_COUNTS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "total_tokens",
)
# Gemini reports its thoughts beside the answer, and some instrumentors leave them to the total.
_HIDES_REASONING: Final = frozenset(
    {"gcp.gen_ai", "gcp.gemini", "gcp.vertex_ai", "google", "gemini", "vertexai"}
)
_MOST: Final = 1e10


def usage_of(said: Mapping[str, object], provider: str = "", scope: str = "") -> Usage | None:
    """The disjoint counts of what `vocabulary.read` found on the span; None where it reports none.

    `provider` is its lower-case name, `scope` the name of the instrumentation scope.

    The conventions count cached tokens into the input and reasoning into the output; raw Anthropic
    usage does not, nor does Gemini's with its thoughts. A total tells which it is, and so does a
    part that is larger than its whole.
    """
    if said.keys().isdisjoint(_COUNTS):
        return None
    sent, answered, read, written, thought, total = (_count(said.get(name)) for name in _COUNTS)
    cached, both = read + written, sent + answered
    apart = (
        cached > sent
        or (total > 0 and cached > 0 and total in (both + cached, both + cached + thought))
        or scope.startswith("opentelemetry.instrumentation.bedrock")
    )
    hidden = total - both if thought == 0 and total > both and provider in _HIDES_REASONING else 0
    sums = (both + thought, both + cached + thought if apart else 0)
    outside = hidden > 0 or thought > answered or (total > 0 and total in sums)
    return Usage(
        input=max(0, sent if apart else sent - cached),
        cache_read=read,
        cache_write=written,
        output=max(0, answered if outside else answered - thought),
        reasoning=thought + hidden,
    )


def _count(value: object) -> int:
    """A count of tokens, also where it is written as text; 0 for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0
    try:
        number = float(value)
    except ValueError:
        return 0
    return int(max(0.0, min(_MOST, number))) if number == number else 0

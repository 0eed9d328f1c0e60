"""Relations between the spans of a trace: below and above, at any distance or directly.

Ancestors are found by pointer doubling: in step n each span knows about the 2^n spans above it, and
takes over what the last of them knows. So a trace of n spans takes log2(n) steps however deep it
is, and as many where parents form a circle.
"""

from __future__ import annotations

from typing import Final

from agentguard_storage.filters.tree import RelationSign
from agentguard_storage.queries.hours import IN_HOURS

__all__ = ["relation_sql"]

_WHERE: Final = f"WHERE project_id = {{project:String}} AND {IN_HOURS}"

# Only traces that have a span of both sorts can hold a pair. `up` is the nearest span above of
# which nothing is known yet, and `hit` whether one of those below it is wanted.
_SEED: Final = """
SELECT
    sipHash64(trace_id, span_id) AS key,
    sipHash64(trace_id, parent_span_id) AS up,
    toUInt8({wanted}) AS wanted,
    toUInt8({from_}) AS here,
    toUInt8(0) AS hit,
    toUInt8(ceil(log2(1 + count() OVER (PARTITION BY trace_id)))) AS steps,
    toUInt8(0) AS step
FROM spans
{where}
    AND trace_id IN (SELECT trace_id FROM spans {where} AND {wanted})
    AND trace_id IN (SELECT trace_id FROM spans {where} AND {from_})
"""

_BELOW: Final = """
SELECT
    a.key, b.up, a.wanted, a.here, toUInt8(a.hit OR b.wanted OR b.hit), a.steps, toUInt8(a.step + 1)
FROM walk AS a
ANY LEFT JOIN walk AS b ON a.up = b.key
WHERE a.step < a.steps
"""

# The other way round: what a span knows is handed to the span above.
_ABOVE: Final = """
SELECT
    a.key, b.up, a.wanted, a.here, toUInt8(a.hit OR c.found), a.steps, toUInt8(a.step + 1)
FROM walk AS a
ANY LEFT JOIN walk AS b ON a.up = b.key
ANY LEFT JOIN (SELECT up, max(wanted OR hit) AS found FROM walk GROUP BY up) AS c ON a.key = c.up
WHERE a.step < a.steps
"""


def relation_sql(sign: RelationSign, left: str, right: str) -> str:
    """Return a boolean over a row of `spans`: `left`, and placed so to one that `right` is true of.

    Both are booleans over a row of `spans`.
    """
    match sign:
        case "<<":
            place, found = "parent_span_id", f"SELECT trace_id, span_id FROM spans {_WHERE}"
        case ">>":
            place, found = "span_id", f"SELECT trace_id, parent_span_id FROM spans {_WHERE}"
        case "<" | ">":
            # Asked before the relation, it spares most spans that; but not where it is one itself.
            first = "" if "SELECT" in left else f"{left} AND "
            seed = _SEED.format(where=_WHERE, wanted=right, from_=left)
            return (
                f"({first}sipHash64(trace_id, span_id) IN (WITH RECURSIVE walk AS ("
                f"{seed} UNION ALL {_BELOW if sign == '<' else _ABOVE}"
                ") SELECT key FROM walk WHERE here AND hit))"
            )
    return f"({left} AND (trace_id, {place}) IN ({found} AND {right}))"

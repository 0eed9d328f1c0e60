"""What people might ask: times, filters and ids, of ours and of theirs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from agentguard_storage.filters import Filter, FilterError, parse
from agentguard_storage.queries.hours import TimeRange
from tests.isolation.tenants import BEGAN, EQUAL_TRACE, OURS, SHARED_TRACES, THEIRS, hexed

__all__ = [
    "ASKED",
    "ASKED_BACK",
    "ATOMS",
    "FILTERS",
    "TRIES",
    "few",
    "filter_texts",
    "filters",
    "limits",
    "now",
    "ranges",
    "sessions",
    "span_ids",
    "trace_ids",
    "users_words",
]

_START: Final = datetime.fromtimestamp(BEGAN // 10**9, UTC)
_WORDS: Final = (OURS.word, THEIRS.word)


def few(examples: int) -> settings:
    """For a property that is asked of real servers: so many examples, each of them once.

    By chance wherever it runs: who asks so many once more has to ask others.
    """
    return settings(
        max_examples=examples,
        derandomize=False,
        print_blob=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


ASKED: Final = (3, pytest.param(40, marks=pytest.mark.soak))
"""How many questions of ours each case is tried with."""
ASKED_BACK: Final = (2, pytest.param(10, marks=pytest.mark.soak))
"""And of theirs."""
TRIES: Final = 12
"""How often so many are asked where none was answered so far: chance alone is no finding."""

ATOMS: Final = (
    "kind:llm", "kind:guard", "status:error", "model:gpt-4o*", "cost:>0.0001", "tokens:>1",
    "duration:>500ms", "agent:planner", "tool:search", "user:ada", "session:session-1",
    "service:crawler", "env:prod", "guard:loop", "stop:*", "name:chat*",
    '"asked about"', '"everybody asks"', "trace.spans:>3", "trace.cost:>0.001", "trace.guard:loop",
    "trace.errors:>0", "tool:search < agent:planner", "agent:planner > kind:llm", "attr.secret:*",
    "resource.owner:*", '"{project:String}"', "user:{project:String}",
    'attr."project_id":*', f"trace:{SHARED_TRACES[0]}",
    *(f"attr.secret:{word}" for word in _WORDS),
    *(f'"{word} asked about"' for word in _WORDS),
    *(f'user:"ada {word}"' for word in _WORDS),
    *(f"resource.owner:{word}" for word in _WORDS),
    *(f"{word}" for word in _WORDS),
    *(f'model:"gpt-4o {word}"' for word in _WORDS),
    *(f'trace.agent:"planner {word}"' for word in _WORDS),
    *(f"trace:{tenant.own_traces[0]}" for tenant in (OURS, THEIRS)),
)  # fmt: skip


def _asked(text: str) -> bool:
    """Whether the language has it; a test says whether most of these are."""
    try:
        parse(text)
    except FilterError:
        return False
    return True


FILTERS: Final = tuple(text for text in ATOMS if _asked(text))

filter_texts: Final = st.one_of(
    st.just(""),
    st.sampled_from(FILTERS),
    st.recursive(
        st.sampled_from(FILTERS),
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda both: f"({both[0]} OR {both[1]})"),
            st.tuples(inner, inner).map(" ".join),
            inner.map(lambda text: f"NOT ({text})"),
        ),
        max_leaves=3,
    ),
)
filters: Final[st.SearchStrategy[Filter | None]] = st.none() | filter_texts.map(parse)

ranges: Final = st.one_of(
    st.just(TimeRange(_START - timedelta(hours=3), _START + timedelta(hours=12))),
    st.tuples(st.integers(0, 6 * 60), st.integers(1, 6 * 60)).map(
        lambda minutes: TimeRange(
            _START + timedelta(minutes=minutes[0]),
            _START + timedelta(minutes=minutes[0] + minutes[1]),
        )
    ),
)
now: Final = st.integers(0, 600).map(lambda minutes: _START + timedelta(minutes=minutes))
limits: Final = st.sampled_from((2, 5, 20, 50))
trace_ids: Final = st.sampled_from(
    (
        *SHARED_TRACES,
        EQUAL_TRACE,
        *OURS.own_traces[:2],
        *THEIRS.own_traces,
        hexed("no such trace"),
    )
)
_NAMES: Final = ("root", "llm", "llm again", "tool", "guard")
span_ids: Final = st.sampled_from(
    (
        *(hexed(f"{trace} {name}", 16) for trace in SHARED_TRACES for name in _NAMES),
        *OURS.own_spans[:10],
        *THEIRS.own_spans,
        hexed("equal root", 16),
        hexed("no such span", 16),
    )
)
sessions: Final = st.sampled_from(  # what is simplest is drawn first, and there is some of it
    (
        *(f"session-{number}" for number in (1, 0)),
        *(f"session-{number} {word}" for number in (1, 0) for word in _WORDS),
        "no such session",
    )
)
users_words: Final = st.sampled_from(
    (
        "",
        "ada",
        "session-0",
        "session-1",
        "planner",
        "crawler",
        "search",
        *(f"{name} {word}" for name in ("ada", "session-0", "planner") for word in _WORDS),
    )
)

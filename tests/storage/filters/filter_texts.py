"""Filters made up by hypothesis, as texts."""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["conditions", "filters"]

SIGNS = ("<", ">", "<<", ">>")
_VALUES = {
    "kind": ["llm", "TOOL", "agent,guard", "other"],
    "name": ["step", '"refund customer"', "refund*", "*-b_c%", '"a-b_c%"', "Gr*e", "*", "*e*", "%"],
    "status": ["error", "unset,ok", "OK"],
    "message": ["timeout", "*refund*", "*", '""'],
    "service": ["shop", '"back office"', "*o*", "none"],
    "env": ["dev", "prod", "dev,prod"],
    "session": ["s-1", "s-*", "*", '""'],
    "user": ["ann", "*b", "ann,*b", '"","ann"'],
    "agent": ["Planner", "planner", "*er", "Researcher,Critic"],
    "tool": ["search", '"fetch page"', "100%_*", '"100%_sure"', "100%xsure", "*", "1__*"],
    "provider": ["openai", "an*"],
    "model": ["gpt-4o", "gpt-4o*", "gpt-4o*i", "unheard-of_1", "unheardxof*", '"gpt-4o*"'],
    "cost": [">0", ">=0.0001", "<$0.01", "0", "0.0001..0.5", "*", ">1"],
    "cost_source": ["unpriced", "price_table", '"price table",stated'],
    "unpriced": ["true", "no"],
    "duration": [">1s", "1s", "<=1ms", "1ms..2s", ">0.05m", "0s"],
    "tokens": [">1k", "0", "20..2000", ">=101000"],
    "input_tokens": [">0", "<=10"],
    "output_tokens": ["1k", "<1k"],
    "cache_read_tokens": ["10", ">10"],
    "guard": ["loop", "*", "b*"],
    "action": ["stop", "*"],
    "reason": ["*again*"],
    "root": ["true", "false"],
    "event": ["exception", "gen_ai*", "*"],
    "scope": ["scope.shop", "scope*"],
    "parent": ["0101010101010101", '""'],
    "attr.customer.tier": ["gold", '""', "*", "g*", "gold,silver", '"","gold"'],
    "attr.n": ["1", ">1", ">=2.5", "-5..2", "<-1", "=7", "7", "=7.0", "true", "*", "s*", ">1e3"],
    'attr."a b"': ["x", "*", "*x*"],
    "attr.gen_ai.input.messages": ["*", "*refund*"],
    "attr.none": ["x", "*", ">0", '""'],
    "resource.host.name": ["prod-1", "dev*", "*"],
    "resource.none": ["x", "*", '""'],
    "trace.cost": [">0.01", "<=0.1"],
    "trace.guard": ["loop", "*"],
    "trace.action": ["warn"],
    "trace.tool": ["search", "fetch*"],
    "trace.spans": [">19", "10..18", "<20"],
    "trace.errors": [">3", "0..5"],
    "trace.llm_calls": [">8"],
    "trace.tool_calls": ["<4", ">=4"],
    "trace.tokens": [">500k"],
    "trace.duration": [">58m", "<1h"],
    "trace.status": ["error", "ok"],
    "trace.name": ["step", "*e*", '"a-b_c%"'],
    "trace.service": ["shop", "back*"],
    "trace.env": ["dev"],
    "trace.agent": ["Planner", "*", "*tic"],
    "trace.model": ["claude*", "gpt-4o"],
    "trace.session": ["s-1", "*", '""'],
    "trace.user": ["bob"],
    "trace.unpriced": ["true"],
    "trace.reason": ["*", "the*"],
}
_TEXTS = [
    "refund", "REFUND", '"refund the"', '"the refund"', "customer", '"no refund"', "wolken", "Über",
    "über", '"said \\"no refund\\""', '"left\nfor"', '"left\\nfor"', "nothing", "step", "Größe",
    "timeout", "refunds", '"note It was"', "kept-apart", "user", "a-b_c",
]  # fmt: skip

conditions = st.one_of(
    st.sampled_from([f"{name}:{value}" for name, values in _VALUES.items() for value in values]),
    st.sampled_from(_TEXTS),
)
"""One condition, or a text."""


def _more(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    grouped = inner.map(lambda text: f"({text})")
    several = st.lists(st.one_of(conditions, grouped), min_size=2, max_size=3)
    return st.one_of(
        several.map(" ".join),
        several.map(" AND ".join),
        several.map(" OR ".join),
        grouped.map(lambda text: f"-{text}"),
        conditions.map(lambda text: f"NOT {text}"),
        st.tuples(
            st.one_of(conditions, grouped), st.sampled_from(SIGNS),
            st.one_of(conditions, grouped),
        ).map(" ".join),
    )  # fmt: skip


def _bounded(text: str) -> bool:
    relations = sum(f" {sign} " in text and text.count(f" {sign} ") for sign in SIGNS)
    return relations <= 3


filters = st.recursive(conditions, _more, max_leaves=6).filter(_bounded)
"""A filter of a few conditions."""

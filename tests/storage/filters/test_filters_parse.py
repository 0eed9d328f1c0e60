"""From text to tree and back, and what is said about a text that is no filter."""

from __future__ import annotations

import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentguard_storage.filters import FilterError, parse, span_condition, trace_condition
from agentguard_storage.filters.fields import FIELDS
from agentguard_storage.filters.parse import LONGEST
from agentguard_storage.queries.errors import InvalidQuery
from tests.storage.filters.filter_texts import filters

PIECES = [
    *(f"{field.name}:" for field in FIELDS), "attr.", '"', "\\", "*", ",", "..", ":", "(", ")", "-",
    "<", ">", "<<", ">>", "=", " ", " ", "AND", "OR", "NOT", "$", "1", "2s", "llm", "true", "é",
    "\n", "\0", "\ud800", "💥", "'; DROP TABLE spans --", "{f0:String}", "%s",
]  # fmt: skip


def can_be_used_or_is_refused(text: str) -> None:
    """A text is a filter that compiles and prints, or a FilterError with a column within it."""
    try:
        made = parse(text)
    except FilterError as error:
        fault = error
    else:
        fault = None
    if fault is not None:
        assert 1 <= fault.column <= len(text) + 1
        assert f"column {fault.column}" in str(fault)
        return
    assert parse(str(made)) == made
    for condition in (span_condition(made), trace_condition(made)):
        assert "%" not in condition.sql


@settings(max_examples=600, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text(string.printable, max_size=60)))
def test_any_text_is_a_filter_or_refused(text: str):
    """No text whatever does anything but parse or raise FilterError."""
    can_be_used_or_is_refused(text)


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_any_pieces_are_a_filter_or_refused(text: str):
    """Nor does any heap of the language's own pieces."""
    can_be_used_or_is_refused(text)


@settings(max_examples=250, deadline=None)
@given(text=filters, at=st.floats(0, 1), cut=st.integers(0, 3), put=st.sampled_from([*PIECES, ""]))
def test_a_filter_with_a_fault_is_a_filter_or_refused(text: str, at: float, cut: int, put: str):
    """Nor does a filter from which some characters are taken, or to which some are added."""
    position = round(at * len(text))
    can_be_used_or_is_refused(text[:position] + put + text[position + cut :])


@settings(max_examples=250, deadline=None)
@given(filters)
def test_the_canonical_text_is_the_same_filter(text: str):
    """`str(filter)` parses to an equal filter, and is its own canonical text."""
    made = parse(text)
    assert parse(str(made)) == made
    assert str(parse(str(made))) == str(made)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        ("  \n ", ""),
        ("kind:LLM  AND  env:dev", "kind:llm environment:dev"),
        ("NOT (NOT a)", "a"),
        ("a (b c)", "a b c"),
        ("(a OR b) OR c", "a OR b OR c"),
        ("(a OR b) c", "(a OR b) c"),
        ("a OR b c", "a OR b c"),
        ("-a < b", "-a < b"),
        ("a < (b < c)", "a < b < c"),
        ("(a < b) < c", "(a < b) < c"),
        ("a b < c d", "a b < c d"),
        ("(a b) < (c OR d)", "(a b) < (c OR d)"),
        ("cost:=$0.050", "cost:0.05"),
        ("duration:>1500ms", "duration:>1500ms"),
        ("duration:>60s", "duration:>1m"),
        ("tokens:1.5k..2M", "tokens:1500..2000000"),
        ('model:"gpt-4o"', "model:gpt-4o"),
        ('tool:"a*b"', 'tool:"a*b"'),
        ("tool:a**b", "tool:a*b"),
        ("tool:**", "tool:*"),
        ('attr."x":"y"', "attr.x:y"),
        ('attr."x y":=3', 'attr."x y":=3'),
        ("unpriced:yes", "unpriced:true"),
        ("cost_source:price_table", 'cost_source:"price table"'),
        ('"AND"', '"AND"'),
        ('"kind:llm"', '"kind:llm"'),
        ("12:30", "12:30"),
    ],
)
def test_the_canonical_text(text: str, canonical: str):
    """One filter has one text, however it was written."""
    assert str(parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "column", "suggestion", "says"),
    [
        ("  modle:x", 3, "model", "unknown field 'modle' at column 3; did you mean 'model'?"),
        ("kind:lmm", 6, "llm", "one of llm, tool"),
        ("kind:llm,toool", 10, "tool", "'toool'"),
        ("trace.gard:x", 1, "trace.guard", "unknown field"),
        ("gen_ai.request.model:x", 1, "attr.gen_ai.request.model", "unknown field"),
        ("zzzzzz:x", 1, None, "unknown field 'zzzzzz' at column 1"),
        ("model:", 7, None, "a value is expected"),
        ("model: x", 8, None, "without a space"),
        ("model:(a OR b)", 7, None, "a value is expected"),
        ("model:a,,b", 9, None, "a list is written a,b"),
        ("model:>3", 7, None, "'model' takes a text"),
        ("cost:cheap", 6, None, "'cost' takes an amount of dollars"),
        ("cost:>", 7, None, "a value is expected after 'cost:>'"),
        ("cost>3", 5, "cost:>", "a colon is missing"),
        ("duration:>2", 11, None, "a duration with its unit"),
        ("duration:0.5ns", 10, None, "a duration with its unit"),
        ("tokens:1.5", 8, None, "a whole number"),
        ("attr.x:>abc", 9, None, "a number is expected"),
        ("unpriced:maybe", 10, None, "true or false"),
        ("kind:*", 6, None, "not '*'"),
        ("tool:a<b", 7, None, "a space on both sides"),
        ("(a", 3, None, "a ')' is missing"),
        ("a)", 2, None, "has no '('"),
        ("()", 2, None, "expected before ')'"),
        ("a OR", 5, None, "a condition or a text is expected"),
        ("OR a", 1, None, "expected before 'OR'"),
        ("a OR OR b", 6, None, "expected before 'OR'"),
        ("a < ", 5, None, "a condition or a text is expected"),
        ("< a", 1, None, "expected before '<'"),
        ('a "bc', 3, None, "this quote is never closed"),
        (r'"a\qb"', 3, None, "backslash"),
        ('a"b"', 2, None, "a space is missing"),
        ('"!?"', 1, None, "needs a letter or a digit"),
        ("refun*", 6, None, "without '*'"),
        ("a - b", 3, None, "expected before '-'"),
        ("a \ud800", 3, None, "no character"),
        ("a" * 2_001, 2_001, None, "at most 2,000 characters"),
        ("(" * 21 + "a" + ")" * 21, 1, None, "at most 20 deep"),
        ("-" * 30 + "a", 10, None, "at most 20 deep"),
        (" ".join(f"{letter}" for letter in "abcdefghi"), 17, None, "at most 8 texts"),
        ("kind:llm " * 51, 459, None, "at most 50 conditions"),
        ("a < b < c < d < e < f", 21, None, "at most 4 relations"),
        ("(a < b c) < d < e", 17, None, "too much at once"),
        ("model:" + ",".join(map(str, range(51))), 7, None, "at most 50 values"),
    ],
)
def test_an_error_says_what_is_wrong_and_where(
    text: str, column: int, suggestion: str | None, says: str
):
    """Each fault is named with its column, what was expected, and what may have been meant."""
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert says in str(caught.value)
    assert (caught.value.column, caught.value.suggestion) == (column, suggestion)
    assert isinstance(caught.value, InvalidQuery)


@pytest.mark.parametrize(
    "text",
    [
        "(" * LONGEST, "-" * LONGEST, '"' * LONGEST, "\\" * LONGEST, '"\\' * (LONGEST // 2),
        "a:" * (LONGEST // 2), 'attr."' + "a" * (LONGEST - 6), "x " * (LONGEST // 2),
        "a<" * (LONGEST // 2), "tool:" + "*a" * (LONGEST // 2 - 3), "model:" + "," * (LONGEST - 6),
        "cost:" + "1" * (LONGEST - 5), "attr.n:>1e" + "9" * (LONGEST - 10), " " * LONGEST,
    ],
    ids=lambda text: text[:8],
)  # fmt: skip
def test_no_text_takes_long(text: str):
    """The worst texts of the longest length are through in a tenth of a second."""
    began = time.process_time()
    can_be_used_or_is_refused(text)
    assert time.process_time() - began < 0.1


@pytest.mark.parametrize(
    "hostile",
    ["'; DROP TABLE spans --", "{project:String}", "\\' OR 1=1 --", "%(x)s", "`", "/* */"],
)
def test_what_was_written_never_becomes_sql(hostile: str):
    """Names of attributes and values are bound, in whichever field they are written."""
    quoted = '"' + hostile.replace("\\", "\\\\") + '"'
    harmless = '"harmless"'
    for form in (
        "attr.{}:x", "attr.{}:*", "resource.{}:x", "name:{}", "name:{}*", "event:{}", "scope:{}",
        "trace.model:{}", "trace.guard:{}", "attr.x:{}", "attr.x:a,{}", "-name:{} < tool:{}",
    ):  # fmt: skip
        written, plain = parse(form.replace("{}", quoted)), parse(form.replace("{}", harmless))
        assert span_condition(written).sql == span_condition(plain).sql
        assert trace_condition(written).sql == trace_condition(plain).sql

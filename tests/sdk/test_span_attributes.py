"""Attributes written by the short way are those that OpenTelemetry's own way would have set."""

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import SpanLimits, TracerProvider

from agentguard.span_attributes import add_attributes, attributes_of

NAMES = st.sampled_from(["gen_ai.request.model", "gen_ai.response.id", "a", "b", "c"])
PLAIN = st.text(max_size=12) | st.integers(-9, 9) | st.floats(allow_nan=False) | st.booleans()
# What an answer that is not as it should be may have in the place of a text.
ODD = st.none() | st.builds(object) | st.dictionaries(st.text(max_size=2), st.none(), max_size=2)
VALUES = PLAIN | st.lists(st.text(max_size=5), max_size=3).map(tuple) | st.lists(PLAIN) | ODD
ATTRIBUTES = st.dictionaries(NAMES, VALUES)
LIMITS = st.builds(
    SpanLimits,
    max_span_attributes=st.sampled_from([0, 3, 128]),
    max_span_attribute_length=st.sampled_from([None, 0, 4]),
)


@given(ATTRIBUTES, ATTRIBUTES, LIMITS, st.booleans())
def test_both_ways_give_one_span(at_start, later, limits, is_over):
    """Whatever the values, what the provider limits, and whether the span is over."""
    tracer = TracerProvider(span_limits=limits, shutdown_on_exit=False).get_tracer("t")
    spans = [tracer.start_span("s", attributes=at_start) for _ in range(2)]
    if is_over:
        for span in spans:
            span.end()
    spans[0].set_attributes(later)
    add_attributes(spans[1], later)
    theirs, ours = (dict(span.attributes) for span in spans)
    assert ours == theirs
    assert ours == attributes_of(spans[1])


def test_what_is_written_cannot_change_any_more():
    """A list is copied."""
    span = TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span("s")
    reasons = ["stop"]
    add_attributes(span, {"gen_ai.response.finish_reasons": reasons})
    reasons.append("length")
    assert attributes_of(span) == {"gen_ai.response.finish_reasons": ("stop",)}

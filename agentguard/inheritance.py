"""What a run and an agent hand down to every span made inside them, whoever makes it.

The attributes travel in the OpenTelemetry context, so they reach async tasks by themselves and
threads through `agentguard.propagate`. Other services are reached through baggage, for runs
that ask for it.
"""

from collections.abc import Mapping

from opentelemetry import baggage
from opentelemetry.context import Context, create_key, get_current, set_value
from opentelemetry.trace import Span
from opentelemetry.util.types import AttributeValue

from agentguard.semconv import AGENT_ID, AGENT_NAME, CONVERSATION_ID, RUN_ID, RUN_NAME, SESSION_ID
from agentguard.span_attributes import add_attributes, attributes_of

__all__ = ["hand_down", "inherited", "with_baggage", "with_inherited"]

Attributes = Mapping[str, AttributeValue]

BAGGAGE_KEYS = (RUN_ID, RUN_NAME, SESSION_ID, CONVERSATION_ID)
"""What crosses to other services. The user's id does not."""

TRACER = "agentguard"
"""The name of the tracer that makes AgentGuard's own spans."""

_KEY = create_key("agentguard-inherited")


def inherited(context: Context | None = None) -> Attributes:
    """The attributes spans inherit in the context; empty outside of runs and agents."""
    if context is None:
        context = get_current()
    found = context.get(_KEY)
    return found if isinstance(found, dict) else _from_baggage(context)


def with_inherited(attributes: Attributes, context: Context | None = None) -> Context:
    """The context, in which spans inherit these attributes and nothing else."""
    return set_value(_KEY, attributes, context)


def with_baggage(attributes: Attributes, context: Context) -> Context:
    """The context, with the run in the baggage that propagators send to other services."""
    for key in BAGGAGE_KEYS:
        if key in attributes:
            context = baggage.set_baggage(key, attributes[key], context)
    return context


def _from_baggage(context: Context) -> Attributes:
    carried = baggage.get_all(context)
    return {key: str(carried[key]) for key in BAGGAGE_KEYS if key in carried} if carried else {}


def hand_down(span: Span, attributes: Attributes) -> None:
    """Give a new span the attributes that it inherits; what the span says itself wins."""
    own = attributes_of(span)
    if attributes.keys().isdisjoint(own):
        add_attributes(span, attributes)
        return
    missing = {key: value for key, value in attributes.items() if key not in own}
    if AGENT_NAME in own:
        # An agent inside an agent: the outer one's id is not its id.
        missing.pop(AGENT_ID, None)
    if missing:
        add_attributes(span, missing)

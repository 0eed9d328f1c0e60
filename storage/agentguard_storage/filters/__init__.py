"""The filter language: one grammar for people, URLs and agents, compiled to bound SQL."""

from agentguard_storage.filters.compile import Condition, span_condition, trace_condition
from agentguard_storage.filters.completion import Completion, complete
from agentguard_storage.filters.errors import FilterError
from agentguard_storage.filters.parse import parse
from agentguard_storage.filters.tree import Filter

__all__ = [
    "Completion",
    "Condition",
    "Filter",
    "FilterError",
    "complete",
    "parse",
    "span_condition",
    "trace_condition",
]

"""The client's models have what the API's document says, and the other way round."""

from __future__ import annotations

import re

import httpx2
import pytest

from agentguard.client import models
from agentguard.client.calls import control, figures, traces
from agentguard.client.models.base import Model
from tests.plain_http import NO_TLS

# What the client calls otherwise than the document does.
_NAMES = {
    "BeforeOut": "BeforeStop",
    "CheckOut": "BudgetCheck",
    "DayOut": "UsageDay",
    "DifferenceOut": "Difference",
    "EdgeOut": "GraphEdge",
    "EventOut": "SpanEvent",
    "FiguresOut": "TraceFigures",
    "LimitsModel": "Limits",
    "LinkOut": "SpanLink",
    "ModelOut": "ModelCost",
    "MonthOut": "CostMonth",
    "NodeOut": "GraphNode",
    "Override": "Price",
    "RateOut": "BurnRate",
    "SavedOut": "StopSaved",
    "SpanAndMessages": "SpanWithMessages",
    "StopExplained": "StopExplanation",
}
# What is sent, and enumerations: the client takes arguments and gives texts.
_NOT_ANSWERS = {
    "AnnotationIn", "BudgetIn", "Period", "Problem", "Release", "Reserve", "Reset", "Settle",
    "LimitsIn", "ShareIn", "StopIn", "TimeZone",
}  # fmt: skip
# For processes under guards, which have a client of their own.
_OF_GUARDS = {"get_budget_terms", "watch_stops"}


@pytest.fixture(scope="module")
def document(pipeline):
    """The API's OpenAPI document, from a running collector."""
    found = httpx2.get(f"{pipeline.otlp_http}/api/v1/openapi.json", verify=NO_TLS)
    return found.raise_for_status().json()


def members(model: type[Model]) -> dict[str, bool]:
    """The members that a model reads, and whether they must be there."""
    return {field.alias or name: field.is_required() for name, field in model.model_fields.items()}


def test_models_are_those_of_the_document(document):
    """Each answer has a model with the same members, and no model is of nothing."""
    schemas = document["components"]["schemas"]
    answers = {name: schema for name, schema in schemas.items() if name not in _NOT_ANSWERS}
    named = {_NAMES.get(name) or re.sub("Out$", "", name): answers[name] for name in answers}
    assert named.keys() == set(models.__all__)
    for name, schema in named.items():
        required = set(schema.get("required", ()))
        said = {member: member in required for member in schema["properties"]}
        assert members(getattr(models, name)) == said, name


def test_every_operation_has_a_call(document):
    """What the API can do, the client can; what its parameters are called, both agree on."""
    operations = {
        operation["operationId"]: operation
        for methods in document["paths"].values()
        for operation in methods.values()
    }
    called = {name for module in (control, figures, traces) for name in module.__all__}
    assert len(operations.keys() - _OF_GUARDS) == len(called - {"ExportFormat"})


def test_members_that_are_new_are_kept():
    """An answer of a later server is read, with what this client does not know yet."""
    read = models.Completion.model_validate(
        {"text": "kind:", "kind": "field", "detail": "", "start": 0, "end": 3, "rank": 7}
    )
    assert read.rank == 7

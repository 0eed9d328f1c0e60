"""The heaviest filters that are allowed."""

from __future__ import annotations

import time

import pytest

from tests.storage.filters.filter_data import Filled

HEAVIEST = {
    "patterns": " OR ".join(f"attr.key-{number}:x*" for number in range(50)),
    "a long list": "model:" + ",".join(f"m{number}*" for number in range(50)),
    "texts": " OR ".join(f'"é{number} \\"x{number}"' for number in range(8)),
    "resources": " OR ".join(f"resource.x:{number}" for number in range(50)),
    "spans of traces": " OR ".join(f"trace.guard:{number}" for number in range(50)),
    "sums of traces": " OR ".join(f"(trace.spans:>{number} name:x)" for number in range(25)),
    "relations of texts": "a < b < c",
    "relations of relations": "(name:a > name:b) < (name:c > (name:d < name:e))",
    "a row of relations": "name:a < name:b < name:c < name:d < name:e",
    "directly": "a << b << c >> d",
    "groups": "(" * 20 + "name:a OR name:b" + ")" * 20,
}


@pytest.mark.parametrize("text", HEAVIEST.values(), ids=HEAVIEST)
def test_the_engine_answers_soon(filled: Filled, text: str):
    """However much one filter asks, planning the query takes seconds at most."""
    began = time.monotonic()
    filled.spans(text)
    filled.traces(text)
    assert time.monotonic() - began < 15

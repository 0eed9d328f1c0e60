"""The manifest of requirements and the tests agree in both directions."""

from __future__ import annotations

import re
from pathlib import Path

from tests.collector.otlp_requirements import REQUIREMENTS


def _claimed() -> set[str]:
    marks = re.compile(r"^@proves\(([^)]*)\)", re.MULTILINE)
    return {
        name
        for path in Path(__file__).parent.glob("test_*.py")
        for mark in marks.findall(path.read_text())
        for name in re.findall(r'"([^"]+)"', mark)
    }


def test_every_requirement_is_proved() -> None:
    """No requirement of the specification is without a test."""
    assert set(REQUIREMENTS) - _claimed() == set()


def test_every_proof_is_of_a_requirement() -> None:
    """No test claims to prove what the manifest does not hold."""
    assert _claimed() - set(REQUIREMENTS) == set()

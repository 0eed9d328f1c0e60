"""guards.md is true: its code runs, its table of guards is whole, its escapes are proved."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import agentguard
from agentguard import Guard
from tests.docs.markdown_pages import ROOT, Page

PAGE = Page("docs/guards.md")
ESCAPES = re.search(r"<!-- escapes -->\n(.*?)<!-- /escapes -->", PAGE.text, re.DOTALL)


def rows() -> list[list[str]]:
    """The rows of the table of what can get past, without its head."""
    assert ESCAPES
    lines = [line for line in ESCAPES[1].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def names_in(file: Path) -> set[str]:
    """The names of the tests in the file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def test_the_examples_run(capsys):
    """The code of the page runs from top to bottom, and says what it says that it does."""
    namespace: dict[str, object] = {}
    for snippet in PAGE.snippets("python"):
        exec(compile(snippet.text, PAGE.name, "exec"), namespace)  # noqa: S102 - our own page
    printed = capsys.readouterr().out
    assert "no shell at night" in printed
    assert "not reached" not in printed
    assert "None 1 " in printed


def test_every_guard_is_in_the_table():
    """The table has a row for each guard that there is."""
    guards = {
        name
        for name in agentguard.__all__
        if isinstance(kind := getattr(agentguard, name), type)
        and issubclass(kind, Guard)
        and kind is not Guard
    }
    named = set(re.findall(r"^\| `(\w+)\(", PAGE.text, re.MULTILINE))
    assert named == guards


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_what_can_get_past_is_proved(row):
    """Each row of the escape analysis names tests that are there."""
    boundary, enforced, escapes, proof = row
    assert boundary
    assert enforced
    assert escapes
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", proof)
    assert named
    for file, test in named:
        assert test in names_in(ROOT / file), f"{file}::{test}"

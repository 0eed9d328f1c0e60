"""The page about exports says what they hold."""

from __future__ import annotations

import re

from agentguard_storage.export import FORMATS
from agentguard_storage.export.rows import COLUMNS
from tests.docs.markdown_pages import ROOT

PAGE = (ROOT / "docs" / "export.md").read_text()


def test_columns_and_their_kinds_are_those_of_the_page():
    """Each column is in the page, in order, with its kind."""
    table = PAGE.partition("| column | kind |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").rpartition("|") for line in table.splitlines()[2:]]
    said = [
        (name, kind.strip()) for names, _, kind in rows for name in re.findall("`(.*?)`", names)
    ]
    assert said == list(COLUMNS.items())


def test_formats_are_those_of_the_page():
    """Each format is in the page."""
    table = PAGE.partition("| format | is |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(.*?)`", table, re.MULTILINE)) == set(FORMATS)

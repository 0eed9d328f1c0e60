"""filters.md is true: its filters run, its errors are raised, its table has every field."""

from __future__ import annotations

import re

import pytest

from agentguard_storage.filters import FilterError, parse
from agentguard_storage.filters.fields import FIELDS, Field
from tests.docs.markdown_pages import Page
from tests.storage.filters.filter_data import Filled

PAGE = Page("docs/filters.md")
LONGEST_PAGE = 150
_TYPES = {
    "text": "text",
    "flag": "`true`, `false`",
    "count": "count",
    "money": "dollars",
    "duration": "duration",
}


def rows(head: str) -> list[list[str]]:
    """The rows of every table whose first column has this head."""
    lines, found, inside = PAGE.text.splitlines(), [], False
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        inside = line.startswith("|") and (inside or cells[0] == head)
        if inside and cells[0].startswith("`"):
            found.append(cells)
    return found


def examples() -> list[str]:
    """Every filter of the page."""
    shown = [code for text in PAGE.snippets("text") for code in text.text.splitlines()]
    prose = [line for line in PAGE.text.splitlines() if not line.startswith(("|", "```", "kind:"))]
    named = [code for code in re.findall(r"`([^`\n]+)`", "\n".join(prose)) if ":" in code]
    return [*shown, *(cells[0].strip("`") for cells in rows("filter")), *named]


def row_of(field: Field) -> str:
    """A field's row in the table."""
    names = ", ".join(f"`{name}`" for name in (field.name, *field.aliases))
    if field.keyed:
        names = f"`{field.name}NAME`"
    takes = ", ".join(f"`{value}`" for value in field.values) or _TYPES[field.type]
    return f"| {names} | {takes} | {field.description} |"


@pytest.mark.parametrize("text", examples())
def test_the_filters_of_the_page_run(filled: Filled, text: str):
    """Every filter of the page parses, and the engine takes it for spans and for traces."""
    assert filled.spans(text) is not None
    assert filled.traces(text) is not None


@pytest.mark.parametrize("cells", rows("not a filter"), ids=lambda cells: cells[0])
def test_the_errors_of_the_page_are_raised(cells: list[str]):
    """What the page says is no filter is refused with the very words."""
    with pytest.raises(FilterError) as caught:
        parse(cells[0].strip("`"))
    assert str(caught.value) == cells[1].strip("`")


def test_every_field_is_in_the_table():
    """The table has a row for each field, made from what the language knows of it."""
    found = re.search(r"<!-- fields -->\n(.*?)<!-- /fields -->", PAGE.text, re.DOTALL)
    assert found
    head = ["| field | takes | is |", "|---|---|---|"]
    assert found[1].splitlines() == [*head, *map(row_of, FIELDS)]


def test_the_page_is_short():
    """Who looks something up finds it."""
    assert len(PAGE.text.splitlines()) <= LONGEST_PAGE

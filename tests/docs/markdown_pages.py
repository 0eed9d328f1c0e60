"""The project's pages in Markdown: their code, their links and their headings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Snippet:
    """A fenced block: where it begins, what it says it is written in, and its text."""

    line: int
    language: str
    text: str


@dataclass(frozen=True)
class Page:
    """One page; `name` is its path from the root of the repository."""

    name: str

    @property
    def path(self) -> Path:
        """The file."""
        return ROOT / self.name

    @cached_property
    def text(self) -> str:
        """What the file holds."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tokens(self) -> list[Token]:
        """The page as GitHub would read it."""
        return MarkdownIt("gfm-like", {"linkify": False}).parse(self.text)

    def snippets(self, language: str | None = None) -> list[Snippet]:
        """The fenced blocks in order; of one language, if it is given."""
        fences = [token for token in self.tokens if token.type == "fence" and token.map]
        found = [Snippet(token.map[0] + 1, token.info, token.content) for token in fences]
        return [one for one in found if language is None or one.language == language]

    def before(self, snippet: Snippet) -> str:
        """The paragraph above a snippet."""
        above = self.text.splitlines()[: snippet.line - 1]
        return "\n".join(above).rstrip().rpartition("\n\n")[2]

    def links(self) -> list[str]:
        """Where its links lead, as written."""
        inline = (child for token in self.tokens for child in token.children or ())
        return [str(child.attrs["href"]) for child in inline if child.type == "link_open"]

    def anchors(self) -> set[str]:
        """The fragments that its headings can be reached by, as GitHub makes them."""
        pairs = zip(self.tokens, self.tokens[1:], strict=False)
        headings = [after.content for token, after in pairs if token.type == "heading_open"]
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}

    def first_cells(self, heading: str) -> set[str]:
        """Every `name` in the first column of the tables below a heading."""
        section = self.text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
        cells = (line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
        return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def pages() -> list[Page]:
    """Every page for readers: those at the root and those in `docs/`."""
    found = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
    return [Page(str(path.relative_to(ROOT))) for path in found]

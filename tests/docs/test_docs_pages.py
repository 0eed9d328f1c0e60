"""The pages hang together: links lead somewhere, commands exist, nothing is left unread."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.main import get_command

from agentguard.cli.app import app
from agentguard.cli.extras import extras
from tests.docs.markdown_pages import ROOT, Page, pages

LONGEST_README = 150
_INTEGRATIONS = {
    "autogen": "autogen/test_autogen.py",
    "crewai": "crewai_crews/test_crewai.py",
    "langchain": "langchain/test_langchain.py",
    "llamaindex": "llamaindex/test_llamaindex.py",
    **dict.fromkeys(
        ("anthropic", "google-genai", "litellm", "mcp", "openai", "openai-agents"),
        "test_integrations_pages.py",
    ),
}
# Each kind of code that is in a page, and what runs it.
RUN_BY = {
    ("README.md", "sh"): "tests/docs/test_docs_snippets.py",
    ("README.md", "python"): "tests/docs/test_docs_snippets.py",
    ("docs/agentguard47.md", "python"): "tests/collector/test_agentguard47_sink.py",
    ("docs/api.md", "sh"): "tests/docs/test_docs_api.py",
    ("docs/cli.md", "toml"): "tests/docs/test_docs_snippets.py",
    ("docs/client.md", "python"): "tests/sdk/client/test_client_docs.py",
    ("docs/configuration.md", "toml"): "tests/docs/test_docs_snippets.py",
    ("docs/guards.md", "python"): "tests/docs/test_docs_guards.py",
    ("docs/redaction.md", "python"): "tests/sdk/test_sdk_redaction.py",
    ("docs/sdk.md", "python"): "tests/sdk/test_sdk_docs.py",
    ("docs/storage.md", "python"): "tests/docs/test_docs_snippets.py",
    ("docs/storage.md", "sql"): "tests/docs/test_docs_sql.py",
} | {
    (f"docs/integrations/{page}.md", "python"): f"tests/integrations/{runner}"
    for page, runner in _INTEGRATIONS.items()
}
every_page = pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)


def target(page: Page, link: str) -> tuple[Path, str]:
    """The file that a link between pages means, and the fragment in it."""
    path, _, fragment = link.partition("#")
    return ((page.path.parent / path).resolve() if path else page.path), fragment


def console_commands() -> list[str]:
    """Every command that a page tells people to type."""
    lines = [
        line
        for page in pages()
        for one in page.snippets("console")
        for line in one.text.splitlines()
    ]
    return [line[2:] for line in lines if line.startswith("$ ")]


def test_the_readme_is_short():
    """Who arrives reads the first page to its end."""
    assert len(Page("README.md").text.splitlines()) < LONGEST_README


@every_page
def test_links_lead_somewhere(page):
    """A link goes to a file that is there and a heading that is in it, or to an https address."""
    for link in page.links():
        if urlsplit(link).scheme:
            assert link.startswith("https://"), link
            continue
        file, fragment = target(page, link)
        assert file.is_relative_to(ROOT), link
        assert file.exists(), link
        if fragment:
            assert fragment in Page(str(file.relative_to(ROOT))).anchors(), link


def test_every_page_can_be_reached_from_the_readme():
    """No page waits for somebody who guesses its name."""
    known, reached = {page.path for page in pages()}, set()
    to_read = [Page("README.md")]
    while to_read:
        page = to_read.pop()
        reached.add(page.path)
        files = {target(page, link)[0] for link in page.links() if not urlsplit(link).scheme}
        to_read += [Page(str(file.relative_to(ROOT))) for file in files & known - reached]
    assert reached == known


def test_all_code_in_pages_is_run():
    """There is no code of a kind that nothing runs, and what is said to run it knows the page."""
    languages = {(page.name, one.language) for page in pages() for one in page.snippets()}
    assert {pair for pair in languages if pair[1] not in ("", "console", "text")} == set(RUN_BY)
    for page, runner in {(page, runner) for (page, _), runner in RUN_BY.items()}:
        assert Path(page).name in (ROOT / runner).read_text(encoding="utf-8"), runner


@pytest.mark.parametrize("command", console_commands())
def test_commands_exist(command):
    """What people are told to type is a target of make, a command, a module or an extra of ours."""
    program, *arguments = shlex.split(command, comments=True)
    match program:
        case "make":
            makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
            assert all(re.search(rf"^{name}:", makefile, re.MULTILINE) for name in arguments)
        case "agentguard":
            assert arguments[0] in get_command(app).commands
        case "pip":
            assert arguments[:-1] == ["install"]
            assert arguments[-1] in {f".[{extra}]" for extra in extras()}
        case ".venv/bin/pytest":
            assert all((ROOT / folder).is_dir() for folder in arguments)
        case ".venv/bin/python":
            assert arguments[0] == "-m"
            assert (ROOT / arguments[1].replace(".", "/")).with_suffix(".py").is_file()
        case _:
            pytest.fail(f"nobody knows {program}")

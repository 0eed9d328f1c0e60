"""The code in README.md, storage.md, cli.md and configuration.md does what the text there says."""

from __future__ import annotations

import sys

from agentguard.config import load_settings
from agentguard.prices import Usage
from agentguard.prices.source import load_meter
from tests.docs.markdown_pages import Page

DEFAULT_ENDPOINT = "http://127.0.0.1:4318"


def as_script(page: Page) -> str:
    """The page's shell and Python as one shell script, so that what is exported stays exported."""
    parts = ["set -euo pipefail"]
    for snippet in page.snippets():
        if snippet.language == "sh":
            parts.append(snippet.text)
        elif snippet.language == "python":
            parts.append(f"python - <<'END_OF_SNIPPET'\n{snippet.text}END_OF_SNIPPET")
    return "\n".join(parts)


def test_the_readme_works_from_top_to_bottom(reader, tmp_path):
    """Typing what README.md says brings spans of both kinds into the store, with their cost."""
    script = as_script(Page("README.md"))
    assert DEFAULT_ENDPOINT in script
    script = script.replace(DEFAULT_ENDPOINT, reader.stack.otlp_http)
    printed = reader.run("bash", "-c", script, cwd=tmp_path)
    assert "Otters hold hands" in printed
    [plain] = reader.traces("first-steps")
    assert (plain["input_tokens"], plain["output_tokens"]) == (900, 40)
    assert float(plain["cost"]) > 0
    [sdk] = reader.traces("research-crew")
    assert sdk["span_count"] == 3
    assert sdk["agents"] == ["researcher"]


def test_the_store_is_reached_as_described(reader, examples, tmp_path):
    """The Python of storage.md connects with what `up` left behind, and counts spans."""
    printed = [
        reader.run(sys.executable, "-", cwd=tmp_path, stdin=snippet.text)
        for snippet in Page("docs/storage.md").snippets("python")
    ]
    assert printed
    assert all(int(text.strip("[](), \n")) > 0 for text in printed)


def test_the_project_table_is_read(tmp_path):
    """The settings shown in configuration.md are understood from a project's file."""
    [snippet] = Page("docs/configuration.md").snippets("toml")
    (tmp_path / "pyproject.toml").write_text(snippet.text, encoding="utf-8")
    settings = load_settings(environ={}, directory=tmp_path)
    assert settings.service_name == "research-crew"
    assert settings.capture_content is True


def test_the_price_file_is_read(tmp_path):
    """The prices of one's own that cli.md shows are understood, and priced with."""
    [snippet] = Page("docs/cli.md").snippets("toml")
    (tmp_path / "prices.toml").write_text(snippet.text, encoding="utf-8")
    price = load_meter(tmp_path / "prices.toml").price("vllm", "our-llama")
    assert price is not None
    assert price.cost(Usage(input=10, cache_read=100)) == 4_000_000 + 10**9

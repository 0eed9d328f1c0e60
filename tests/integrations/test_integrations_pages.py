"""The pages of the model clients, of the OpenAI Agents SDK and of MCP: their snippets run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agentguard.demo.provider import ProviderServer
from tests.docs.markdown_pages import Page
from tests.integrations.conftest import environment
from tests.integrations.test_integrations_unmodified import answer

SERVER = Path(__file__).parent / "mcp_client" / "server.py"
PAGES = {
    "anthropic.md": (None, []),
    "google-genai.md": ("litellm", []),
    "litellm.md": ("litellm", []),
    "mcp.md": ("openai-agents", [str(SERVER)]),
    "openai-agents.md": ("openai-agents", []),
    "openai.md": (None, []),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_snippet_runs(name, python_with, tmp_path):
    """What the page shows is a whole program, and works as it is."""
    group, arguments = PAGES[name]
    (snippet,) = Page(f"docs/integrations/{name}").snippets("python")
    script = tmp_path / "snippet.py"
    script.write_text(snippet.text)
    with ProviderServer(answer) as provider:
        done = subprocess.run(
            [str(python_with(group)), str(script), *arguments],
            env=environment(provider.base_url, provider.api_key)
            | {"AGENTGUARD_ENDPOINT": "http://127.0.0.1:9"},
            capture_output=True,
            text=True,
            timeout=110,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        assert name == "mcp.md" or provider.requests()

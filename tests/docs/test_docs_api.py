"""The commands in docs/api.md are answered as the page says."""

from __future__ import annotations

import secrets

from agentguard_storage.control import open_control_plane
from tests.collector.read_api import agent_trace, send
from tests.docs.markdown_pages import Page


def made_key(reader, scope: str) -> str:
    """A key of the reader's project with this scope."""
    control = open_control_plane(reader.stack.data_dir)
    try:
        project = control.projects.get(reader.project)
        return control.keys.mint(project.id, [scope])[1]
    finally:
        control.close()


def test_the_read_api_answers_as_described(reader, tmp_path):
    """Typing what api.md says shows traces, costs and figures, and writes a table of spans."""
    send(reader.stack, agent_trace(secrets.token_hex(16)), key=reader.api_key)
    reader.pipeline.wait_until_stored()
    key = made_key(reader, "read")
    snippets = Page("docs/api.md").snippets("sh")
    start = ["set -euo pipefail", f"export AGENTGUARD_API_KEY={key}"]
    script = "\n".join([*start, *(one.text for one in snippets)])
    printed = reader.run("bash", "-c", script, cwd=tmp_path)
    assert '"traces":[{' in printed
    assert '"by_model":' in printed
    assert (tmp_path / "spans.csv").read_text(encoding="utf-8").count("\n") > 1

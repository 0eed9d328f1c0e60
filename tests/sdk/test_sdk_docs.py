"""The documentation is true: its table is the code's, and its examples run."""

import re
from dataclasses import MISSING, fields
from pathlib import Path

import agentguard
from agentguard.config import Settings

DOCS = Path(__file__).parents[2] / "docs"


def settings_table() -> str:
    """The table of settings, as `docs/configuration.md` must have it."""
    rows = ["| setting | type | default | variables | meaning |", "|---|---|---|---|---|"]
    for row in fields(Settings):
        assert row.default is not MISSING
        kind = str(
            row.type if isinstance(row.type, str) else getattr(row.type, "__name__", row.type)
        )
        kind = "mapping" if row.name == "headers" else kind.replace("|", "or")
        default = "" if row.default in (None, ()) else f"`{row.default}`"
        variables = ", ".join(
            f"`{variable.name}`" + (f" (`{variable.entry}`)" if variable.entry else "")
            for variable in row.metadata["variables"]
        )
        cells = (f"`{row.name}`", kind, default, variables, row.metadata["help"])
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def test_the_table_is_the_codes():
    """Every setting is documented with its type, default, variables and meaning, and no other."""
    page = (DOCS / "configuration.md").read_text()
    (found,) = re.findall(r"<!-- settings -->\n(.*?)\n?<!-- /settings -->", page, re.DOTALL)
    assert found == settings_table()


def test_the_examples_run(record, sink, monkeypatch):
    """The examples of the SDK's page run in order, and their spans arrive."""
    monkeypatch.setenv("AGENTGUARD_ENDPOINT", sink.url)
    record(service_name="research-crew", capture_content=True)
    page = (DOCS / "sdk.md").read_text()
    namespace: dict[str, object] = {"agentguard": agentguard}
    for example in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(example, "docs/sdk.md", "exec"), namespace)  # noqa: S102 - our own page
    handle = namespace["handle"]
    assert isinstance(handle, agentguard.Handle)
    assert handle.flush(10)
    assert {
        "invoke_workflow nightly",
        "invoke_agent researcher",
        "execute_tool search",
        "task rank",
        "chat gpt-5",
        "embeddings text-embedding-3-small",
        "retrieval wiki",
    } <= set(sink.names)

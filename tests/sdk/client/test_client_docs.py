"""What the client's page shows runs."""

from __future__ import annotations

import time

import httpx2

from tests.collector.otlp_samples import make_request, make_span
from tests.docs.markdown_pages import Page
from tests.plain_http import NO_TLS


def test_the_example_of_the_page_runs(pipeline, tmp_path, monkeypatch, capsys):
    """The example lists the failed trace, measures its model and writes its spans to a file."""
    span = make_span(start_time_unix_nano=time.time_ns())
    span.status.code = 2
    httpx2.post(
        f"{pipeline.otlp_http}/v1/traces",
        content=make_request(span).SerializeToString(),
        headers={**pipeline.stack.headers, "content-type": "application/x-protobuf"},
        verify=NO_TLS,
    ).raise_for_status()
    pipeline.wait_until_stored()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTGUARD_ENDPOINT", pipeline.otlp_http)
    monkeypatch.setenv("AGENTGUARD_API_KEY", pipeline.api_key)
    [example] = Page("docs/client.md").snippets("python")
    exec(compile(example.text, "docs/client.md", "exec"), {})  # noqa: S102 - the page's own
    assert span.trace_id.hex() in capsys.readouterr().out
    assert span.span_id.hex() in (tmp_path / "spans.ndjson").read_text()

"""The OpenAPI document, what it promises of every route, and docs/api.md, which says the same.

`python -m tests.collector.test_read_api_document` writes the routes into the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from fastapi import FastAPI

from agentguard_collector.api import ApiContext, add_api
from agentguard_collector.api.document import document as document_of
from agentguard_collector.settings import Settings
from tests.collector.conftest import make_home
from tests.collector.read_api import Api
from tests.docs.markdown_pages import Page

PAGE = Page("docs/api.md")
BEGIN, END = "<!-- routes: made of the OpenAPI document -->", "<!-- end of routes -->"


@pytest.fixture(scope="module")
def document(shared) -> dict[str, Any]:
    """The document, as anybody may fetch it."""
    answer = Api(shared.collector.url, None)("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each operation, with its method and path."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_operation_is_described(document):
    """Each has a text, a tag that is described, a key and the errors that come with it."""
    tags = {tag["name"] for tag in document["tags"] if tag["description"]}
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    for name, operation in operations(document):
        assert operation["description"], name
        assert set(operation["tags"]) <= tags, name
        assert operation["security"] == [{"key": []}], name
        assert {"400", "401", "403", "429", "500", "503"} <= operation["responses"].keys(), name
        for parameter in operation.get("parameters", []):
            assert parameter.get("description") or parameter["schema"].get("description"), name
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], (name, status)


def test_every_answer_has_a_schema(document):
    """Each answer with a body says what is in it."""
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            bare = status in ("204", "304") or name.endswith("/export")
            assert bare or all(media["schema"] for media in response["content"].values()), name


def table(document: dict[str, Any]) -> str:
    """The routes as docs/api.md lists them."""
    lines = ["| | key's scope | |", "|---|---|---|"]
    for name, operation in operations(document):
        text, _, scopes = operation["description"].partition("\n\nFor keys with the scope ")
        first = " ".join(text.split("\n\n")[0].split())
        short = name.replace("/api/v1", "")
        lines.append(f"| `{short}` | {scopes.rstrip('.')} | {first} |")
    return "\n".join(lines)


def write_page() -> None:
    """Write the routes into the page."""
    with TemporaryDirectory() as folder:
        home = make_home(Path(folder))
        settings = Settings(home.path, "clickhouse://nobody@127.0.0.1:9/agentguard", "")
        app, context = FastAPI(), ApiContext.of(home.control, settings, lambda: True)
        add_api(app, context)
        text = PAGE.path.read_text(encoding="utf-8")
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        routes = table(document_of(app))
        PAGE.path.write_text(f"{before}{BEGIN}\n{routes}\n{END}{after}", encoding="utf-8")
        context.close()
        home.control.close()


def test_the_page_lists_the_routes(document):
    """The table in docs/api.md is that of the document; the failure shows what it should be."""
    between = PAGE.path.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    assert between.strip() == table(document)


if __name__ == "__main__":
    write_page()

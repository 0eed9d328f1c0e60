"""A project of its own in the shared stack, filled by the examples as a reader would run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.docs.markdown_pages import ROOT
from tests.pipeline import Pipeline
from tests.stack import RunningStack, clean_environment
from tests.stored_otlp import export_spans

ALWAYS = {"start": datetime.min.replace(tzinfo=UTC), "end": datetime.max.replace(tzinfo=UTC)}
_WITHIN = 90
_WITH_A_FRAMEWORK = "examples/asks_about_its_budget.py"
_BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Reader:
    """Somebody who follows the pages: a running stack, a project and its key."""

    stack: RunningStack
    pipeline: Pipeline
    project: str
    api_key: str = field(repr=False)

    def run(self, *command: str | Path, cwd: Path, stdin: str = "") -> str:
        """Run a program as the pages say to set it up; its stdout. AssertionError if it fails."""
        variables = {
            "AGENTGUARD_API_KEY": self.api_key,
            "AGENTGUARD_DATA_DIR": str(self.stack.data_dir),
            "AGENTGUARD_ENDPOINT": self.stack.otlp_http,
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.stack.otlp_http,
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{self.api_key}",
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "span_only",
            "NO_PROXY": "127.0.0.1",
            "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}",
        }
        done = subprocess.run(
            [str(word) for word in command],
            cwd=cwd,
            env=clean_environment(variables),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_WITHIN,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def cli(self, *arguments: str) -> object:
        """What an `agentguard` command with `--json` answers."""
        done = self.stack.cli(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def traces(self, service: str) -> list[dict[str, object]]:
        """The project's traces of a service, once everything acknowledged has been stored."""
        self.pipeline.wait_until_stored()
        return self.cli("traces", "--project", self.project, "--service", service)

    def spans(self, service: str) -> list[Span]:
        """The project's spans of a service, as they were sent."""
        self.pipeline.wait_until_stored()
        found = export_spans(self.pipeline.client, self.project, service=service, **ALWAYS)
        return [span for res in found for scope in res.scope_spans for span in scope.spans]


@pytest.fixture(scope="session")
def reader(stack: RunningStack, pipeline: Pipeline) -> Reader:
    """A reader with a project that nobody else sends to."""
    project = json.loads(stack.cli("projects", "create", "pages", "--json").stdout)
    key = json.loads(stack.cli("keys", "create", "--project", "pages", "--json").stdout)
    return Reader(stack, pipeline, project["id"], key["api_key"])


@pytest.fixture(scope="session")
def examples(reader: Reader, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each example printed, by its file's name; their spans are stored."""
    folder = tmp_path_factory.mktemp("examples")
    # What needs a framework has a test of its own.
    files = sorted({*(ROOT / "examples").glob("*.py")} - {ROOT / _WITH_A_FRAMEWORK})
    printed = {file.name: reader.run(sys.executable, file, cwd=folder) for file in files}
    reader.pipeline.wait_until_stored()
    assert list(folder.iterdir()) == []
    return printed

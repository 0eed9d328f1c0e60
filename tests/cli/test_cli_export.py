"""`agentguard export`."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import httpx2
import pytest

from tests.collector.otlp_samples import make_request, make_span
from tests.plain_http import NO_TLS
from tests.stack import COMMAND, clean_environment


@pytest.fixture(scope="module")
def span(pipeline):
    """One stored span, and so many others beside it that all of them take seconds."""
    made = make_span(name="exported by hand")
    headers = {**pipeline.stack.headers, "content-type": "application/x-protobuf"}
    others = [make_request(*(make_span() for _ in range(5_000))) for _ in range(8)]
    with httpx2.Client(verify=NO_TLS, headers=headers, timeout=60) as client:
        for request in (make_request(made), *others):
            body = request.SerializeToString()
            client.post(f"{pipeline.otlp_http}/v1/traces", content=body).raise_for_status()
    pipeline.wait_until_stored()
    return made


def test_spans_are_written_to_a_file(stack, span, tmp_path):
    """A filter and a format give a file with the spans that match."""
    path = tmp_path / "spans.json"
    done = stack.cli("export", 'name:"exported by hand"', "--format", "json", "--output", str(path))
    assert done.returncode == 0, done.stderr
    [row] = json.loads(path.read_bytes())
    assert row["span_id"] == span.span_id.hex()


def test_spans_are_written_to_a_pipe(stack, span):
    """Without a file, lines come on stdout and nothing else does."""
    done = stack.cli("export", 'name:"exported by hand"', "--since", "1h")
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    assert json.loads(line)["span_id"] == span.span_id.hex()


def test_a_wrong_filter_is_told(stack, tmp_path):
    """A filter that cannot be read is named with its column, and no file is made."""
    done = stack.cli("export", "modle:x", "--output", str(tmp_path / "spans.csv"))
    assert done.returncode == 2
    assert "model" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_told(stack, tmp_path):
    """Where there is no such folder, the message says so."""
    done = stack.cli("export", "--output", str(tmp_path / "missing" / "spans.csv"))
    assert done.returncode == 1
    assert "No such file" in done.stderr


def test_an_interrupted_export_leaves_nothing(stack, span, tmp_path):
    """Ctrl-C ends it at once; neither half a file nor a stack trace is left."""
    path = tmp_path / "spans.csv"
    process = subprocess.Popen(
        [*COMMAND, "export", "--format=csv", f"--output={path}", f"--data-dir={stack.data_dir}"],
        env=clean_environment({"COLUMNS": "200"}),
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.iterdir()):
        assert time.monotonic() < deadline, "the export did not begin"
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_enough_ends_it(stack, span):
    """`agentguard export | head -1` ends without a complaint."""
    command = " ".join([*COMMAND, "export", f"--data-dir={stack.data_dir}"])
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -1"],
        env=clean_environment({"COLUMNS": "200"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert json.loads(done.stdout)["span_id"]
    assert done.stderr == ""

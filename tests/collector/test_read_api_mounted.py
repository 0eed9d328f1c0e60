"""Applications that other packages have the collector serve."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.collector.read_api import Api

APP = """
import os
from contextlib import asynccontextmanager
from starlette.responses import JSONResponse

os.write(os.open(os.environ["LOADED"], os.O_CREAT | os.O_APPEND | os.O_WRONLY), b"module ")


class App:
    def __init__(self, host):
        os.write(os.open(os.environ["LOADED"], os.O_APPEND | os.O_WRONLY), b"application ")
        self.host, self.running = host, False

    @asynccontextmanager
    async def lifespan(self):
        self.running = True
        yield

    async def __call__(self, scope, receive, send):
        keys = self.host.control.projects.list()
        answer = {"path": scope["path"], "running": self.running, "projects": len(keys)}
        await JSONResponse(answer)(scope, receive, send)


def broken(host):
    raise RuntimeError("not today")


def absent(host):
    return None
"""
ENTRY_POINTS = """[agentguard.collector_apps]
beside = a_collector_app:App
.well-known/beside = a_collector_app:App
broken = a_collector_app:broken
absent = a_collector_app:absent
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A distribution on the path that registers applications."""
    folder = tmp_path / "site"
    info = folder / "a_collector_app-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "a_collector_app.py").write_text(APP)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: a-collector-app\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    ours = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{ours}")
    monkeypatch.setenv("LOADED", str(tmp_path / "loaded"))
    return tmp_path / "loaded"


def test_an_application_is_served_under_its_name(installed, home, launch):
    """It gets its path and all below, with what it needs; what cannot be loaded is left out."""
    collector = launch()
    get = Api(collector.url, None).client.get
    for path in ("/beside", "/beside/below", "/.well-known/beside"):
        told = get(f"{collector.url}{path}").json()
        assert told == {"path": path, "running": True, "projects": 1}
    for path in ("/besides", "/broken", "/absent"):
        assert get(f"{collector.url}{path}").status_code == 404
    assert get(f"{collector.url}/healthz").status_code == 200


def test_an_application_is_loaded_once_and_when_it_is_asked_for(installed, home, launch):
    """A collector that nobody asks starts without it; those who ask first together wait for one."""
    collector = launch()
    get = Api(collector.url, None).client.get
    assert get(f"{collector.url}/healthz").status_code == 200
    assert not installed.exists()
    with ThreadPoolExecutor(4) as four:
        asked = [four.submit(get, f"{collector.url}/beside/{n}") for n in range(4)]
        assert {answer.result().json()["running"] for answer in asked} == {True}
    assert installed.read_text().split() == ["module", "application"]

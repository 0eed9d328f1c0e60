"""Fixtures that every area shares: the embedded ClickHouse and the whole stack, really running."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling, Scheduling

from agentguard_storage.embedded.credentials import Credentials
from tests.pipeline import Pipeline
from tests.processes import ReadyProcess, start
from tests.stack import RunningStack, stack, start_stack

# A test runner with several workers says 80, and tables would lose columns.
os.environ["COLUMNS"] = "200"
# Each worker imports all tests: to look for garbage in them is a sixth of that.
gc.set_threshold(20_000, 20, 20)

__all__ = ["stack", "start_stack"]

# What the files of one of these share takes long to make, and each worker would make it anew.
_TOGETHER = ("docs", "isolation", "mcp_server")

# What waits for other processes: side by side, all workers would wait.
_WAITING = ("execution", "guards", "integrations")

_LEFT_OUT = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --soak."""
    parser.addoption("--soak", action="store_true", help="also run the long forms, marked soak")


class _ByFolderOrFile(LoadFileScheduling):
    """Keeps a file's tests in one worker, and those of some folders."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        folder = _folder_of(file)
        return folder if folder in _TOGETHER else file


def _folder_of(nodeid: str) -> str:
    """The area: the folder of `tests` that the file is in."""
    _, folder, *_ = (*Path(nodeid).parts, "")
    return folder


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """Take ours where files are to be kept together."""
    return _ByFolderOrFile(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long forms out, and say so, unless they are asked for."""
    long = [item for item in items if item.get_closest_marker("soak")]
    if long and not config.getoption("--soak"):
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
        config.stash[_LEFT_OUT] = len(long)
    if config.getoption("numprocesses", None) or hasattr(config, "workerinput"):
        items[:] = _spread(items)


def _spread(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """The files that wait evenly among those that work, each kind in its order."""
    kinds: dict[bool, dict[Path, list[pytest.Item]]] = {True: {}, False: {}}
    for item in items:
        kinds[_folder_of(item.nodeid) in _WAITING].setdefault(item.path, []).append(item)
    places = [
        ((number + 0.5) / len(files), tests)
        for files in kinds.values()
        for number, tests in enumerate(files.values())
    ]
    places.sort(key=itemgetter(0))
    return [item for _, tests in places for item in tests]


def pytest_collection_finish() -> None:
    """Have garbage collections pass over the tests and all that they import."""
    gc.collect()
    gc.freeze()


def pytest_report_collectionfinish(config: pytest.Config) -> str:
    """Name what was left out."""
    left_out = config.stash.get(_LEFT_OUT, 0)
    return f"{left_out} long forms left out; run them with --soak" if left_out else ""


@dataclass(frozen=True)
class Engine:
    """A running embedded ClickHouse and how to reach it."""

    process: ReadyProcess
    data_dir: Path
    credentials: Credentials

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        return int(self.process.ready["port"])

    @property
    def url(self) -> str:
        """Its HTTP address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def writer_dsn(self) -> str:
        """A DSN that may do everything, in the database `agentguard`."""
        return self.credentials.dsn("writer", "127.0.0.1", self.port)

    @property
    def reader_dsn(self) -> str:
        """A DSN that may only read."""
        return self.credentials.dsn("reader", "127.0.0.1", self.port)


def launch(data_dir: Path, *extra: str) -> Engine:
    """Start an engine on a free port; it ends with this process, however that ends."""
    process = start(
        "agentguard_storage.embedded", "--data-dir", data_dir, "--port", "0", "--exit-with-parent",
        *extra,
    )  # fmt: skip
    return Engine(process, data_dir, Credentials.load(Path(process.ready["credentials"])))


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One embedded ClickHouse for the whole run; make a database of your own in it."""
    running = launch(tmp_path_factory.mktemp("engine"))
    yield running
    running.process.stop()


@pytest.fixture
def start_engine() -> Iterator[Callable[..., Engine]]:
    """Start engines that a test may kill: `start_engine(data_dir, *extra_arguments)`."""
    started: list[Engine] = []

    def begin(data_dir: Path, *extra: str) -> Engine:
        started.append(launch(data_dir, *extra))
        return started[-1]

    yield begin
    for running in started:
        running.process.kill()


@pytest.fixture(scope="session")
def pipeline(stack: RunningStack) -> Pipeline:
    """The way of spans through the stack: where to send them, and what was stored of a service."""
    return Pipeline(stack)

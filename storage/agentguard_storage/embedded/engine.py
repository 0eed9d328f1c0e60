"""chDB's engine: one per process, a fresh connection for each request.

A connection carries settings, parameters and temporary tables; making a new one costs about a
millisecond, so none is ever handed from one request to the next. chDB lets go of the GIL while it
works; a connection is used by one thread at a time.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

# Its allocator, which reads this when it is loaded, keeps what was freed for five seconds unless
# told otherwise. Under load half a second is enough: a sixth less memory, in no more time.
os.environ.setdefault("JE_MALLOC_CONF", "dirty_decay_ms:500")

import chdb

from agentguard_storage.embedded.credentials import User
from agentguard_storage.embedded.errors import EngineError
from agentguard_storage.embedded.limits import BASELINE, DATABASE, LOCKS, write_configuration

__all__ = ["Engine", "Inserter", "Session"]

# The extension module publishes stubs that leave out most of it.
_chdb: Any = chdb._chdb

SPARE_CONNECTIONS: Final = 2
FILE_REFUSAL: Final = "the function file() is not available here"


def quoted(value: str) -> str:
    """Return `value` as a ClickHouse string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def assignments(settings: Mapping[str, str]) -> str:
    """Return `SET` for settings whose names the caller has checked; values become literals."""
    return "SET " + ", ".join(f"{name} = {quoted(value)}" for name, value in settings.items())


def _raise(error: RuntimeError) -> NoReturn:
    text = str(error)
    if FILE_REFUSAL in text:
        raise EngineError.access_denied(FILE_REFUSAL) from None
    raise EngineError.parse(text) from None


class Inserter:
    """An INSERT that takes its data in parts; nothing is kept unless `finish` is reached.

    The parts gather in a file in memory which the statement then reads. chDB's own `send_insert`
    drops the error of a view behind the table: the rows were gone and the answer was good.
    """

    def __init__(self, raw: Any, head: str, settings: str, data_format: str) -> None:
        self._raw = raw
        self._file = os.fdopen(os.memfd_create("insert"), "wb", buffering=0)
        path = f"/proc/self/fd/{self._file.fileno()}"
        self._sql = f"{head} FROM INFILE '{path}' {settings} FORMAT {data_format}"

    def append(self, part: bytes) -> None:
        """Hand over the next bytes."""
        rest = memoryview(part)
        while rest:
            rest = rest[self._file.write(rest) :]

    def finish(self) -> Any:
        """Run the statement, and return chDB's result; raises `EngineError`."""
        try:
            return self._raw.query(self._sql, "Null")
        except RuntimeError as error:
            _raise(error)
        finally:
            self._file.close()

    def cancel(self) -> None:
        """Drop the data."""
        self._file.close()


class Session:
    """One request's connection, with its user's role and limits in force."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def apply(self, settings: Mapping[str, str]) -> None:
        """Set settings (and `param_*`) for this session; names are checked by the caller."""
        if settings:
            self.query(assignments(settings), "Null")

    def classify(self, sql: str) -> tuple[str, int]:
        """Return what a statement does (`READ_ONLY`, `MUTATING`, ...) and how many there are."""
        try:
            report = self._raw.classify_query(sql)
        except RuntimeError:
            return "UNKNOWN", 1
        return report["query_class"].name, report["statement_count"]

    def query(self, sql: str, output_format: str) -> Any:
        """Run a statement and return chDB's whole result."""
        try:
            return self._raw.query(sql, output_format)
        except RuntimeError as error:
            _raise(error)

    def stream(self, sql: str, output_format: str) -> Generator[Any, None, None]:
        """Run a SELECT and yield one chDB result for each block, the last one without rows.

        Every yielded result is a document of its own: headers repeat.
        """
        try:
            handle = self._raw.send_query(sql, output_format)
        except RuntimeError as error:
            _raise(error)
        open_ = True
        try:
            while open_:
                try:
                    block = self._raw.streaming_fetch_result(handle)
                except RuntimeError as error:
                    open_ = False
                    _raise(error)
                open_ = bool(block.rows_read())
                yield block
        finally:
            if open_:
                self._raw.streaming_cancel_query(handle)

    def insert(self, head: str, settings: str, data_format: str) -> Inserter:
        """Begin `INSERT INTO ...` (without FORMAT) whose data follows in `data_format`.

        `settings` is the statement's own SETTINGS clause, or empty.
        """
        return Inserter(self._raw, head, settings, data_format)


class Engine:
    """The open engine. The data directory's lock is the caller's business.

    Raises `EngineError` when the directory cannot be opened.
    """

    def __init__(self, data_dir: Path) -> None:
        store = data_dir / "engine"
        store.mkdir(mode=0o700, exist_ok=True)
        config = write_configuration(data_dir / "config")
        # chDB splits its target at ? and &, which a path may contain; these two never do.
        os.chdir(data_dir)
        self._target = f"{store.name}?config-file={config.relative_to(data_dir)}"
        self._guard = threading.Lock()
        self._spare: dict[User, deque[Any]] = {"writer": deque(), "reader": deque()}
        _chdb.set_signal_handlers_enabled(0)
        try:
            self._anchor = _chdb.connect(self._target)
            self._anchor.query(f"CREATE DATABASE IF NOT EXISTS {DATABASE}", "Null")
            self.timezone: str = self._anchor.query("SELECT timezone()", "TSVRaw").data().strip()
            self.version: str = self._anchor.query("SELECT version()", "TSVRaw").data().strip()
            self.host: str = self._anchor.query("SELECT displayName()", "TSVRaw").data().strip()
        except RuntimeError as error:
            _raise(error)
        # In this build file() reads any path whatever the rights; a function of the same name wins.
        _chdb.create_function("file", _refuse_file, ["String"], "String")

    @contextmanager
    def session(self, user: User) -> Iterator[Session]:
        """Lend a connection that nobody has used before, and close it afterwards."""
        with self._guard:
            raw = self._spare[user].popleft() if self._spare[user] else None
        raw = raw or self._open(user)
        try:
            yield Session(raw)
        finally:
            raw.close()
            self._refill(user)

    def kill(self, tag: str) -> bool:
        """Cancel the running query whose `log_comment` is `tag`; False when there is none."""
        with self._guard:
            killed = self._anchor.query(
                f"KILL QUERY WHERE Settings['log_comment'] = {quoted(tag)} ASYNC", "TSV"
            )
            return bool(killed.size())

    def close(self) -> None:
        """Close every connection; the engine flushes and stops with the last one."""
        with self._guard:
            for spare in self._spare.values():
                while spare:
                    spare.popleft().close()
            self._anchor.close()

    def _open(self, user: User) -> Any:
        raw = _chdb.connect(self._target)
        session = Session(raw)
        session.query(f"SET ROLE {user}", "Null")
        session.apply({name: str(value) for name, value in BASELINE[user].items()})
        session.apply(LOCKS[user])
        return raw

    def _refill(self, user: User) -> None:
        if len(self._spare[user]) < SPARE_CONNECTIONS:
            raw = self._open(user)
            with self._guard:
                self._spare[user].append(raw)


def _refuse_file(path: str) -> str:
    raise PermissionError(FILE_REFUSAL)

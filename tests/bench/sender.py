"""Sends a workload over keep-alive sockets, in a process of its own, and keeps account of it."""

from __future__ import annotations

import multiprocessing
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self

from tests.bench.conversation import Profile
from tests.bench.workload import Batch, Expected, Workload

_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """What to send where: until `spans` or for `seconds`, whichever is reached first."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)
    spans: int = 1 << 62
    seconds: float = 1e9
    per_second: float | None = None
    """Spans per second in all; as fast as acknowledgements come where None."""
    connections: int = 4


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A batch that was answered with 200, and when (unix seconds)."""

    wave: int
    index: int
    spans: int
    at: float


@dataclass(slots=True)
class Account:
    """What a job did. Every batch in `acknowledged` is owed to the sender."""

    began: float
    ended: float = 0.0
    acknowledged: list[Acknowledged] = field(default_factory=list)
    refused: int = 0
    broken: int = 0

    @property
    def spans(self) -> int:
        """How many spans were acknowledged."""
        return sum(batch.spans for batch in self.acknowledged)


class SendError(Exception):
    """The other side answered with what no retry can mend."""


class OtlpConnection:
    """One HTTP/1.1 connection; doing it by hand takes a tenth of a client library's CPU."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._port = port
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._head = (
            f"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Content-Type: application/x-protobuf\r\n{lines}Content-Length: "
        )
        self._socket: socket.socket | None = None
        self._rest = b""

    def post(self, body: bytes) -> tuple[int, float]:
        """Return the status, and the seconds to wait before a retry; raise OSError when broken."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), _TIMEOUT)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._rest = b""
        self._socket.sendall(f"{self._head}{len(body)}\r\n\r\n".encode() + body)
        head = self._until(b"\r\n\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        }
        self._discard(int(headers.get(b"content-length", b"0")))
        if headers.get(b"connection", b"").lower() == b"close":
            self.close()
        return int(head.split(b" ", 2)[1]), float(headers.get(b"retry-after", b"0.05"))

    def close(self) -> None:
        """Close the socket; the next post opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _receive(self) -> bytes:
        assert self._socket is not None
        received = self._socket.recv(65536)
        if not received:
            raise ConnectionError("closed before the answer was whole")
        return received

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            self._rest += self._receive()
        head, _, self._rest = self._rest.partition(mark)
        return head

    def _discard(self, size: int) -> None:
        while len(self._rest) < size:
            self._rest += self._receive()
        self._rest = self._rest[size:]


class _Run:
    """One job under way: connections take the next batch in turn, each until it is acknowledged."""

    def __init__(self, job: Job, batches: Iterator[Batch]) -> None:
        self._job = job
        self._batches = batches
        self._lock = Lock()
        self._taken = 0
        self.account = Account(began=time.time())
        self._failures: list[BaseException] = []

    def run(self) -> Account:
        threads = [Thread(target=self._send) for _ in range(self._job.connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._failures:
            raise self._failures[0]
        self.account.ended = time.time()
        return self.account

    def _due(self) -> tuple[Batch, float] | None:
        """Return the next batch and when to send it, or None when the job is done."""
        with self._lock:
            passed = time.time() - self.account.began
            if self._taken >= self._job.spans or passed >= self._job.seconds or self._failures:
                return None
            batch = next(self._batches)
            due = self._taken / self._job.per_second if self._job.per_second else 0.0
            self._taken += batch.spans
            return batch, self.account.began + due

    def _send(self) -> None:
        connection = OtlpConnection(self._job.port, self._job.headers)
        try:
            while (taken := self._due()) is not None:
                batch, due = taken
                time.sleep(max(0.0, due - time.time()))
                self._until_acknowledged(connection, batch)
        except (SendError, OSError) as error:
            self._failures.append(error)
        finally:
            connection.close()

    def _until_acknowledged(self, connection: OtlpConnection, batch: Batch) -> None:
        give_up = time.monotonic() + _TIMEOUT
        while True:
            try:
                status, wait = connection.post(batch.body)
            except OSError:
                self.account.broken += 1
                connection.close()
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.05)
                continue
            if status == 200:
                self.account.acknowledged.append(
                    Acknowledged(batch.wave, batch.index, batch.spans, time.time())
                )
                return
            if status not in (429, 502, 503, 504) or time.monotonic() > give_up:
                raise SendError(f"the collector answered {status}")
            self.account.refused += 1
            time.sleep(min(wait, 1.0))


class LoadGenerator:
    """A process that builds a workload once and then sends parts of it, job after job."""

    def __init__(self, profile: Profile, seed: int = 1) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, profile, seed), daemon=True)
        self._profile = profile
        self._seed = seed
        self._workload: Workload | None = None

    def __enter__(self) -> Self:
        self._process.start()
        assert self._pipe.recv() == "ready"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.join()

    def start(self, job: Job) -> None:
        """Begin a job; `finish` waits for it."""
        self._pipe.send(job)

    def finish(self) -> Account:
        """Wait until the job is done.

        Raises:
            SendError: something was answered that a retry cannot mend.
        """
        found = self._pipe.recv()
        if isinstance(found, str):
            raise SendError(found)
        account: Account = found
        return account

    def run(self, job: Job) -> Account:
        """Do a whole job."""
        self.start(job)
        return self.finish()

    def expected(self, account: Account) -> Iterator[Expected]:
        """Yield every span that was acknowledged, with its cost."""
        if self._workload is None:
            self._workload = Workload(self._profile, self._seed)
        for batch in account.acknowledged:
            yield from self._workload.expected(batch.wave, batch.index)


def _serve(pipe: Connection[Any, Any], profile: Profile, seed: int) -> None:
    batches = Workload(profile, seed).batches(time.time_ns)
    pipe.send("ready")
    while True:
        job: Job = pipe.recv()
        try:
            pipe.send(_Run(job, batches).run())
        except (SendError, OSError) as error:
            pipe.send(str(error))

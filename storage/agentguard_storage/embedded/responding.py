"""How a result leaves: the head that ClickHouse gives it, its parts, and errors at any point."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable
from typing import Any, Final

from agentguard_storage.embedded.compression import ResponseEncoder
from agentguard_storage.embedded.engine import Engine
from agentguard_storage.embedded.errors import EngineError
from agentguard_storage.embedded.exchange import Exchange
from agentguard_storage.embedded.request import QueryRequest

__all__ = ["Response", "send_error"]

_PLAIN: Final = "text/plain; charset=UTF-8"
_CONTENT_TYPES: Final = (
    ("tabseparated", "text/tab-separated-values; charset=UTF-8"),
    ("tsv", "text/tab-separated-values; charset=UTF-8"),
    ("csv", "text/csv; charset=UTF-8"),
    ("jsoneachrow", "application/x-ndjson; charset=UTF-8"),
    ("json", "application/json; charset=UTF-8"),
    ("xml", "application/xml; charset=UTF-8"),
    ("pretty", _PLAIN),
    ("vertical", _PLAIN),
)


class Response:
    """The answer to one statement; `started` is when its work began, in `perf_counter_ns`."""

    def __init__(self, engine: Engine, request: QueryRequest, exchange: Exchange) -> None:
        self._engine = engine
        self._request = request
        self._exchange = exchange
        self._tag = secrets.token_hex(8)
        self._started = time.perf_counter_ns()

    def send(self, output_format: str, result: Any, parts: Iterable[bytes]) -> None:
        """Send head and parts; an error in mid-stream leaves the response visibly unfinished."""
        encoder = ResponseEncoder(self._request.encoding)
        self._exchange.start(200, self._headers(output_format, result, encoder))
        # Each is sent once the next is there: most answers are one part and an end, sent together.
        waiting = b""
        try:
            for part in parts:
                if ready := encoder.add(part):
                    if waiting:
                        self._exchange.send(waiting, more=True)
                    waiting = ready
        except EngineError as error:
            if self._exchange.started:
                broken = (
                    waiting
                    + encoder.add(self._exception_block(str(error).encode()))
                    + encoder.end()
                )
                self._exchange.send(broken, more=True)
            raise
        self._exchange.send(waiting + encoder.end(), more=False)

    def _headers(
        self, output_format: str, result: Any, encoder: ResponseEncoder
    ) -> Iterable[tuple[str, str]]:
        lower = output_format.lower()
        content = (kind for prefix, kind in _CONTENT_TYPES if lower.startswith(prefix))
        yield "content-type", next(content, "application/octet-stream")
        yield "x-clickhouse-summary", self._summary(result)
        yield "x-clickhouse-format", output_format
        yield "x-clickhouse-timezone", self._engine.timezone
        yield "x-clickhouse-exception-tag", self._tag
        yield from _identity(self._engine, self._request.query_id)
        if encoder.name:
            yield "content-encoding", encoder.name

    def _summary(self, result: Any) -> str:
        counts = {
            "read_rows": result.storage_rows_read(),
            "read_bytes": result.storage_bytes_read(),
            "written_rows": result.rows_written(),
            "written_bytes": result.bytes_written(),
            "total_rows_to_read": 0,
            "result_rows": result.rows_read(),
            "result_bytes": result.bytes_read(),
            "elapsed_ns": time.perf_counter_ns() - self._started,
        }
        return json.dumps({name: str(count) for name, count in counts.items()})

    def _exception_block(self, text: bytes) -> bytes:
        tag = self._tag.encode()
        return (
            b"\r\n__exception__\r\n" + tag + b"\r\n" + text + b"\n"
            + str(len(text) + 1).encode() + b" " + tag + b"\r\n__exception__\r\n"
        )  # fmt: skip


def _identity(engine: Engine, query_id: str) -> Iterable[tuple[str, str]]:
    yield "x-clickhouse-query-id", query_id
    yield "x-clickhouse-server-display-name", engine.host


def send_error(engine: Engine, exchange: Exchange, error: EngineError, query_id: str) -> None:
    """Answer with an error, as a whole response."""
    body = f"{error} (version {engine.version} (official build))\n".encode()
    headers = [
        ("content-type", _PLAIN),
        ("content-length", str(len(body))),
        ("x-clickhouse-exception-code", str(error.code)),
        *_identity(engine, query_id),
    ]
    if error.status == 401:
        headers.append(("www-authenticate", 'Basic realm="ClickHouse server HTTP API"'))
    exchange.start(error.status, headers)
    exchange.send(body, more=False)

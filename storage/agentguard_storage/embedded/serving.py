"""Serves one authenticated request in a thread: an INSERT with its data, or a statement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

from agentguard_storage.embedded.compression import BodyError, Readable, decoded
from agentguard_storage.embedded.engine import Engine, Session
from agentguard_storage.embedded.errors import EngineError
from agentguard_storage.embedded.exchange import Exchange
from agentguard_storage.embedded.framing import HEADERS
from agentguard_storage.embedded.request import QueryRequest
from agentguard_storage.embedded.responding import Response
from agentguard_storage.embedded.statement import (
    InsertStatement,
    named_format,
    reads_input,
    split_insert,
)

__all__ = ["serve"]

HEAD_BYTES: Final = 256 << 10
STATEMENT_BYTES: Final = 16 << 20
INSERT_BYTES: Final = 512 << 20
PART_BYTES: Final = 1 << 20
NOT_STREAMED: Final = "Code: 36. DB::Exception: Streaming query is not supported"


def serve(engine: Engine, request: QueryRequest, exchange: Exchange) -> None:
    """Answer `request`; raise `EngineError`, before or after the response has begun."""
    try:
        body = decoded(exchange, request.coding)
        if request.form:
            request = request.with_form(_upto(body, STATEMENT_BYTES))
        text = request.statement.encode()
        insert = split_insert(text)
        if insert is None:
            head = _upto(body, HEAD_BYTES)
            text = text + b"\n" + head if text and head else text or head
            insert = split_insert(text)
        if insert is None:
            text += _upto(body, STATEMENT_BYTES - len(text))
            if body.read(1):
                raise EngineError(307, "TOO_MANY_BYTES", "The statement is too long", status=413)
        response = Response(engine, request, exchange)
        with engine.session(request.user) as session:
            session.apply({**request.settings, "log_comment": request.tag})
            if insert is not None:
                _insert(session, response, insert, body, request.default_format)
            else:
                _statement(session, response, request, text.decode())
    except UnicodeDecodeError as error:
        raise EngineError.bad_request(f"The statement is not UTF-8: {error}") from None


def _insert(
    session: Session,
    response: Response,
    insert: InsertStatement,
    body: Readable,
    output_format: str,
) -> None:
    inserter = session.insert(insert.head, insert.settings, insert.format)
    finished = False
    try:
        part = insert.data + _upto(body, PART_BYTES - len(insert.data))
        room = INSERT_BYTES
        while part:
            room -= len(part)
            if room < 0:
                raise EngineError(307, "TOO_MANY_BYTES", "Insert fewer rows at once", status=413)
            inserter.append(part)
            part = _upto(body, PART_BYTES)
        finished = True
        result = inserter.finish()
    finally:
        if not finished:
            inserter.cancel()
    response.send(output_format, result, ())


def _statement(session: Session, response: Response, request: QueryRequest, sql: str) -> None:
    if reads_input(sql.encode()):
        raise EngineError(
            48,
            "NOT_IMPLEMENTED",
            "input() is not available here: insert into a table of Engine=Null",
        )
    kind, count = session.classify(sql)
    if count != 1:
        what = "Multi-statements are not allowed" if count else "Empty query"
        raise EngineError(62, "SYNTAX_ERROR", f"Syntax error ({what})")
    if request.user == "reader" and kind not in ("READ_ONLY", "UNKNOWN"):
        raise EngineError.access_denied("reader: Not enough privileges: this user may only read")
    output_format = _output_format(session, sql, request.default_format)
    if kind in ("READ_ONLY", "UNKNOWN") and not request.whole:
        header = HEADERS.get(output_format.lower())
        if header is not None:
            # The stream must be closed before its connection is.
            with closing(session.stream(sql, output_format)) as blocks:
                try:
                    first = next(blocks)
                except EngineError as error:
                    if not str(error).startswith(NOT_STREAMED) or kind == "UNKNOWN":
                        raise
                else:
                    response.send(output_format, first, _joined(first, blocks, header))
                    return
    result = session.query(sql, output_format)
    response.send(output_format, result, _slices(result))


def _joined(first: Any, blocks: Iterator[Any], header: Any) -> Iterator[bytes]:
    opening = first.bytes()
    repeated = opening[: header(opening)]
    yield opening
    for block in blocks:
        part = block.bytes().removeprefix(repeated)
        # Totals come in the last block, which has no rows, and there the header follows them.
        yield part if block.rows_read() else part.removesuffix(repeated)


def _slices(result: Any) -> Iterator[bytes]:
    whole = result.bytes()
    for start in range(0, len(whole), PART_BYTES):
        yield whole[start : start + PART_BYTES]


def _output_format(session: Session, sql: str, default: str) -> str:
    named = named_format(sql)
    if named is not None:
        return named or default
    try:
        tree = session.query(f"EXPLAIN AST {sql}", "TSVRaw").data()
    except EngineError:
        # The statement itself will be refused with a better message.
        return default
    outer = [line.split()[1] for line in tree.splitlines() if line.startswith(" Identifier ")]
    return outer[-1] if outer else default


def _upto(body: Readable, size: int) -> bytes:
    parts: list[bytes] = []
    left = size
    try:
        while left > 0 and (part := body.read(left)):
            parts.append(part)
            left -= len(part)
    except BodyError as error:
        raise EngineError(
            354, "ZLIB_INFLATE_FAILED", f"The body cannot be unpacked: {error}", status=400
        ) from None
    return parts[0] if len(parts) == 1 else b"".join(parts)

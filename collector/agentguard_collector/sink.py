"""One INSERT over ClickHouse's HTTP interface, and what its answer means."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, unquote, urlsplit

import httpx2

from agentguard_storage.clickhouse.inbox import INSERT_QUERY, insert_settings

__all__ = ["BadSegment", "NotInserted", "Sink"]

_CHUNK = 1 << 20
_CODE = re.compile(r"Code: (\d+)")

# Errors of the data itself: trying the same bytes again cannot succeed. Every other error is
# retried for ever, because nothing that was acknowledged may be lost to a setting or an outage.
# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
_DATA_ERRORS = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        32,  # ATTEMPT_TO_READ_AFTER_EOF
        33,  # CANNOT_READ_ALL_DATA
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA
        128,  # TOO_LARGE_ARRAY_SIZE
        131,  # TOO_LARGE_STRING_SIZE
        190,  # SIZES_OF_ARRAYS_DONT_MATCH
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        407,  # DECIMAL_OVERFLOW
        436,  # PROTOBUF_BAD_CAST
        444,  # UNKNOWN_PROTOBUF_FORMAT
    }
)


class NotInserted(Exception):  # noqa: N818 - it says what happened
    """The insert failed, or its outcome is unknown; the same token may be tried again."""


class BadSegment(Exception):  # noqa: N818
    """The store cannot read this data and never will."""


class Sink:
    """A long-lived connection to the store. `dsn` is clickhouse://user:password@host:port/db."""

    def __init__(self, dsn: str, *, timeout: float) -> None:
        parts = urlsplit(dsn)
        query = parse_qs(parts.query)
        secure = parts.scheme == "https" or query.get("secure", ["0"])[0] not in ("0", "false")
        port = parts.port or (8443 if secure else 8123)
        self._database = parts.path.strip("/") or "agentguard"
        self._client = httpx2.AsyncClient(
            base_url=f"{'https' if secure else 'http'}://{parts.hostname}:{port}",
            headers={
                "X-ClickHouse-User": unquote(parts.username or "default"),
                "X-ClickHouse-Key": unquote(parts.password or ""),
                "Content-Type": "application/octet-stream",
            },
            timeout=httpx2.Timeout(timeout, connect=5.0),
            limits=httpx2.Limits(max_connections=2, keepalive_expiry=60),
            # The store is on this machine or in this network; a proxy is for the outside.
            trust_env=False,
        )

    async def insert(self, token: str, body: bytes) -> None:
        """Insert one segment. Raises NotInserted or BadSegment."""
        settings = {
            "database": self._database,
            "query": INSERT_QUERY,
            "wait_end_of_query": "1",
            **insert_settings(token),
        }
        try:
            response = await self._client.post(
                "/",
                params=settings,
                content=_chunks(body),
                headers={"Content-Length": str(len(body))},
            )
        except httpx2.HTTPError as error:
            raise NotInserted(f"{type(error).__name__}: {error}") from error
        if response.is_success and "X-ClickHouse-Exception-Code" not in response.headers:
            return
        text = response.text[:1000].strip()
        found = response.headers.get("X-ClickHouse-Exception-Code") or _CODE.search(text)
        code = int(found if isinstance(found, str) else found.group(1)) if found else 0
        if code in _DATA_ERRORS:
            raise BadSegment(text)
        raise NotInserted(f"HTTP {response.status_code}: {text}")

    async def reachable(self) -> bool:
        """Tell whether the store answers at all."""
        try:
            return (await self._client.get("/ping", timeout=2.0)).is_success
        except httpx2.HTTPError:
            return False

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    """Hand the body out in pieces: one large write would be copied again for each part taken."""
    for start in range(0, len(body), _CHUNK):
        yield body[start : start + _CHUNK]

"""A project's window on the store: the one way from a question to ClickHouse."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, Error
from urllib3.exceptions import HTTPError

from agentguard_storage.queries.errors import QueryTooLarge, StoreUnavailable

__all__ = ["Bounds", "Reader", "portions"]

logger = logging.getLogger(__name__)

Id = TypeVar("Id")

# So many ids stay in the URL: clickhouse-connect sends parameters of 4 KB and more as a form.
_AT_ONCE: Final = 80
_PROJECT: Final = "{project:String}"

# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
_TOO_SLOW: Final = frozenset({159, 160})  # TIMEOUT_EXCEEDED, TOO_SLOW
_TOO_LARGE: Final = frozenset({158, 173, 241, 243, 307, 396})  # rows, memory, bytes, result, disk


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that one question may take."""

    seconds: int = 20
    memory_bytes: int = 256 << 20
    result_rows: int = 200_000

    def settings(self) -> dict[str, Any]:
        """As ClickHouse's settings: what reaches a bound fails, it is not cut short."""
        return {
            "max_execution_time": self.seconds,
            "timeout_overflow_mode": "throw",
            "max_memory_usage": self.memory_bytes,
            "max_result_rows": self.result_rows,
            "result_overflow_mode": "throw",
        }


class Reader:
    """Asks about one project. Thread-safe, where the client has no session."""

    def __init__(self, client: Client, project_id: str, bounds: Bounds | None = None) -> None:
        self.client = client
        self.project_id = project_id
        self.bounds = bounds or Bounds()

    def rows(
        self,
        statement: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        formats: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Return what a statement finds, by columns' names.

        The statement compares every table's `project_id` with `{project:String}`, and all else
        that varies is bound too. Raises QueryTooLarge, StoreUnavailable; ValueError for a
        statement without a project.
        """
        with self.asking(statement):
            found = self.client.query(
                statement,
                parameters=self.bound(parameters),
                query_formats=dict(formats) if formats else None,
                settings=self.bounds.settings() | dict(settings or {}),
            )
            return list(found.named_results())

    def bound(self, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
        """The parameters, and the project, which none of them can replace."""
        return {**(parameters or {}), "project": self.project_id}

    @contextmanager
    def asking(self, statement: str) -> Iterator[None]:
        """For what speaks to the client itself: check the statement, and translate errors."""
        if _PROJECT not in statement:
            raise ValueError("a statement that reads spans names its project")
        try:
            yield
        except Error as error:
            if error.code in _TOO_SLOW:
                raise QueryTooLarge(
                    f"this takes longer than {self.bounds.seconds} s: ask for a shorter time, "
                    "or filter more"
                ) from error
            if error.code in _TOO_LARGE:
                raise QueryTooLarge(
                    "this needs more rows or memory than one query may have: ask for a shorter "
                    "time, filter more, or use a smaller limit"
                ) from error
            logger.warning("ClickHouse failed with code %s", error.code, exc_info=True)
            raise StoreUnavailable("the store cannot answer this at the moment") from error
        except (ClickHouseError, HTTPError) as error:
            logger.warning("ClickHouse does not answer", exc_info=True)
            raise StoreUnavailable("the store does not answer at the moment") from error


def portions(ids: Sequence[Id]) -> Iterator[Sequence[Id]]:
    """Cut what may be many ids into as many as one statement binds."""
    for first in range(0, len(ids), _AT_ONCE):
        yield ids[first : first + _AT_ONCE]

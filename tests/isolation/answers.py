"""Answers as plain values, whatever form they have: to compare, and to look for words in."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import pyarrow.parquet
from google.protobuf.message import Message
from pydantic import BaseModel

from agentguard_storage.queries.export import Slice
from tests.isolation.worlds import Asker

__all__ = ["canaries_in", "plain"]


def plain(answer: Any) -> Any:
    """The same in lists, dictionaries and scalars; iterators are read to their end."""
    match answer:
        case None | bool() | int() | float() | str() | Decimal() | datetime():
            return answer
        case bytes():
            return _decoded(answer)
        case Enum():
            return answer.value
        case Message():
            return answer.SerializeToString(deterministic=True).decode("latin-1")
        case BaseModel():
            return plain(answer.model_dump())
        case Mapping():
            return {str(plain(key)): plain(value) for key, value in answer.items()}
        case set() | frozenset():
            return sorted((plain(each) for each in answer), key=repr)
        case _ if dataclasses.is_dataclass(answer):
            names = [field.name for field in dataclasses.fields(answer)]
            return {name: plain(getattr(answer, name)) for name in names}
        case tuple() | list():
            return [plain(each) for each in answer]
        case Slice():
            records = list(answer.records())
            return [
                [
                    plain(record),
                    plain(answer.contents(record)),
                    plain(answer.source(record.source_id)),
                ]
                for record in records
            ]
        case Iterator():
            return _drained(list(answer))
    return repr(answer)


def _drained(pieces: list[Any]) -> Any:
    if pieces and all(isinstance(piece, bytes) for piece in pieces):
        return _decoded(b"".join(pieces))
    return [plain(piece) for piece in pieces]


def _decoded(data: bytes) -> Any:
    if data.startswith(b"PAR1"):
        return plain(pyarrow.parquet.read_table(io.BytesIO(data)).to_pylist())
    try:
        return json.loads(data)
    except ValueError:
        return data.decode("utf-8", "backslashreplace")


def canaries_in(asker: Asker, answer: Any, asked: object = "") -> list[str]:
    """The texts of the asker alone that an answer shows, but for those that were asked with."""
    told = json.dumps(plain(answer), default=str, ensure_ascii=False)
    given = repr(asked)
    return [each for each in asker.canaries if each in told and each not in given]

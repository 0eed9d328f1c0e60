"""OTLP values, as the store keeps them: as plain JSON, and as OTLP/JSON.

What is not text lies there as base64: bytes, and the protobufs of arrays, maps and KeyValues.
OTLP/JSON: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

__all__ = ["otlp_pairs", "otlp_value", "plain_pairs", "plain_value"]

Json: TypeAlias = Any
_STRING, _BOOL, _INT, _DOUBLE, _ARRAY, _KVLIST, _BYTES = range(1, 8)
_EMPTY: Final[dict[str, Json]] = {}


def plain_value(kind: int, text: str) -> Json:
    """Return a stored value as JSON has it: bytes as base64; NaN and infinities as their names."""
    match kind:
        case 1 | 7:
            return text
        case 2:
            return text == "true"
        case 3:
            return int(text)
        case 4:
            return _number(float(text))
        case 5:
            return [_plain(each) for each in ArrayValue.FromString(b64decode(text)).values]
        case 6:
            return _plain_map(KeyValueList.FromString(b64decode(text)).values)
        case _:
            return None


def plain_pairs(pairs: Iterable[str]) -> dict[str, Json]:
    """Return KeyValue protobufs as a JSON object."""
    return _plain_map(KeyValue.FromString(b64decode(pair)) for pair in pairs)


def otlp_value(kind: int, text: str) -> dict[str, Json]:
    """Return a stored value as an AnyValue of OTLP/JSON."""
    match kind:
        case 1:
            return {"stringValue": text}
        case 2:
            return {"boolValue": text == "true"}
        case 3:
            return {"intValue": text}
        case 4:
            return {"doubleValue": _number(float(text))}
        case 5:
            return _otlp(AnyValue(array_value=ArrayValue.FromString(b64decode(text))))
        case 6:
            return _otlp(AnyValue(kvlist_value=KeyValueList.FromString(b64decode(text))))
        case 7:
            return {"bytesValue": text}
        case _:
            return _EMPTY


def otlp_pairs(pairs: Iterable[str]) -> list[dict[str, Json]]:
    """Return KeyValue protobufs as OTLP/JSON has attributes."""
    return [_otlp_pair(KeyValue.FromString(b64decode(pair))) for pair in pairs]


def _number(value: float) -> float | str:
    # The names are those of protobuf's JSON mapping.
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _plain(value: AnyValue) -> Json:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [_plain(each) for each in value.array_value.values]
        case "kvlist_value":
            return _plain_map(value.kvlist_value.values)
        case "bytes_value":
            return b64encode(value.bytes_value).decode()
        case "double_value":
            return _number(value.double_value)
        case kind:
            return getattr(value, kind)


def _plain_map(pairs: Iterable[KeyValue]) -> dict[str, Json]:
    return {pair.key: _plain(pair.value) for pair in pairs}


def _otlp_pair(pair: KeyValue) -> dict[str, Json]:
    made: dict[str, Json] = {"key": pair.key}
    if pair.HasField("value"):
        made["value"] = _otlp(pair.value)
    return made


def _otlp(value: AnyValue) -> dict[str, Json]:
    match value.WhichOneof("value"):
        case None:
            return _EMPTY
        case "array_value":
            return {"arrayValue": {"values": [_otlp(each) for each in value.array_value.values]}}
        case "kvlist_value":
            return {
                "kvlistValue": {"values": [_otlp_pair(each) for each in value.kvlist_value.values]}
            }
        case "bytes_value":
            return {"bytesValue": b64encode(value.bytes_value).decode()}
        case "int_value":
            return {"intValue": str(value.int_value)}
        case "double_value":
            return {"doubleValue": _number(value.double_value)}
        case "bool_value":
            return {"boolValue": value.bool_value}
        case _:
            return {"stringValue": value.string_value}

"""OTLP values as plain Python values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

__all__ = ["plain", "plain_attributes", "plain_map", "plain_pairs"]


def plain_attributes(pairs: Iterable[KeyValue]) -> dict[str, object]:
    """Return OTLP attributes as plain Python values."""
    return {pair.key: plain(pair.value) for pair in pairs}


def plain(value: AnyValue) -> object:
    """Return an OTLP value as a plain Python value; None where it is absent."""
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [plain(item) for item in value.array_value.values]
        case "kvlist_value":
            return plain_attributes(value.kvlist_value.values)
        case kind:
            return getattr(value, kind)


def plain_pairs(pairs: Sequence[str]) -> dict[str, object]:
    """Return the attributes of an event, link or scope: OTLP KeyValue protobufs, in hex."""
    if not pairs:
        return {}
    return plain_attributes(KeyValue.FromString(bytes.fromhex(pair)) for pair in pairs)


def plain_map(
    keys: Sequence[str], values: Sequence[str], types: Sequence[int]
) -> dict[str, object]:
    """Return the attributes of a map whose first values are strings and whose last have `types`.

    Values of arrays, maps and bytes are in hex. It is what a trace of thousands of spans is opened
    with: no protobuf is made for a value that is stored as text.
    """
    found: dict[str, object] = dict(zip(keys, values, strict=True))
    if types:
        strings = len(keys) - len(types)
        typed = zip(keys[strings:], values[strings:], types, strict=True)
        # A key that is there twice has its last value, as everywhere.
        found.update((key, _TYPED[kind](value)) for key, value, kind in typed)
    return found


# The store keeps a value's type as the number of AnyValue's field:
# https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/common/v1/common.proto
_TYPED: Final[Mapping[int, Callable[[str], object]]] = {
    0: lambda _: None,
    1: str,
    2: "true".__eq__,
    3: int,
    4: float,
    5: lambda text: [plain(item) for item in ArrayValue.FromString(bytes.fromhex(text)).values],
    6: lambda text: plain_attributes(KeyValueList.FromString(bytes.fromhex(text)).values),
    7: bytes.fromhex,
}

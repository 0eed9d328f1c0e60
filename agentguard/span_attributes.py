"""A span's attributes, read and written for a part of what OpenTelemetry's own way takes.

That way takes locks, and looks into each value anew, recursively: to set four attributes takes half
as long as to make a span.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.trace import Span
from opentelemetry.util.types import AttributeValue

__all__ = ["add_attributes", "attributes_of"]

_TEXT: Final = frozenset({str})
_PLAIN: Final = _TEXT | {int, float, bool}
_PLAIN_OR_SEVERAL: Final = _PLAIN | {tuple}


def attributes_of(span: object) -> Mapping[str, AttributeValue]:
    """The span's attributes, to be read and not to be kept."""
    plain = getattr(getattr(span, "_attributes", None), "_dict", None)
    if isinstance(plain, dict):
        return plain
    return dict(getattr(span, "attributes", None) or {})


def add_attributes(span: Span, attributes: Mapping[str, AttributeValue]) -> None:
    """What `span.set_attributes` does, and as it does it where there is anything to decide.

    That is where the provider limits the length of values, the span is full, or a value is not
    plain.
    """
    bounded = getattr(span, "_attributes", None)
    if type(bounded) is BoundedAttributes and bounded.max_value_len is None:
        inside, most = bounded._dict, bounded.maxlen
        has_room = most is None or len(inside) + len(attributes) <= most
        if has_room and _are_plain(attributes.values()) and span.is_recording():
            # In one step, as with the lock that is not taken for it.
            inside.update(attributes)
            return
    span.set_attributes(attributes)


def _are_plain(values: Collection[object]) -> bool:
    # Written so that no step of it is taken in Python for each value.
    kinds = set(map(type, values))
    if kinds <= _PLAIN:
        return True
    return kinds <= _PLAIN_OR_SEVERAL and all(
        _TEXT.issuperset(map(type, value)) for value in values if type(value) is tuple
    )

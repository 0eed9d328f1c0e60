"""The schema: numbered `.sql` files, rendered for one server or for a cluster.

Placeholders in braces stand for what the two topologies, or Python, must fill in; a literal brace
is doubled, as in `str.format`.
"""

import re
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Final

from agentguard_storage.clickhouse.short_texts import SHORT_TEXTS
from agentguard_storage.clickhouse.vocabulary import CODES, FIELDS, LAST_TOKEN_CODE

# What an AnyValue holds, numbered as its fields are.
_KINDS: Final = ("none", "string", "bool", "int", "double", "array", "kvlist", "bytes")
_KIND: Final = "Enum8(" + ", ".join(f"'{k}' = {n}" for n, k in enumerate(_KINDS)) + ")"
_MATCH: Final = (
    "(multiIf(kind = 'exact', {name} = pattern, kind = 'prefix', startsWith({name}, pattern),"
    " kind = 'suffix', endsWith({name}, pattern), kind = 'contains', position({name}, pattern) > 0,"
    " match({name}, regex)) AND (unless = '' OR NOT match({name}, unless)))"
)

# OTLP's messages as the proto beside this file has them.
_ATTRIBUTES: Final = "Array(Tuple(key String, value String))"
_RESOURCE: Final = (
    f"Tuple(attributes {_ATTRIBUTES}, dropped_attributes_count UInt32, entity_refs Array(String))"
)
_SCOPE: Final = (
    "Tuple(name String, version String, attributes Array(String), dropped_attributes_count UInt32)"
)
_EVENT: Final = (
    "Tuple(time_unix_nano UInt64, name String, attributes Array(String),"
    " dropped_attributes_count UInt32)"
)
_LINK: Final = (
    "Tuple(trace_id String, span_id String, trace_state String, attributes Array(String),"
    " dropped_attributes_count UInt32, flags UInt32)"
)
_SPAN: Final = (
    "Tuple(trace_id String, span_id String, trace_state String, parent_span_id String,"
    " name String, kind Int32, start_time_unix_nano UInt64, end_time_unix_nano UInt64,"
    f" attributes {_ATTRIBUTES}, dropped_attributes_count UInt32, events Array({_EVENT}),"
    f" dropped_events_count UInt32, links Array({_LINK}), dropped_links_count UInt32,"
    " status Tuple(message String, code Int32), flags UInt32)"
)
# An AnyValue is one protobuf field: a byte whose upper bits are the kind, then the value. Before a
# string comes its length, in bytes of which all but the last have their highest bit set: a second
# byte below 128 is the whole length. (Were a value written as two fields, which none of OTLP's is,
# the second would be taken for text of the first.)
_HEAD_OF: Final = "reinterpretAsUInt16(substring({0}, 1, 2))"
_KIND_OF: Final = "if(bitAnd({0}, 0xff) < 64, toInt8(bitShiftRight(bitAnd({0}, 0xff), 3)), 0)"
_ENDS: Final = "bitAnd(bitNot(reinterpretAsUInt32(substring({0}, 2, 4))), 0x80808080)"
_TEXT_OF: Final = f"substring({{0}}, 2 + bitShiftRight(bitCount(bitXor({_ENDS}, {_ENDS} - 1)), 3))"


# A protobuf integer has 7 bits in each byte, the lowest first: they are put together two by two.
_PAIRS: Final = (
    ("0x0fffffff", "0x0fffffff00000000", 4),
    ("0x3fff00003fff", "0x3fff00003fff0000", 2),
    ("0x7f007f007f007f", "0x7f007f007f007f00", 1),
)
_INTEGERS: Final = (
    "arrayMap((n, v) -> reinterpretAsInt64(n"
    " + bitShiftLeft(bitAnd(reinterpretAsUInt64(substring(v, 10, 1)), 127), 56)"
    " + bitShiftLeft(reinterpretAsUInt64(substring(v, 11, 1)), 63)), "
    + "".join(
        f"arrayMap(n -> bitOr(bitAnd(n, {low}), bitShiftRight(bitAnd(n, {high}), {bits})), "
        for low, high, bits in _PAIRS
    )
    + "arrayMap(v -> reinterpretAsUInt64(substring(v, 2, 8)), other_values)))), other_values)"
)
_TEXTS_OF_OTHERS: Final = (
    f"arrayMap((t, v, n) -> multiIf(t = {_KINDS.index('int')}, toString(n),"
    f" t = {_KINDS.index('double')}, toString(reinterpretAsFloat64(substring(v, 2))),"
    f" t = {_KINDS.index('bool')}, if(endsWith(v, '\\x01'), 'true', 'false'),"
    f" {_TEXT_OF.format('v')}), other_types, other_values, {_INTEGERS})"
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step: its statements are run in order and may all be run again."""

    number: int
    name: str
    statements: tuple[str, ...]


def _array(values: list[str]) -> str:
    return "[" + ", ".join(values) + "]"


_FILLED: Final = {
    "any_value_kind": _KIND,
    "known_keys": _array([f"'{key}'" for keys in FIELDS.values() for key in keys]),
    "known_codes": _array([str(CODES[f]) for f, keys in FIELDS.items() for _ in keys]),
    "last_token_code": str(LAST_TOKEN_CODE),
    "resource": _RESOURCE,
    "short_texts": SHORT_TEXTS,
    "scope": _SCOPE,
    "span": _SPAN,
    "texts_of_others": _TEXTS_OF_OTHERS,
}


def _fill(match: re.Match[str], *, cluster: str | None) -> str:
    if match[0] in ("{{", "}}"):
        return match[0][0]
    name, _, argument = match[1].partition(":")
    match name:
        case "code":
            return str(CODES[argument])
        case "match":
            return _MATCH.format(name=argument)
        case "kind":
            return str(_KINDS.index(argument))
        case "head_of":
            return _HEAD_OF.format(argument)
        case "kind_of":
            return _KIND_OF.format(argument)
        case "text_of":
            return _TEXT_OF.format(argument)
        case "local":
            return f"{argument}_local" if cluster else argument
        case "engine":
            return f"Replicated{argument}" if cluster else argument
        case "everywhere":
            path = "('/clickhouse/tables/{uuid}/all', '{shard}-{replica}')"
            return f"Replicated{argument}{path}" if cluster else argument
        case "kept_settings":
            kind = "replicated" if cluster else "non_replicated"
            return f"{kind}_deduplication_window = 10000"
        case "on_cluster":
            return f"ON CLUSTER `{cluster}`" if cluster else ""
        case _:
            return _FILLED[name]


def migrations(cluster: str | None = None) -> list[Migration]:
    """Every migration in order, for a single server or for the named cluster.

    Number 0 is the table that the others are recorded in.
    """
    fill = partial(_fill, cluster=cluster)
    steps = []
    for file in sorted(files(__package__).joinpath("schema").iterdir(), key=lambda f: f.name):
        number, _, name = file.name.removesuffix(".sql").partition("_")
        text = re.sub(r"\{\{|\}\}|\{([a-z_]+(?::[A-Za-z_.]+)?)\}", fill, file.read_text("utf-8"))
        statements = tuple(s.strip() for s in re.split(r";\s*\n", text) if s.strip())
        if cluster:
            statements += tuple(_distributed(name, cluster) for name in _KEPT.findall(text))
        steps.append(Migration(int(number), name, statements))
    return steps


_KEPT: Final = re.compile(r"CREATE TABLE IF NOT EXISTS ([a-z_]+)_local")


def _distributed(table: str, cluster: str) -> str:
    # A trace's spans may lie on several shards: readers group by trace, so none is preferred.
    return (
        f"CREATE TABLE IF NOT EXISTS {table} ON CLUSTER `{cluster}` AS {table}_local"
        f" ENGINE = Distributed(`{cluster}`, currentDatabase(), {table}_local, rand())"
    )

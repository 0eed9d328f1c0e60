"""The schema: numbered `.sql` files, rendered for one server or for a cluster.

Placeholders in braces stand for what the two topologies, or Python, must fill in; a literal brace
is doubled, as in `str.format`.
"""

import re
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Final

from agentguard_storage.clickhouse.vocabulary import CODES, FIELDS, LAST_TOKEN_CODE

_KIND: Final = (
    "Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5,"
    " 'kvlist' = 6, 'bytes' = 7)"
)
_MATCH: Final = (
    "(multiIf(kind = 'exact', {name} = pattern, kind = 'prefix', startsWith({name}, pattern),"
    " kind = 'suffix', endsWith({name}, pattern), kind = 'contains', position({name}, pattern) > 0,"
    " match({name}, regex)) AND (unless = '' OR NOT match({name}, unless)))"
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
    "known_codes": _array([f"toUInt8({CODES[f]})" for f, keys in FIELDS.items() for _ in keys]),
    "last_token_code": str(LAST_TOKEN_CODE),
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
        case "local":
            return f"{argument}_local" if cluster else argument
        case "engine":
            return f"Replicated{argument}" if cluster else argument
        case "everywhere":
            path = "('/clickhouse/tables/{uuid}/all', '{shard}-{replica}')"
            return f"Replicated{argument}{path}" if cluster else argument
        case "kept_settings":
            kind = "replicated" if cluster else "non_replicated"
            # A wide part has two files for each of a hundred columns: not for merges of seconds.
            return f"{kind}_deduplication_window = 10000, min_bytes_for_wide_part = 536870912"
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

"""The vocabulary in the views of otel_traces: `python -m tests.deploy.otelcol_words` writes it."""

from __future__ import annotations

import re
from pathlib import Path

from agentguard.vocabulary import FIELDS
from agentguard_storage.clickhouse.short_texts import SHORT_TEXTS

FOLDER = Path(__file__).parents[2] / "deploy" / "otelcol"
_BLOCK = re.compile(r"( *-- from the vocabulary: )([a-z_, ]+)\n(?:.*\n)*?( *-- so far\n)")
_SHORT = re.compile(r"( *-- as in `spans`: said\n)(?:.*\n)*?( *-- so far\n)")


def with_words(sql: str) -> str:
    """The SQL with its marked blocks filled: what a span says of each field that a mark names."""
    return _SHORT.sub(_with_short_texts, _BLOCK.sub(_filled, sql))


def files() -> list[Path]:
    """The files with SQL, in the order in which they are run."""
    return [*sorted(FOLDER.glob("views/*.sql")), FOLDER / "prices.sql"]


def _filled(block: re.Match[str]) -> str:
    mark, fields, end = block.groups()
    return f"{mark}{fields}\n{''.join(map(_said, fields.split(', ')))}{end}"


def _with_short_texts(block: re.Match[str]) -> str:
    # A view has no index, which would look for words of any case.
    return f"{block[1]}    lower({SHORT_TEXTS}) AS said,\n{block[2]}"


def _said(field: str) -> str:
    words = [f"SpanAttributes['{name}']" for name in FIELDS[field]]
    if len(words) == 1:
        return f"    {words[0]} AS said_{field},\n"
    listed = ",\n        ".join(words)
    return f"    arrayFirst(v -> v != '', [\n        {listed}]) AS said_{field},\n"


if __name__ == "__main__":
    for file in files():
        file.write_text(with_words(file.read_text(encoding="utf-8")), encoding="utf-8")

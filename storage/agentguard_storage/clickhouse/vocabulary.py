"""The codes by which the ingest views find the fields of `agentguard.vocabulary` on a span.

The views look every key of a span up once, so a further name for a field costs nothing there.
"""

from typing import Final

from agentguard.vocabulary import FIELDS

__all__ = ["CODES", "FIELDS", "LAST_TOKEN_CODE"]

CODES: Final[dict[str, int]] = {field: code for code, field in enumerate(FIELDS, start=1)}
LAST_TOKEN_CODE: Final = CODES["total_tokens"]

"""What a span says in its attributes that is short enough to have stayed among them.

Long texts are in `blobs`, with a text index. Of the others those are searched that are read rather
than compared: what models and tools are told and say, and whatever has several words.
"""

from typing import Final

__all__ = ["SHORT_TEXTS"]

_KEYS: Final = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "input.value",
    "output.value",
    "tool.parameters",
    "traceloop.entity.input",
    "traceloop.entity.output",
)
# One attribute for each part of each message.
_BEGINNINGS: Final = (
    "gen_ai.prompt.",
    "gen_ai.completion.",
    "llm.input_messages.",
    "llm.output_messages.",
)

SHORT_TEXTS: Final = (
    "arrayStringConcat(arrayFilter((v, k) -> position(v, ' ') > 0 OR k IN ("
    + ", ".join(f"'{key}'" for key in _KEYS)
    + ")"
    + "".join(f" OR startsWith(k, '{beginning}')" for beginning in _BEGINNINGS)
    + ", mapValues(attributes), mapKeys(attributes)), '\\n')"
)
"""An expression over a row of `spans`: what its column `said` holds."""

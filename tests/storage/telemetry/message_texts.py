"""Texts that message contents are written in, and texts that merely look like them."""

import json

from hypothesis import strategies as st

CONVERSATION = [
    {"role": "system", "parts": [{"type": "text", "content": "Be brief. " * 30}]},
    {"role": "user", "parts": [{"type": "text", "content": 'naïve 漢字 🛰️ \u202e "quoted" \\ \n'}]},
    {"role": "assistant", "parts": [{"type": "tool_call", "id": "1", "arguments": {"a": [{}]}}]},
    {"role": "user", "parts": []},
]
_COMPACT = {"separators": (",", ":")}

CONTENTS = {
    "compact, as the conventions write it": json.dumps(CONVERSATION, **_COMPACT),
    "with spaces, as json.dumps writes it": json.dumps(CONVERSATION),
    "not escaped to ASCII": json.dumps(CONVERSATION, ensure_ascii=False),
    "compact, not escaped": json.dumps(CONVERSATION, ensure_ascii=False, **_COMPACT),
    "indented": json.dumps(CONVERSATION, indent=2),
    "one message": json.dumps(CONVERSATION[:1], **_COMPACT),
    "roles last": json.dumps([dict(reversed(m.items())) for m in CONVERSATION], **_COMPACT),
    "both separators": json.dumps(CONVERSATION) + json.dumps(CONVERSATION, **_COMPACT),
    "an object around": json.dumps({"messages": CONVERSATION}, **_COMPACT),
    "cut off": json.dumps(CONVERSATION, **_COMPACT)[:-1],
    "a mark in a message": json.dumps([{"role": "user", "content": '},{"role"' * 20}], **_COMPACT),
    "marks alone": '},{"role"' * 30,
    "spaced marks alone": '}, {"role"' * 30,
    "ends alone": "}]" * 80,
    "a mark and an end": '},{"role"' + "x" * 128 + '},{"role"}]',
}
_PARTS = (
    *('},{"role"', '}, {"role"', '{"role"', '"role"', "},{", "}, {", "}]", "}", "]", '[{"role":'),
    *(" ", ",", "x" * 20, "x" * 127, "é", "漢", "\0", "\\", '"', "\n", "🛰️"),
)


def content_texts() -> st.SearchStrategy[str]:
    """Texts of cut marks and what is near them, many with a length at the edge of being cut."""
    joined = st.lists(st.sampled_from(_PARTS), max_size=25).map("".join)
    lengths = st.integers(126, 130)
    return joined | st.builds(_stretched, joined, lengths) | st.text(max_size=200)


def _stretched(text: str, length: int) -> str:
    # In bytes, for that is what decides whether a text is cut.
    kept = text.encode()[:length].decode(errors="ignore")
    return "x" * (length - len(kept.encode())) + kept

"""The text form of an API key: `agk_<id>_<secret><checksum>`.

The id is 12, the secret 32 and the checksum 6 base62 characters (about 190 bits of secret). The
checksum is the CRC-32 of everything before it, so a mistyped or truncated key is told from a
wrong one without asking anybody, and secret scanners find few false positives.
"""

import re
import secrets
import string
import zlib
from dataclasses import dataclass, field

from agentguard_storage.control.errors import InvalidKey

PREFIX = "agk_"
ID_LENGTH = 12
SECRET_LENGTH = 32
CHECKSUM_LENGTH = 6
KEY_LENGTH = len(PREFIX) + ID_LENGTH + 1 + SECRET_LENGTH + CHECKSUM_LENGTH

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_VALUE = {character: value for value, character in enumerate(_ALPHABET)}
_SHAPE = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{ID_LENGTH}}})_[0-9A-Za-z]{{38}}")
_MALFORMED = (
    f"this is not an AgentGuard API key: expected {KEY_LENGTH} characters, "
    f"{PREFIX}<id>_<secret>; check that it was copied whole"
)


@dataclass(slots=True)
class PresentedKey:
    """A well-formed key, as somebody presented it. Its text never shows in a repr."""

    key_id: str
    text: str = field(repr=False)

    def __str__(self) -> str:
        return f"{PREFIX}{self.key_id}_..."


def new_key() -> PresentedKey:
    """Draw a new key from the operating system's random source."""
    key_id = _random(ID_LENGTH)
    body = f"{PREFIX}{key_id}_{_random(SECRET_LENGTH)}"
    return PresentedKey(key_id, body + _checksum(body))


def parse_key(text: str) -> PresentedKey:
    """Check the shape and the checksum of a presented key; touches nothing but its argument.

    Raises InvalidKey, with a message that does not repeat the text.
    """
    shape = _SHAPE.fullmatch(text)
    if shape is None or not _checksum_matches(text):
        raise InvalidKey(_MALFORMED)
    return PresentedKey(shape[1], text)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    rest = zlib.crc32(body.encode())
    digits = ""
    for _ in range(CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


def _checksum_matches(text: str) -> bool:
    claimed = 0
    for character in text[-CHECKSUM_LENGTH:]:
        claimed = claimed * len(_ALPHABET) + _VALUE[character]
    return claimed == zlib.crc32(text[:-CHECKSUM_LENGTH].encode())

"""The text form of API keys."""

import string
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentguard_storage.control.errors import InvalidKey
from agentguard_storage.control.keyformat import KEY_LENGTH, new_key, parse_key

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def with_checksum(body: str) -> str:
    """The whole key for a body: CRC-32 in six base62 digits, the highest first."""
    value = zlib.crc32(body.encode())
    return body + "".join(BASE62[value // 62**place % 62] for place in range(5, -1, -1))


KEYS = st.from_regex(r"agk_[0-9A-Za-z]{12}_[0-9A-Za-z]{32}", fullmatch=True).map(with_checksum)


def test_new_key_has_the_documented_shape():
    """A new key is agk_, 12 characters, an underscore, then 38, and parses to itself."""
    key = new_key()
    prefix, key_id, rest = key.text.split("_")
    assert (prefix, len(key_id), len(rest), len(key.text)) == ("agk", 12, 38, KEY_LENGTH)
    assert set(key_id + rest) <= set(BASE62)
    assert parse_key(key.text) == key


@given(KEYS)
def test_every_key_with_the_documented_checksum_is_well_formed(text):
    """The checksum is CRC-32 in base62: digits, then upper case, then lower case."""
    assert parse_key(text).key_id == text[4:16]


def test_keys_do_not_repeat():
    """A thousand keys have a thousand ids and secrets."""
    keys = [new_key() for _ in range(1000)]
    assert len({key.key_id for key in keys}) == len({key.text[17:49] for key in keys}) == 1000


@given(KEYS, st.sampled_from(string.printable + "é\x00"))
def test_every_single_character_change_is_refused(text, character):
    """A key with the character at any one place changed is malformed."""
    for position in range(KEY_LENGTH):
        changed = text[:position] + character + text[position + 1 :]
        if changed != text:
            with pytest.raises(InvalidKey):
                parse_key(changed)


@given(KEYS)
def test_case_flips_are_refused(text):
    """A key with any one letter's case flipped, or all of them, is malformed."""
    flips = [text[:at] + text[at].swapcase() + text[at + 1 :] for at in range(KEY_LENGTH)]
    for flipped in {*flips, text.swapcase(), text.lower(), text.upper()} - {text}:
        with pytest.raises(InvalidKey):
            parse_key(flipped)


@given(KEYS)
def test_every_truncation_and_extension_is_refused(text):
    """A key that lost characters at either end, or gained one, is malformed."""
    damaged = [text[:end] for end in range(KEY_LENGTH)] + [text[1:], text + "0", text + "\n"]
    for one in damaged:
        with pytest.raises(InvalidKey):
            parse_key(one)


@given(st.text() | st.from_regex(r"agk_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}", fullmatch=True))
@example("\ud800")
@example("")
@example("agk_" + "\u0660" * 12 + "_" + "\u0661" * 38)
def test_any_other_text_is_an_invalid_key_and_nothing_else(text):
    """Whatever is presented, the answer is InvalidKey, and it does not repeat the text."""
    with pytest.raises(InvalidKey) as refused:
        parse_key(text)
    assert len(text) < KEY_LENGTH or text not in str(refused.value)


def test_a_presented_key_hides_its_text():
    """Neither repr nor str of a key shows its secret."""
    key = new_key()
    for shown in (repr(key), str(key), f"{key}"):
        assert key.text[17:] not in shown
        assert key.key_id in shown

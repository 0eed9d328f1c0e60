"""Where an INSERT's text ends and its data begins, and which format a statement names."""

from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard_storage.embedded.compression import decoded, negotiate
from agentguard_storage.embedded.errors import EngineError
from agentguard_storage.embedded.statement import named_format, reads_input, split_insert


@given(st.binary())
def test_data_after_the_format_is_untouched(data: bytes):
    """Whatever bytes follow the line with FORMAT are the data, unchanged."""
    insert = split_insert(
        b"INSERT INTO a.b (x, `FORMAT`) SETTINGS s = ' VALUES ' FORMAT Native\n" + data
    )
    assert insert is not None
    assert (insert.format, insert.data) == ("Native", data)
    assert insert.head == "INSERT INTO a.b (x, `FORMAT`) "
    assert insert.settings == "SETTINGS s = ' VALUES ' "


@given(st.text())
def test_any_text_is_split_or_left_alone(text: str):
    """No statement, however odd, breaks the search for its data."""
    assert split_insert(b"SELECT " + text.encode(errors="replace")) is None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"SELECT 1 FORMAT CSV",
        b"INSERT INTO t SELECT 1 FORMAT CSV",
        b"INSERT INTO t; DROP TABLE t FORMAT CSV",
        b"INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV",
        b"INSERT INTO t FORMAT",
        b"WITH 1 AS x SELECT x",
    ],
)
def test_statements_that_bring_no_data(text: bytes):
    """Other statements are left to the engine whole."""
    assert split_insert(text) is None


def test_formats_named_at_the_end():
    """A trailing FORMAT is read, its absence known, and doubt admitted."""
    assert named_format("SELECT 1 FORMAT Native") == "Native"
    assert named_format("select 1\nformat json ;\n") == "json"
    assert named_format("SELECT 1") == ""
    assert named_format("SELECT 1 -- FORMAT CSV") is None
    assert named_format("SELECT formatReadableSize(1)") is None


def test_input_is_found_outside_strings_only():
    """input() is recognised as a call, not as a word in a string or another statement."""
    assert reads_input(b"INSERT INTO t SELECT * FROM input('a Int') FORMAT CSV")
    assert not reads_input(b"INSERT INTO t SELECT 'input(1)', input FROM x")
    assert not reads_input(b"SELECT input(1)")


@pytest.mark.parametrize(
    ("accepts", "chosen"),
    [
        ("", ""),
        ("identity", ""),
        ("br, zstd", "zstd"),
        ("lz4;q=0, gzip;q=0.5", "gzip"),
        ("GZIP", "gzip"),
    ],
)
def test_negotiation(accepts: str, chosen: str):
    """The first coding that both sides know is taken; q=0 rules one out."""
    assert negotiate(accepts) == chosen


def test_a_bomb_unpacks_in_bounded_parts():
    """A few kilobytes that unpack to a gigabyte are read in parts of the size asked for."""
    packed = gzip.compress(bytes(50_000_000))
    assert len(packed) < 100_000
    reader = decoded(io.BytesIO(packed), "gzip")
    assert len(reader.read(1 << 20)) <= 1 << 20


def test_an_unknown_coding_is_named():
    """An unknown coding is refused with what may be used instead."""
    with pytest.raises(EngineError, match="use gzip, lz4 or zstd"):
        decoded(io.BytesIO(b""), "br")


@pytest.mark.parametrize(
    ("text", "code", "name", "status"),
    [
        (
            "Code: 60. DB::Exception: Unknown table x. (UNKNOWN_TABLE) (version 26.9.2.1)",
            60,
            "UNKNOWN_TABLE",
            404,
        ),
        (
            "Code: 452. DB::Exception: Code: 452. DB::Exception: a (b). (SETTING_CONSTRAINT_VIOLATION) "  # noqa: E501
            "(version 26.9.2.1). (SETTING_CONSTRAINT_VIOLATION)",
            452,
            "SETTING_CONSTRAINT_VIOLATION",
            500,
        ),
        ("something else", 1001, "STD_EXCEPTION", 500),
    ],
)
def test_the_engines_error_text_is_understood(text: str, code: int, name: str, status: int):
    """Wrapped errors are unwrapped to one code and one name."""
    error = EngineError.parse(text)
    assert (error.code, error.name, error.status) == (code, name, status)
    assert str(error).count("DB::Exception") == (1)
    assert str(error).count(f"({name})") == 1

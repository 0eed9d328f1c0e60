"""Minting, listing and revoking API keys."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import text

from agentguard_storage.control import ApiKeys, ControlDatabase, Pepper, Projects, Scope, upgrade
from agentguard_storage.control.errors import InvalidValue, UnknownKey, UnknownProject


def test_a_key_is_stored_without_its_secret(control_db, control_keys, control_project):
    """No column of any table holds the plaintext or the secret part of a key."""
    _, plaintext = control_keys.mint(control_project.id, ["ingest"], "first")
    with control_db.connection() as connection:
        rows = connection.execute(text("SELECT * FROM api_keys")).all()
    assert plaintext[4:16] in repr(rows)
    assert plaintext[17:49] not in repr(rows)


def test_the_database_file_never_holds_the_secret(control_sqlite, control_pepper, tmp_path):
    """Not one byte sequence of the SQLite files is the secret of a key."""
    upgrade(control_sqlite)
    database = ControlDatabase(control_sqlite)
    project = Projects(database).ensure_default()
    _, plaintext = ApiKeys(database, control_pepper).mint(project.id, ["ingest"])
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("control.db*"))
    database.close()
    assert plaintext[4:16].encode() in stored
    assert plaintext[17:49].encode() not in stored


def test_a_minted_key_is_listed(control_keys, control_project):
    """A key is listed with its name, scopes and expiry, per project and overall."""
    expiry = datetime(2100, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    key, _ = control_keys.mint(control_project.id, ["read", "ingest"], "ci", expiry)
    for listed in (control_keys.list(), control_keys.list(control_project.id)):
        assert [one.key_id for one in listed] == [key.key_id]
        assert listed[0].name == "ci"
        assert listed[0].scopes == {Scope.READ, Scope.INGEST}
        assert listed[0].expires_at == expiry
        assert listed[0].expires_at.tzinfo is UTC
        assert listed[0].revoked_at is listed[0].last_used_at is None
    assert control_keys.list("prj_other") == []


def test_revoking_is_final_and_keeps_its_first_time(control_keys, control_key):
    """A revoked key stays listed, with the time of the first revocation."""
    first = control_keys.revoke(control_key[0].key_id).revoked_at
    assert control_keys.revoke(control_key[0].key_id).revoked_at == first
    assert control_keys.list()[0].revoked_at == first


@pytest.mark.parametrize("key_id", ["unknown", "", "a\x00b"])
def test_revoking_no_key_is_told(control_keys, control_project, key_id):
    """Revoking an id that no key has is a clear error."""
    with pytest.raises((UnknownKey, InvalidValue)):
        control_keys.revoke(key_id)


@pytest.mark.parametrize("scopes", [[], ["write"], ["ingest", "Admin"], "everything"])
def test_bad_scopes_are_refused_with_the_choices(control_keys, control_project, scopes):
    """Scopes that there are not, or none at all, are refused."""
    with pytest.raises(InvalidValue, match=r"ingest, read, .*admin"):
        control_keys.mint(control_project.id, scopes)
    assert control_keys.list() == []


def test_one_scope_may_be_given_as_text(control_keys, control_project):
    """A single scope given as a plain string is that scope, not its letters."""
    assert control_keys.mint(control_project.id, "read")[0].scopes == {Scope.READ}


def test_bad_expiries_are_refused(control_keys, control_project):
    """An expiry in the past, or without a time zone, is refused."""
    with pytest.raises(InvalidValue, match="past"):
        control_keys.mint(control_project.id, ["read"], "k", datetime.now(UTC))
    with pytest.raises(InvalidValue, match="time zone"):
        control_keys.mint(control_project.id, ["read"], "k", datetime(2100, 1, 1))  # noqa: DTZ001
    assert control_keys.list() == []


def test_a_key_needs_a_project(control_keys, control_project):
    """Minting for an unknown project is refused by name."""
    with pytest.raises(UnknownProject, match="prj_missing"):
        control_keys.mint("prj_missing", ["read"])


def test_nothing_that_holds_a_secret_shows_it(control_db, control_keys, control_key):
    """No repr or str of the control plane's objects shows a secret, a hash or the pepper."""
    key, plaintext = control_key
    pepper = Pepper("correct horse battery staple 12345", "the test")
    shown = f"{key!r} {key} {pepper!r} {pepper} {control_db!r} {control_keys!r}"
    for secret in (plaintext[17:], key.secret_hash.hex(), repr(key.secret_hash), "correct horse"):
        assert secret not in shown

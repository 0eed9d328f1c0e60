"""Whom the verifier lets in, and what it tells the others."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from agentguard_storage.control import Scope
from agentguard_storage.control.errors import InvalidKey, KeyExpired, KeyRevoked, MissingScope
from agentguard_storage.control.keyformat import new_key


@pytest.fixture
def impostor(control_db, control_key) -> str:
    """A well-formed key whose id is that of a stored key, with another secret."""
    key = new_key()
    with control_db.connection() as connection:
        connection.execute(text("UPDATE api_keys SET key_id = :id"), {"id": key.key_id})
    return key.text


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER   {}", "{}", " {} "])
def test_a_good_key_is_its_project(control_verifier, control_key, control_project, form):
    """However the header is written, a good key gives the project and its settings."""
    key, plaintext = control_key
    for _ in range(2):
        principal = control_verifier.verify(form.format(plaintext), "ingest")
        assert principal.project_id == control_project.id
        assert principal.project_name == "default"
        assert principal.key_id == key.key_id
        assert principal.scopes == {Scope.INGEST}
        assert (principal.retention_days, principal.region) == (30, "")


@pytest.mark.parametrize(
    "header",
    [None, "", " ", "Bearer", "Bearer ", "Basic YTpi", "Bearer agk_short", "agk_", "\ud800", "a b"],
)
def test_malformed_keys_touch_no_database(control_verifier, control_statements, header):
    """Anything that is not a well-formed key is refused without one SQL statement."""
    for ask in (control_verifier.verify, control_verifier.cached):
        with pytest.raises(InvalidKey):
            ask(header, "ingest")
    assert control_statements == []


def test_a_damaged_key_touches_no_database(control_verifier, control_key, control_statements):
    """A real key with one character changed is refused without one SQL statement."""
    plaintext = control_key[1]
    damaged = plaintext[:-1] + ("a" if plaintext[-1] != "a" else "b")
    control_statements.clear()
    with pytest.raises(InvalidKey, match="copied whole"):
        control_verifier.verify(damaged, "ingest")
    assert control_statements == []
    assert control_verifier.verify(plaintext, "ingest")
    assert control_statements != []


def test_a_wrong_secret_is_refused_and_costs_no_second_query(
    control_verifier, impostor, control_statements
):
    """A known id with another secret is refused, again and again from memory."""
    for ask in (control_verifier.verify, control_verifier.verify, control_verifier.cached):
        with pytest.raises(InvalidKey, match="not valid"):
            ask(impostor, "ingest")
    assert sum(one.startswith("SELECT") for one in control_statements) == 1
    assert not any(one.startswith("UPDATE") for one in control_statements)


def test_only_the_holder_learns_what_became_of_a_key(control_verifier, control_keys, impostor):
    """Whoever has the id of a revoked key but not its secret is told nothing about it."""
    control_keys.revoke(impostor[4:16])
    with pytest.raises(InvalidKey, match="not valid"):
        control_verifier.verify(impostor, "ingest")


def test_an_unknown_key_looks_like_a_wrong_one(control_verifier, impostor):
    """The refusals of a wrong secret and of an unknown id are the same, and repeat no key."""
    refusals = []
    for presented in (impostor, new_key().text):
        for ask in (control_verifier.verify, control_verifier.cached):
            with pytest.raises(InvalidKey) as refused:
                ask(presented, "ingest")
            refusals.append(str(refused.value))
            assert presented[4:16] not in refusals[-1]
    assert len(set(refusals)) == 1


def test_a_revoked_key_is_told_so(control_verifier, control_keys, control_key):
    """The holder of a revoked key is told which key it is, but not shown its secret."""
    key, plaintext = control_key
    control_keys.revoke(key.key_id)
    for ask in (control_verifier.verify, control_verifier.cached):
        with pytest.raises(KeyRevoked, match=key.key_id) as refused:
            ask(plaintext, "ingest")
        assert plaintext[17:] not in str(refused.value)


def test_expiry_follows_the_wall_clock_not_the_cache(
    control_verifier, control_keys, control_project, control_wall
):
    """A key that is cached is refused all the same from the very moment of its expiry."""
    expiry = datetime.now(UTC) + timedelta(hours=1)
    _, plaintext = control_keys.mint(control_project.id, ["read"], "short", expiry)
    control_wall.seconds = expiry.timestamp() - 0.001
    assert control_verifier.verify(plaintext, "read")
    assert control_verifier.cached(plaintext, "read")
    control_wall.seconds = expiry.timestamp()
    for ask in (control_verifier.cached, control_verifier.verify):
        with pytest.raises(KeyExpired, match=plaintext[4:16]):
            ask(plaintext, "read")


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        (["ingest"], {"ingest"}),
        (["read"], {"read"}),
        (["ingest", "read"], {"ingest", "read"}),
        (["admin"], set(Scope)),
        (["stops"], {"stops"}),
    ],
)
def test_scopes_allow_what_they_say(
    control_verifier, control_keys, control_project, given, allowed
):
    """A key may do what its scopes say, and admin anything; a refusal names what is missing."""
    _, plaintext = control_keys.mint(control_project.id, given)
    for scope in Scope:
        if scope in allowed:
            assert control_verifier.verify(plaintext, scope).allows(scope)
        else:
            with pytest.raises(MissingScope, match=f"no scope '{scope}'; it has: {given[0]}"):
                control_verifier.verify(plaintext, scope)


def test_use_is_noted_coarsely(
    control_verifier, control_keys, control_key, control_clock, control_wall
):
    """The time of last use is kept to five minutes, and written no more often."""
    noted = []
    for _ in range(3):
        control_verifier.verify(control_key[1], "ingest")
        noted.append(control_keys.list()[0].last_used_at.timestamp() - 1_800_000_000)
        control_wall.seconds += 200
        control_clock.seconds += 200
    assert noted == [0, 0, 400]


def test_a_refused_key_is_not_noted_as_used(control_verifier, control_keys, control_key):
    """A refusal leaves the time of last use alone."""
    with pytest.raises(MissingScope):
        control_verifier.verify(control_key[1], "read")
    assert control_keys.list()[0].last_used_at is None

"""Links to traces: made, resolved, listed, revoked, forgotten, on both databases."""

from __future__ import annotations

import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from agentguard_storage.control import Pepper, Projects, Share, Shares
from agentguard_storage.control.errors import InvalidValue, UnknownProject, UnknownShare
from agentguard_storage.control.shares import LONGEST, MOST_SHARES

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def shares(control_db, control_pepper) -> Shares:
    """The shares of the database."""
    return Shares(control_db, control_pepper)


def test_a_link_leads_to_its_trace_alone(shares, control_project):
    """A token gives the project and trace that were shared, and is shown when it is made."""
    share, token = shares.create(control_project.id, TRACE.upper(), by="key123")
    found = shares.resolve(token)
    assert found is not None
    assert (found.project_id, found.trace_id) == (control_project.id, TRACE)
    assert (found.id, found.created_by) == (share.id, "key123")
    assert found.expires_at - found.created_at == timedelta(days=7)
    assert re.fullmatch("[0-9A-Za-z]{44}", token)
    assert len({shares.create(control_project.id, TRACE)[1][-32:] for _ in range(20)}) == 20


def test_the_database_does_not_hold_the_token(shares, control_db, control_project):
    """Neither what is stored nor what is shown gives the secret away."""
    share, token = shares.create(control_project.id, TRACE)
    with control_db.reading() as session:
        row = session.execute(text("SELECT * FROM shares")).one()
    assert token[-32:] not in repr(tuple(row)) + repr(share)
    stolen = Shares(control_db, Pepper(secrets.token_hex(32), "another"))
    assert stolen.resolve(token) is None


def test_a_wrong_secret_leads_nowhere(shares, control_project):
    """The right id with another secret, and the secret with another id, are nothing."""
    _, token = shares.create(control_project.id, TRACE)
    _, other = shares.create(control_project.id, "1" * 32)
    assert shares.resolve(token[:-1] + ("a" if token[-1] != "a" else "b")) is None
    assert shares.resolve(token[:12] + other[12:]) is None
    assert shares.resolve(secrets.token_hex(22)) is None
    assert shares.resolve(token + "\n") is None


def test_a_link_ends(control_db, control_pepper, control_project):
    """After its time, or once it was revoked, a link leads nowhere and is listed no more."""
    now = datetime(2027, 1, 1, tzinfo=UTC)
    shares = Shares(control_db, control_pepper, lambda: now)
    short, token = shares.create(control_project.id, TRACE, expires_in=timedelta(hours=1))
    kept, lasting = shares.create(control_project.id, TRACE)
    now += timedelta(hours=1)
    assert shares.resolve(token) is None
    assert [each.id for each in shares.list(control_project.id)] == [kept.id]
    ended = shares.revoke(control_project.id, kept.id)
    now += timedelta(minutes=1)
    assert shares.revoke(control_project.id, kept.id).revoked_at == ended.revoked_at
    assert shares.resolve(lasting) is None
    assert shares.list(control_project.id) == []
    assert shares.revoke(control_project.id, short.id).id == short.id


def test_projects_have_their_own(shares, control_db, control_project):
    """Another project neither sees a link nor revokes it, though it has the same trace id."""
    other = Projects(control_db).create("other").id
    share, token = shares.create(control_project.id, TRACE)
    theirs, _ = shares.create(other, TRACE)
    assert [each.id for each in shares.list(other, TRACE)] == [theirs.id]
    assert shares.list(other, "2" * 32) == []
    with pytest.raises(UnknownShare):
        shares.revoke(other, share.id)
    assert shares.resolve(token) is not None
    with pytest.raises(UnknownProject):
        shares.create("prj_nobody", TRACE)


def test_links_are_bounded_in_number(control_db, control_pepper, control_project, monkeypatch):
    """A project has so many good links and no more, also when many are made at the same time."""
    monkeypatch.setattr("agentguard_storage.control.shares.MOST_SHARES", 5)
    shares = Shares(control_db, control_pepper)

    def make(_: int) -> bool:
        try:
            shares.create(control_project.id, TRACE)
        except InvalidValue:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(make, range(12))) == 5
    shares.revoke(control_project.id, shares.list(control_project.id)[0].id)
    assert make(0)


def test_links_that_ended_are_forgotten(control_db, control_pepper, control_project, monkeypatch):
    """Making and revoking links without end leaves a bounded number of rows."""
    monkeypatch.setattr("agentguard_storage.control.shares.MOST_SHARES", 5)
    shares = Shares(control_db, control_pepper)
    for _ in range(30):
        share, _ = shares.create(control_project.id, TRACE)
        shares.revoke(control_project.id, share.id)
    with control_db.reading() as session:
        assert session.scalar(select(func.count()).select_from(Share)) == 5


@pytest.mark.parametrize("lasts", [timedelta(0), timedelta(days=-1), LONGEST + timedelta(1)])
def test_a_link_lasts_a_bounded_time(shares, control_project, lasts):
    """A link without end, or with none to come, is not made."""
    with pytest.raises(InvalidValue, match="from a minute to 90 days"):
        shares.create(control_project.id, TRACE, expires_in=lasts)
    assert MOST_SHARES >= 100


@pytest.mark.parametrize("trace", ["", "0" * 32, TRACE[:-1], TRACE + "0", "x" * 32, "' OR 1=1"])
def test_what_is_no_trace_is_not_shared(shares, control_project, trace):
    """A trace's id is what OpenTelemetry says."""
    with pytest.raises(InvalidValue, match="32 hexadecimal digits"):
        shares.create(control_project.id, trace)


@given(st.text() | st.text("0123456789abcdef", min_size=44, max_size=44))
def test_whatever_is_presented_is_answered(resolver, token):
    """No text that somebody presents as a token raises, or leads anywhere."""
    assert resolver.resolve(token) is None


@pytest.fixture(scope="module")
def resolver(control_sqlite_upgraded) -> Shares:
    """Shares of a database that holds none."""
    from agentguard_storage.control import ControlDatabase

    return Shares(
        ControlDatabase(f"sqlite:///{control_sqlite_upgraded}"), Pepper("p" * 32, "the test")
    )

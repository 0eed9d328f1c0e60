"""The verifier's cache: how old its answers get, how large it grows, what an outage means."""

import asyncio
import gc
import shutil
import threading
import time
import timeit
from concurrent.futures import ThreadPoolExecutor
from types import FunctionType, ModuleType

import pytest
from sqlalchemy import text

from agentguard_storage.control import ControlDatabase, KeyVerifier
from agentguard_storage.control.errors import (
    ControlPlaneUnavailable,
    InvalidKey,
    KeyRefused,
    KeyRevoked,
)
from agentguard_storage.control.keyformat import new_key


def queries(statements: list[str]) -> int:
    """How many of these statements read a key."""
    return sum(statement.startswith("SELECT") for statement in statements)


def break_database(database: ControlDatabase) -> None:
    """Take the file, or the table, away from under the verifier."""
    database.close()
    if database.is_sqlite:
        shutil.move(database.url.database, database.url.database + ".away")
        return
    with database.connection() as connection:
        connection.execute(text("ALTER TABLE api_keys RENAME TO api_keys_away"))


def mend_database(database: ControlDatabase) -> None:
    """Undo `break_database`."""
    database.close()
    if database.is_sqlite:
        shutil.move(database.url.database + ".away", database.url.database)
        return
    with database.connection() as connection:
        connection.execute(text("ALTER TABLE api_keys_away RENAME TO api_keys"))


def reachable_texts(root: object) -> list[str]:
    """Every text that an object keeps alive, code aside."""
    seen, todo, texts = set(), [root], []
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, ModuleType | FunctionType | type):
            continue
        seen.add(id(one))
        texts += [one] if isinstance(one, str) else []
        todo += gc.get_referents(one)
    return texts


def test_a_cached_key_touches_no_database(control_verifier, control_key, control_statements):
    """After the first request, a key is verified without one SQL statement."""
    plaintext = control_key[1]
    assert control_verifier.cached(plaintext, "ingest") is None
    principal = control_verifier.verify(plaintext, "ingest")
    control_statements.clear()
    assert control_verifier.verify(plaintext, "ingest") == principal
    assert control_verifier.cached(plaintext, "ingest") == principal
    assert control_statements == []


def test_unknown_keys_are_remembered_for_a_second(
    control_verifier, control_clock, control_statements
):
    """One unknown key costs at most one query a second, however often it is presented."""
    unknown = new_key().text
    for seconds, expected in ((0, 1), (0.9, 1), (0.1, 2), (0.5, 2)):
        control_clock.seconds += seconds
        with pytest.raises(InvalidKey):
            control_verifier.verify(unknown, "ingest")
        assert queries(control_statements) == expected


def test_floods_of_keys_stay_within_the_bound(
    control_db, control_pepper, control_keys, control_project
):
    """Unknown keys push out no good one, and the least recently used good ones make room."""
    verifier = KeyVerifier(control_db, control_pepper, size=8)
    keys = [control_keys.mint(control_project.id, ["read"])[1] for _ in range(20)]
    verifier.verify(keys[0], "read")
    for _ in range(50):
        with pytest.raises(InvalidKey):
            verifier.verify(new_key().text, "read")
    assert verifier.cached(keys[0], "read")
    for key in keys:
        verifier.verify(key, "read")
    assert [verifier.cached(key, "read") is None for key in keys] == [True] * 12 + [False] * 8
    assert len(verifier._known) == len(verifier._unknown) == 8


def test_a_revoked_key_passes_for_three_seconds_at_most(
    control_verifier, control_keys, control_key, control_clock
):
    """However much a key is used, the database is asked about it every three seconds."""
    key, plaintext = control_key
    control_verifier.verify(plaintext, "ingest")
    control_keys.revoke(key.key_id)
    for _ in range(29):
        control_clock.seconds += 0.1
        assert control_verifier.verify(plaintext, "ingest")
    control_clock.seconds += 0.2
    assert control_verifier.cached(plaintext, "ingest") is None
    with pytest.raises(KeyRevoked):
        control_verifier.verify(plaintext, "ingest")


async def test_a_revocation_is_noticed_in_real_time(
    control_db, control_pepper, control_keys, control_key
):
    """By the real clock, a key in constant use is refused within 5 seconds of its revocation."""
    key, plaintext = control_key
    verifier = KeyVerifier(control_db, control_pepper)
    verifier.verify(plaintext, "ingest")
    control_keys.revoke(key.key_id)

    async def until_refused() -> None:
        while True:
            await asyncio.to_thread(verifier.verify, plaintext, "ingest")
            await asyncio.sleep(0.02)

    with pytest.raises(KeyRevoked):
        await asyncio.wait_for(until_refused(), 5)


def test_an_outage_is_not_a_refusal(control_verifier, control_db, control_key, control_clock):
    """With the database gone, a cached key lives out its time; then the answer is not known."""
    plaintext = control_key[1]
    control_verifier.verify(plaintext, "ingest")
    break_database(control_db)
    control_clock.seconds += 2.9
    assert control_verifier.verify(plaintext, "ingest")
    control_clock.seconds += 0.2
    with pytest.raises(ControlPlaneUnavailable) as down:
        control_verifier.verify(plaintext, "ingest")
    assert not isinstance(down.value, KeyRefused)
    mend_database(control_db)
    control_clock.seconds += 1.1
    assert control_verifier.verify(plaintext, "ingest")


def test_an_outage_is_asked_about_once_a_second(
    control_verifier, control_db, control_key, control_clock
):
    """While the database is known to be gone, callers fail at once instead of waiting for it."""
    break_database(control_db)
    with pytest.raises(ControlPlaneUnavailable):
        control_verifier.verify(control_key[1], "ingest")
    mend_database(control_db)
    with pytest.raises(ControlPlaneUnavailable):
        control_verifier.verify(control_key[1], "ingest")
    control_clock.seconds += 1.0
    assert control_verifier.verify(control_key[1], "ingest")


@pytest.mark.parametrize("control_url", ["postgres"], indirect=True)
def test_a_lost_connection_is_replaced(control_verifier, control_db, control_key, control_clock):
    """A server that closed its connections between two requests is no outage."""
    control_verifier.verify(control_key[1], "ingest")
    with control_db.reading() as session:
        pooled = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    other = ControlDatabase(control_db.url.render_as_string(hide_password=False))
    with other.connection() as connection:
        # The second argument waits, in milliseconds, until the connection is really gone.
        end = text("SELECT pg_terminate_backend(:pid, 5000)")
        assert connection.execute(end, {"pid": pooled}).scalar_one()
    other.close()
    control_clock.seconds += 3
    assert control_verifier.verify(control_key[1], "ingest")


@pytest.mark.parametrize("control_url", ["postgres"], indirect=True)
def test_a_database_that_hangs_is_unavailable(control_db, control_pepper, control_key, monkeypatch):
    """A server that takes the question and does not answer keeps nobody waiting for ever."""
    monkeypatch.setattr("agentguard_storage.control.database.STATEMENT_TIMEOUT_MS", 300)
    impatient = ControlDatabase(control_db.url.render_as_string(hide_password=False))
    with control_db.connection() as connection:
        connection.execute(text("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(ControlPlaneUnavailable, match="timeout"):
            KeyVerifier(impatient, control_pepper).verify(control_key[1], "ingest")
    assert KeyVerifier(impatient, control_pepper).verify(control_key[1], "ingest")
    impatient.close()


def test_a_read_only_database_stops_nobody(control_db, control_pepper, control_key, caplog):
    """When the time of use cannot be noted, the key is good all the same, and a log says so."""
    url = control_db.url.render_as_string(hide_password=False)
    if control_db.is_sqlite:
        url = url.replace("sqlite:///", "sqlite:///file:") + "?mode=ro&uri=true"
    else:
        url += "%20-cdefault_transaction_read_only%3Don"
    database = ControlDatabase(url)
    verifier = KeyVerifier(database, control_pepper)
    assert verifier.verify(control_key[1], "ingest")
    database.close()
    assert "cannot note the use" in caplog.text
    assert control_key[0].key_id in caplog.text
    assert control_key[1][17:] not in caplog.text


def test_threads_share_one_query(control_verifier, control_key, control_statements):
    """Threads that present one key at the same moment wait for a single query."""
    together = threading.Barrier(8)
    control_statements.clear()

    def ask(_: int) -> str:
        together.wait(10)
        return control_verifier.verify(control_key[1], "ingest").project_name

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == ["default"] * 8
    assert queries(control_statements) == 1


def test_a_cached_answer_takes_microseconds(control_verifier, control_key):
    """Verifying a cached key asks no database: that takes hundreds of microseconds, this a few."""
    header = f"Bearer {control_key[1]}"
    control_verifier.verify(header, "ingest")

    def ask() -> None:
        control_verifier.cached(header, "ingest")

    seconds = timeit.repeat(ask, timer=time.thread_time, number=1000, repeat=30)
    assert min(seconds) / 1000 < 50e-6


def test_no_plaintext_is_kept(control_verifier, control_key):
    """After a request, nothing that the verifier holds contains the key, and no repr the hash."""
    key, plaintext = control_key
    control_verifier.verify(f"Bearer {plaintext}", "ingest")
    texts = reachable_texts(control_verifier)
    assert key.key_id in texts
    assert not any(plaintext[17:49] in one for one in texts)
    assert repr(key.secret_hash) not in repr(control_verifier._known.get(key.key_id))

"""Answers, on each request, whose key this is and whether it may do what it asks.

    verify ──> cached ──> Principal                      microseconds, no input or output
                  └─ None ──> database ──> Principal     about a millisecond, once per key and TTL

Records are cached under the key's public id and the presented key is compared with the record's
hash on every call, so no plaintext is kept, and guessing secrets for a known id costs no query.
"""

import hmac
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import or_, update

from agentguard_storage.control.cache import ExpiringCache
from agentguard_storage.control.database import ControlDatabase
from agentguard_storage.control.errors import (
    ControlPlaneUnavailable,
    InvalidKey,
    KeyExpired,
    KeyRevoked,
    MissingScope,
)
from agentguard_storage.control.keyformat import PresentedKey, parse_key
from agentguard_storage.control.lookup import KeyRecord, Principal, load_record
from agentguard_storage.control.models import ApiKey
from agentguard_storage.control.pepper import Pepper

TTL_S = 3.0
UNKNOWN_TTL_S = 1.0
OUTAGE_PAUSE_S = 1.0
LAST_USED_STEP_S = 300.0
_NO_HASH = bytes(32)
_REFUSED = "the API key is not valid; check that it belongs to this server"

logger = logging.getLogger(__name__)


class KeyVerifier:
    """Verifies API keys through a cache whose answers are at most `ttl_s` seconds old.

    Thread-safe. `clock` is monotonic seconds (staleness), `now` unix seconds (expiry).
    """

    def __init__(
        self,
        database: ControlDatabase,
        pepper: Pepper,
        *,
        ttl_s: float = TTL_S,
        size: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._pepper = pepper
        self._clock = clock
        self._now = now
        self._known: ExpiringCache[KeyRecord] = ExpiringCache(ttl_s, size, clock)
        self._unknown: ExpiringCache[bool] = ExpiringCache(min(ttl_s, UNKNOWN_TTL_S), size, clock)
        self._loading = threading.Lock()
        self._outage: tuple[float, str] | None = None

    def verify(self, authorization: str | None, *scopes: str) -> Principal:
        """Say who presents this `Bearer agk_...` (or bare `agk_...`), if it has one of `scopes`.

        May query the database: not for an event loop. Raises InvalidKey, KeyRevoked, KeyExpired,
        MissingScope; ControlPlaneUnavailable when the answer is not known and cannot be had.
        """
        key = _presented(authorization)
        record = self._from_cache(key)
        if record is not None:
            return self._admit(key, record, scopes)
        record = self._load(key)
        principal = self._admit(key, record, scopes)
        self._note_use(record)
        return principal

    def cached(self, authorization: str | None, *scopes: str) -> Principal | None:
        """As `verify`, from memory alone; None when the database has to be asked.

        Raises InvalidKey, KeyRevoked, KeyExpired, MissingScope.
        """
        key = _presented(authorization)
        record = self._from_cache(key)
        return None if record is None else self._admit(key, record, scopes)

    def _from_cache(self, key: PresentedKey) -> KeyRecord | None:
        record = self._known.get(key.key_id)
        if record is None and self._unknown.get(key.key_id):
            raise InvalidKey(_REFUSED)
        return record

    def _load(self, key: PresentedKey) -> KeyRecord:
        # One at a time: when a busy key's entry ends, its other callers wait for the one answer.
        with self._loading:
            record = self._from_cache(key)
            if record is not None:
                return record
            # The age of an answer counts from when the question was put.
            asked_at = self._clock()
            record = self._ask(key.key_id, asked_at)
            if record is None:
                self._unknown.put(key.key_id, True, asked_at)
                hmac.compare_digest(_NO_HASH, self._pepper.hash(key.text))
                raise InvalidKey(_REFUSED)
            self._known.put(key.key_id, record, asked_at)
            return record

    def _ask(self, key_id: str, asked_at: float) -> KeyRecord | None:
        """Query, unless the database failed a moment ago: waiting callers then fail at once."""
        if self._outage is not None and asked_at < self._outage[0]:
            raise ControlPlaneUnavailable(self._outage[1])
        try:
            record = load_record(self._database, key_id)
        except ControlPlaneUnavailable as error:
            self._outage = (self._clock() + OUTAGE_PAUSE_S, str(error))
            raise
        self._outage = None
        return record

    def _admit(self, key: PresentedKey, record: KeyRecord, scopes: tuple[str, ...]) -> Principal:
        """Check the secret first: only its holder learns what has become of a key."""
        if not hmac.compare_digest(record.secret_hash, self._pepper.hash(key.text)):
            raise InvalidKey(_REFUSED)
        if record.revoked:
            raise KeyRevoked(f"the API key {key} was revoked; use another one")
        if record.expires_at is not None and self._now() >= record.expires_at:
            raise KeyExpired(f"the API key {key} has expired; use another one")
        if not record.principal.allows(*scopes):
            wanted = " or ".join(f"'{scope}'" for scope in scopes)
            raise MissingScope(
                f"the API key {key} has no scope {wanted}; it has: "
                f"{', '.join(sorted(record.principal.scopes))}"
            )
        return record.principal

    def _note_use(self, record: KeyRecord) -> None:
        """Write the time of last use, coarsely; a database that refuses it stops nobody."""
        now = self._now()
        if record.last_used_at is not None and now - record.last_used_at < LAST_USED_STEP_S:
            return
        used_at = datetime.fromtimestamp(now, UTC)
        stale = used_at - timedelta(seconds=LAST_USED_STEP_S)
        statement = (
            update(ApiKey)
            .where(ApiKey.key_id == record.principal.key_id)
            .where(or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= stale))
            .values(last_used_at=used_at)
        )
        try:
            with self._database.writing() as session:
                session.execute(statement)
        except ControlPlaneUnavailable as error:
            logger.warning("cannot note the use of key %s: %s", record.principal.key_id, error)


def _presented(authorization: str | None) -> PresentedKey:
    """Take the key out of an Authorization header; the scheme's case is free (RFC 9110, 11.1)."""
    scheme, _, credentials = (authorization or "").strip().partition(" ")
    if not scheme:
        raise InvalidKey("an API key is required: send it as `Authorization: Bearer agk_...`")
    if not credentials:
        return parse_key(scheme)
    if scheme.lower() != "bearer":
        raise InvalidKey("the Authorization header must be: Bearer agk_...")
    return parse_key(credentials.strip())

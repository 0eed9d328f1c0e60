"""What `agentguard doctor` looks at. Every check answers; none raises for what it finds."""

import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from importlib.metadata import version

import httpx2

from agentguard.cli import extras
from agentguard.cli.errors import server_extra
from agentguard.cli.services import clickhouse_url, control_plane, telemetry, without_secret
from agentguard.cli.target import Target, sources
from agentguard.errors import AgentGuardError

__all__ = ["Check", "State", "run_checks"]

MAX_SKEW_S = 5.0
LOW_DISK = 2 << 30
FULL_DISK = 256 << 20
MUCH_WAL = 256 << 20
TIMEOUT_S = 5.0


class State(StrEnum):
    """What a check came to."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Check:
    """One finding, with one line of advice if there is anything to do."""

    name: str
    state: State
    found: str
    advice: str = ""


def run_checks(target: Target) -> Iterator[Check]:
    """All checks, in the order in which what is found should be mended."""
    yield _python()
    yield _packages()
    yield _config(target)
    yield _disk(target)
    yield from _collector(target)
    for name, check in (("clickhouse", _clickhouse), ("control plane", _control)):
        try:
            yield check(target)
        except AgentGuardError as error:
            yield Check(name, State.BROKEN, str(error), getattr(error, "hint", ""))
    yield _backlog(target)


def _python() -> Check:
    found = f"Python {sys.version.split()[0]} on {sys.platform}"
    return Check("python", State.OK, found)


def _packages() -> Check:
    known = extras.extras()
    whole = sorted(extra for extra in known if extra != "all" and not extras.missing(extra))
    found = (
        f"agentguard {version('agentguard')}, opentelemetry-sdk {version('opentelemetry-sdk')}, "
        f"extras: {', '.join(whole) or 'none'}"
    )
    if "server" in whole:
        return Check("packages", State.OK, found)
    absent = ", ".join(extras.missing("server"))
    advice = f"to run `agentguard up` here: pip install 'agentguard[server]' (absent: {absent})"
    return Check("packages", State.WARNING, found, advice)


def _config(target: Target) -> Check:
    if target.from_up:
        found = f"endpoint and key of the `agentguard up` in {target.data_dir}"
        return Check("configuration", State.OK, found)
    found = ", ".join(sources(target.settings)) or "nothing is set; the defaults are used"
    return Check("configuration", State.OK, found)


def _disk(target: Target) -> Check:
    there = next(path for path in (target.data_dir, *target.data_dir.parents) if path.exists())
    free = shutil.disk_usage(there).free
    found = f"{free / 2**30:.1f} GiB free in {there}"
    advice = "make room, or choose another place with --data-dir"
    if free < FULL_DISK:
        return Check("disk", State.BROKEN, found, advice)
    if free < LOW_DISK:
        return Check("disk", State.WARNING, found, advice)
    return Check("disk", State.OK, found)


def _collector(target: Target) -> Iterator[Check]:
    with httpx2.Client(base_url=target.endpoint, timeout=TIMEOUT_S) as client:
        try:
            ready = client.get("/readyz")
        except httpx2.HTTPError as error:
            found = f"{target.endpoint} does not answer: {error}"
            yield Check("collector", State.BROKEN, found, "start it with `agentguard up`")
            return
        except httpx2.InvalidURL as error:
            yield Check("collector", State.BROKEN, f"{target.endpoint!r} is not a URL: {error}")
            return
        yield _readiness(target.endpoint, ready)
        yield _key(client, target.api_key)
        yield _clock(ready)


def _readiness(endpoint: str, ready: httpx2.Response) -> Check:
    if ready.status_code == httpx2.codes.OK:
        return Check("collector", State.OK, f"{endpoint} is ready")
    if ready.status_code == httpx2.codes.NOT_FOUND:
        found = f"{endpoint} answers, and is not an AgentGuard collector"
        return Check("collector", State.WARNING, found, "check the endpoint's host and port")
    found = f"{endpoint} is not ready (status {ready.status_code})"
    return Check("collector", State.BROKEN, found, "its log says why; see also the write-ahead log")


def _key(client: httpx2.Client, key: str) -> Check:
    """Send an export request without spans: it is answered as a real one and stores nothing."""
    if not key:
        advice = "make one with `agentguard keys create` and set AGENTGUARD_API_KEY"
        return Check("api key", State.BROKEN, "none is configured", advice)
    headers = {"authorization": f"Bearer {key}", "content-type": "application/x-protobuf"}
    shown = f"{key[:16]}..." if key.startswith("agk_") else "the configured key"
    try:
        answer = client.post("/v1/traces", content=b"", headers=headers)
    except httpx2.HTTPError as error:
        return Check("api key", State.BROKEN, f"could not be tried: {error}")
    if answer.is_success:
        return Check("api key", State.OK, f"{shown} may send spans")
    advice = "make another with `agentguard keys create --scope ingest`"
    return Check("api key", State.BROKEN, f"{shown} is refused ({answer.status_code})", advice)


def _clock(answer: httpx2.Response) -> Check:
    try:
        theirs = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return Check("clock", State.SKIPPED, "the collector tells no time")
    # A Date header has no fractions, so it is half a second old on average.
    skew = time.time() - theirs.timestamp() - 0.5
    found = f"{abs(skew):.0f} s apart from the collector's"
    if abs(skew) <= MAX_SKEW_S:
        return Check("clock", State.OK, found)
    return Check("clock", State.WARNING, found, "synchronise the clocks (NTP): spans carry ours")


def _clickhouse(target: Target) -> Check:
    with server_extra():
        from agentguard_storage.clickhouse.migrate import schema_version
        from agentguard_storage.clickhouse.schema import migrations
    shown = without_secret(clickhouse_url(target.option))
    with telemetry(target.option) as client:
        release, applied = client.server_version, schema_version(client)
    newest = migrations()[-1].number
    found = f"{shown}, version {release}, schema {applied} of {newest}"
    if applied == newest:
        return Check("clickhouse", State.OK, found)
    advice = "`agentguard up` applies what is missing; a newer schema needs a newer agentguard"
    return Check("clickhouse", State.BROKEN, found, advice)


def _control(target: Target) -> Check:
    now = datetime.now(UTC)
    with control_plane(target.option) as plane:
        projects, keys = plane.projects.list(), plane.keys.list()
        where = plane.database.url.render_as_string()
    good = [key for key in keys if not key.revoked_at and (key.expires_at or now) >= now]
    found = f"{where}, {len(projects)} projects, {len(good)} usable keys"
    if good:
        return Check("control plane", State.OK, found)
    return Check("control plane", State.WARNING, found, "make a key: `agentguard keys create`")


def _backlog(target: Target) -> Check:
    waiting = sum(path.stat().st_size for path in target.data_dir.glob("wal/*/*.seg"))
    found = f"{waiting / 2**20:.1f} MiB wait for ClickHouse"
    if waiting < MUCH_WAL:
        return Check("write-ahead log", State.OK, found)
    advice = "ClickHouse is away or too slow; nothing is lost while there is room"
    return Check("write-ahead log", State.WARNING, found, advice)

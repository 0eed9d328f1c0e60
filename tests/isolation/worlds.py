"""Two stores and what is in front of them: one that two projects share, one that ours has alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clickhouse_connect.driver.client import Client

from agentguard.budgets.spend import Limits, Spend
from agentguard.prices.overrides import Override
from agentguard_storage.clickhouse import connect, migrate
from agentguard_storage.control import ControlPlane, Scope, open_control_plane
from agentguard_storage.queries.reader import Reader
from tests.collector.conftest import Collector, Home
from tests.conftest import Engine
from tests.isolation.tenants import OURS, SHARED_TRACES, THEIRS, Tenant
from tests.storage.telemetry.telemetry_store import Store

__all__ = ["Asker", "World", "Worlds", "both_worlds"]

BUDGET = "team"
RESERVATION = "lease-of-both"


@dataclass(frozen=True)
class Asker:
    """A project, its keys, and what it has in the control plane under ids of its own."""

    tenant: Tenant
    project_id: str
    key: str
    """Of all scopes but `admin`."""
    admin: str
    key_ids: tuple[str, str]
    share_id: str
    share_token: str
    annotation_id: str
    stop_id: str

    @property
    def canaries(self) -> tuple[str, ...]:
        """Texts that nobody else may be shown."""
        return (
            self.tenant.word,
            self.project_id,
            *self.key_ids,
            *self.tenant.own_traces,
            *self.tenant.own_spans,
            self.share_id,
            self.share_token,
            self.annotation_id,
            self.stop_id,
        )


@dataclass(frozen=True)
class World:
    """A store, a control plane, and a collector that serves them."""

    dsn: str
    client: Client
    control: ControlPlane
    collector: Collector

    def reader(self, asker: Asker) -> Reader:
        """The asker's window on the store."""
        return Reader(self.client, asker.project_id)


@dataclass(frozen=True)
class Worlds:
    """`both` holds two projects; `alone` is the same without theirs, down to ids and keys."""

    both: World
    alone: World
    ours: Asker
    theirs: Asker


@contextmanager
def both_worlds(engine: Engine, folder: Path) -> Iterator[Worlds]:
    """Fill the stores and start the collectors."""
    with ExitStack() as stack:
        homes = [folder / "both", folder / "alone"]
        first = stack.enter_context(_opened(homes[0]))
        ours = _settle_in(first, OURS)
        # Copied before the others come: the same ids and keys, and nobody else.
        first.database.close()
        shutil.copytree(homes[0], homes[1])
        theirs = _settle_in(first, THEIRS)
        controls = [first, stack.enter_context(_opened(homes[1]))]
        dsns = [_database(engine, name) for name in ("isolation_both", "isolation_alone")]
        for dsn, askers in zip(dsns, ((ours, theirs), (ours,)), strict=True):
            _fill(dsn, askers)
        both, alone = (
            stack.enter_context(_served(dsn, control, home))
            for dsn, control, home in zip(dsns, controls, homes, strict=True)
        )
        yield Worlds(both, alone, ours, theirs)


@contextmanager
def _opened(home: Path) -> Iterator[ControlPlane]:
    control = open_control_plane(home)
    try:
        yield control
    finally:
        control.close()


def _database(engine: Engine, name: str) -> str:
    dsn = engine.credentials.dsn("writer", "127.0.0.1", engine.port, name)
    migrate(dsn)
    return dsn


def _fill(dsn: str, askers: tuple[Asker, ...]) -> None:
    """Theirs lie before ours and after them: `any`, `first` and `last` would meet them."""
    *others, ours = reversed(askers)
    with connect(dsn) as client:
        store = Store(dsn, client)
        for half in (0, 1):
            for asker in others:
                store.insert(asker.tenant.batches()[half], project=asker.project_id)
            if half == 0:
                for each in ours.tenant.batches():
                    store.insert(each, project=ours.project_id)


@contextmanager
def _served(dsn: str, control: ControlPlane, home: Path) -> Iterator[World]:
    collector = Home(home, control, "", "").start(
        dsn, "--reads-per-minute", "1000000", "--control-calls-per-minute", "1000000"
    )
    try:
        with connect(dsn) as client:
            yield World(dsn, client, control, collector)
    finally:
        collector.client.close()
        collector.process.stop()


def _settle_in(control: ControlPlane, tenant: Tenant) -> Asker:
    """A project with what the control plane can hold; names are the same, texts are its own."""
    project = control.projects.create(f"project of {tenant.word}").id
    scopes = [scope for scope in Scope if scope is not Scope.ADMIN]
    key, text = control.keys.mint(project, scopes, f"agent {tenant.word}")
    admin, admin_text = control.keys.mint(project, [Scope.ADMIN], f"admin {tenant.word}")
    principal = control.verifier.verify(text, Scope.READ)
    millions = Limits(None, None, 5 * 10**18 // 10)
    for name, scope in ((BUDGET, "project"), (f"budget-{tenant.word}", "user")):
        control.budgets.put(project, name, millions, scope=scope, period="month")
        control.reservations.reserve(
            project,
            name,
            RESERVATION,
            Spend(0, 0, tenant.tokens),
            scope_value="" if scope == "project" else f"ada {tenant.word}",
            ttl_s=3600,
        )
    trace = SHARED_TRACES[0]
    share, token = control.shares.create(project, trace, by=key.key_id)
    note = control.annotations.add(principal, trace, f"a note by {tenant.word}", label=tenant.word)
    stop = control.stops.add(project, "service", "retired", f"by {tenant.word}")
    control.stops.add(project, "run", f"run {tenant.word}", f"by {tenant.word}")
    control.prices.set(
        project,
        Override(
            model=f"model-{tenant.word}",
            input=tenant.tokens,
            output=tenant.tokens,
            start=(datetime.now(UTC) - timedelta(days=1)).date(),
        ),
        by=tenant.word,
    )
    return Asker(
        tenant,
        project,
        text,
        admin_text,
        (key.key_id, admin.key_id),
        share.id,
        token,
        note.id,
        stop.id,
    )

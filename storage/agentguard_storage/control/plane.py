"""The control plane as the command line and the collector open it."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import IntegrityError

from agentguard_storage.control.annotations import Annotations
from agentguard_storage.control.budgets import Budgets
from agentguard_storage.control.database import ControlDatabase
from agentguard_storage.control.errors import ControlPlaneUnavailable, WrongSecretKey
from agentguard_storage.control.keys import ApiKeys
from agentguard_storage.control.models import Setting
from agentguard_storage.control.pepper import ENVIRONMENT_VARIABLE, Pepper, load_pepper
from agentguard_storage.control.prices import Prices
from agentguard_storage.control.projects import Projects
from agentguard_storage.control.reservations import Reservations
from agentguard_storage.control.shares import Shares
from agentguard_storage.control.stops import Stops
from agentguard_storage.control.upgrade import upgrade
from agentguard_storage.control.verifier import KeyVerifier

FINGERPRINT = "secret_key_fingerprint"


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """An open control plane; close it when done."""

    database: ControlDatabase
    projects: Projects
    keys: ApiKeys
    verifier: KeyVerifier
    budgets: Budgets
    reservations: Reservations
    stops: Stops
    prices: Prices
    shares: Shares
    annotations: Annotations

    def close(self) -> None:
        """Close the database's connections."""
        self.database.close()


def default_url(data_dir: Path) -> str:
    """The SQLite database of a data directory."""
    return f"sqlite:///{data_dir / 'control.db'}"


def open_control_plane(data_dir: Path, url: str | None = None) -> ControlPlane:
    """Open the control plane of a data directory, upgraded to this release.

    `url` names a database elsewhere (PostgreSQL); the secret stays in the data directory.
    Raises SecretKeyError, WrongSecretKey, InvalidSetting, SchemaTooNew, ControlPlaneUnavailable.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ControlPlaneUnavailable(
            f"cannot create the data directory {data_dir}: {error.strerror}"
        ) from error
    pepper = load_pepper(data_dir)
    url = url or default_url(data_dir)
    upgrade(url)
    database = ControlDatabase(url)
    try:
        _check_secret(database, pepper)
    except BaseException:
        database.close()
        raise
    return ControlPlane(
        database,
        Projects(database),
        ApiKeys(database, pepper),
        KeyVerifier(database, pepper),
        Budgets(database),
        Reservations(database),
        Stops(database),
        Prices(database),
        Shares(database, pepper),
        Annotations(database),
    )


def _check_secret(database: ControlDatabase, pepper: Pepper) -> None:
    """Bind the database to the first secret it is used with, and refuse any other."""
    mine = pepper.fingerprint()
    try:
        with database.writing() as session:
            recorded = session.get(Setting, FINGERPRINT)
            if recorded is None:
                session.add(Setting(name=FINGERPRINT, value=mine))
    except IntegrityError:
        # Another process was first; PostgreSQL says so only when we commit.
        with database.reading() as session:
            recorded = session.get(Setting, FINGERPRINT)
    if recorded is not None and recorded.value != mine:
        raise WrongSecretKey(
            f"the API keys in {database.url.render_as_string()} were made with another secret: "
            f"restore the secret.key that belongs to it, or set {ENVIRONMENT_VARIABLE}; "
            "no key can be verified with this one"
        )

"""What Alembic does for the control plane; imported only where there is something to migrate."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from agentguard_storage.control.errors import SchemaTooNew

MIGRATIONS = Path(__file__).parent / "migrations"


def alembic_config(connection: Connection) -> Config:
    """What Alembic's commands need to work on this connection, in its open transaction."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def apply_revisions(connection: Connection) -> None:
    """Apply what this database has not seen. Raises SchemaTooNew."""
    config = alembic_config(connection)
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    applied = set(MigrationContext.configure(connection).get_current_heads())
    if not applied <= known:
        raise SchemaTooNew(
            f"the control plane's database is at revision {', '.join(sorted(applied - known))}, "
            "which this release does not know: it was written by a newer one; upgrade AgentGuard"
        )
    if applied != set(script.get_heads()):
        command.upgrade(config, "head")

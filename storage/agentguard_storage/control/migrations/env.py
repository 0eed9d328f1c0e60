"""Runs migrations on the connection that the caller opened, inside its transaction."""

from alembic import context

from agentguard_storage.control.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
    # SQLite alters a table by copying it; the same migration then works on both databases.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()

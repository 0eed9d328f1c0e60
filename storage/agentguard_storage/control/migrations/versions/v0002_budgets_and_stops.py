"""Shared budgets, their pots and reservations, and stops."""

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"


def _counts(*prefixes: str) -> list["sa.Column[int]"]:
    return [
        sa.Column(f"{prefix}{unit}", sa.BigInteger(), nullable=False)
        for prefix in prefixes
        for unit in ("calls", "tokens", "pico_usd")
    ]


def _times(*names: str) -> list["sa.Column[object]"]:
    return [sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in names]


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "budgets",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("project_id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("max_calls", sa.BigInteger(), nullable=True),
        sa.Column("max_tokens", sa.BigInteger(), nullable=True),
        sa.Column("max_pico_usd", sa.BigInteger(), nullable=True),
        sa.Column("period", sa.String(8), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        *_times("created_at", "updated_at"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], op.f("fk_budgets_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budgets")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_budgets_project_id_name")),
    )
    op.create_table(
        "budget_pots",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("budget_id", sa.String(16), nullable=False),
        sa.Column("scope_value", sa.String(256), nullable=False),
        *_times("starts_at"),
        *_counts("spent_", "held_"),
        sa.ForeignKeyConstraint(
            ["budget_id"], ["budgets.id"], op.f("fk_budget_pots_budget_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget_pots")),
        sa.UniqueConstraint(
            "budget_id",
            "scope_value",
            "starts_at",
            name=op.f("uq_budget_pots_budget_id_scope_value_starts_at"),
        ),
    )
    op.create_table(
        "budget_reservations",
        sa.Column("budget_id", sa.String(16), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("pot_id", sa.String(32), nullable=False),
        sa.Column("asked", sa.String(512), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        *_counts("", "held_", "spent_"),
        *_times("created_at", "updated_at", "expires_at"),
        sa.ForeignKeyConstraint(
            ["budget_id"],
            ["budgets.id"],
            op.f("fk_budget_reservations_budget_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["pot_id"],
            ["budget_pots.id"],
            op.f("fk_budget_reservations_pot_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("budget_id", "id", name=op.f("pk_budget_reservations")),
    )
    op.create_index(
        "ix_budget_reservations_open", "budget_reservations", ["pot_id", "state", "expires_at"]
    )
    op.create_index("ix_budget_reservations_age", "budget_reservations", ["state", "updated_at"])
    op.create_table(
        "stops",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("project_id", sa.String(16), nullable=False),
        sa.Column("what", sa.String(8), nullable=False),
        sa.Column("target", sa.String(256), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        *_times("created_at"),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], op.f("fk_stops_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stops")),
    )
    op.create_index("ix_stops_in_force", "stops", ["project_id", "lifted_at"])


def downgrade() -> None:
    """Remove them."""
    for table in ("stops", "budget_reservations", "budget_pots", "budgets"):
        op.drop_table(table)

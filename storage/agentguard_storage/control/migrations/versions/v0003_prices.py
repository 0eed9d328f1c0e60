"""Prices of a project's own."""

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"


def _amount(name: str, *, nullable: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "price_overrides",
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("project_id", sa.String(16), nullable=False),
        sa.Column("provider", sa.String(100), nullable=False),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        _amount("input"),
        _amount("cache_read", nullable=True),
        _amount("cache_write", nullable=True),
        _amount("output"),
        _amount("reasoning", nullable=True),
        _amount("per_request"),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], op.f("fk_price_overrides_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_overrides")),
        sa.UniqueConstraint(
            "project_id",
            "provider",
            "model",
            "valid_from",
            name=op.f("uq_price_overrides_project_id_provider_model_valid_from"),
        ),
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_table("price_overrides")

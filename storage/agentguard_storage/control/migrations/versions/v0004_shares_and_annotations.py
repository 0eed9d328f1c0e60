"""Links to traces, and notes on them."""

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"


def _text(name: str, length: int) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length), nullable=False)


def _time(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "shares",
        _text("id", 16),
        _text("project_id", 16),
        _text("trace_id", 32),
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
        _text("created_by", 100),
        _time("created_at"),
        _time("expires_at"),
        _time("revoked_at", nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], op.f("fk_shares_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shares")),
    )
    op.create_index("ix_shares_project", "shares", ["project_id", "created_at"])
    op.create_table(
        "annotations",
        _text("id", 16),
        _text("project_id", 16),
        _text("trace_id", 32),
        _text("span_id", 16),
        _text("text", 2000),
        _text("label", 64),
        sa.Column("score", sa.Double(), nullable=True),
        _text("author_key", 12),
        _text("author", 100),
        _time("created_at"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], op.f("fk_annotations_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotations")),
    )
    op.create_index("ix_annotations_trace", "annotations", ["project_id", "trace_id", "created_at"])


def downgrade() -> None:
    """Remove them."""
    op.drop_table("annotations")
    op.drop_table("shares")

"""Studies with their leases, and runners."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables of studies and runners."""
    op.create_table(
        "taskgraft_studies",
        sa.Column("id", sa.String(16).with_variant(sa.String(16, collation="C"), "postgresql"), primary_key=True),
        sa.Column("idempotency_key", sa.String(255), unique=True),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stage", sa.String(16)),
        sa.Column("progress", sa.JSON),
        sa.Column("running", sa.JSON),
        sa.Column("reason", sa.JSON),
        sa.Column("result", sa.JSON),
        sa.Column("tree", sa.JSON),
        sa.Column("facts", sa.JSON),
        sa.Column("owner", sa.String(255)),
        sa.Column("lease_until", sa.Float(53)),
        sa.Column("renewed_at", sa.Float(53)),
        sa.Column("busy_seconds", sa.Float(53), nullable=False),
    )
    op.create_table(
        "taskgraft_runners",
        sa.Column("owner", sa.String(255), primary_key=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("taskgraft_studies_by_state", "taskgraft_studies", ["state", "id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("taskgraft_runners")
    op.drop_table("taskgraft_studies")

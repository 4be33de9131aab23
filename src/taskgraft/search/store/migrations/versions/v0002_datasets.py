"""Datasets with their versions and leases, and which of them a study uses."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _text(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "taskgraft_datasets",
        sa.Column("name", _text(64), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("source", sa.JSON, nullable=False),
        sa.Column("content", sa.String(64)),
        sa.Column("fingerprint", sa.String(64)),
        sa.Column("report", sa.JSON),
        sa.Column("progress", sa.JSON),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("owner", sa.String(255)),
        sa.Column("lease_until", sa.Float(53)),
    )
    op.create_index("taskgraft_datasets_by_state", "taskgraft_datasets", ["state"])
    op.create_table(
        "taskgraft_study_datasets",
        sa.Column("study_id", _text(16), sa.ForeignKey("taskgraft_studies.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", _text(64), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_index("taskgraft_study_datasets_by_name", "taskgraft_study_datasets", ["name", "version"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("taskgraft_study_datasets")
    op.drop_table("taskgraft_datasets")

"""Finished trainings by digest, and which study a study was derived from."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_ID = sa.String(16).with_variant(sa.String(16, collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table of trainings, and the column ``parent`` of studies."""
    op.create_table(
        "taskgraft_trainings",
        sa.Column("study_id", _ID, sa.ForeignKey("taskgraft_studies.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("origin", _ID, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("steps_left", sa.Integer, nullable=False),
        sa.Column("measurement", sa.LargeBinary, nullable=False),
    )
    op.create_index("taskgraft_trainings_by_digest", "taskgraft_trainings", ["digest"])
    op.add_column("taskgraft_studies", sa.Column("parent", _ID))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("taskgraft_studies", "parent")
    op.drop_table("taskgraft_trainings")

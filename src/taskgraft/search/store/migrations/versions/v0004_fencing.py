"""How often a study was taken, and which trainings it has recorded: no training has two trials."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_ID = sa.String(16).with_variant(sa.String(16, collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table of recorded trainings, and the column ``epoch`` of studies."""
    op.add_column("taskgraft_studies", sa.Column("epoch", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "taskgraft_trials",
        sa.Column("study_id", _ID, sa.ForeignKey("taskgraft_studies.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("taskgraft_trials")
    op.drop_column("taskgraft_studies", "epoch")

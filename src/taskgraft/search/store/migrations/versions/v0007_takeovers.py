"""How often a study was taken from a runner that was gone."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the column ``takeovers`` of studies."""
    op.add_column("taskgraft_studies", sa.Column("takeovers", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("taskgraft_studies", "takeovers")

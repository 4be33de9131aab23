"""Matrices and trade-offs that were worked out beforehand, and studies by their parent."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_ID = sa.String(16).with_variant(sa.String(16, collation="C"), "postgresql")


def _study() -> sa.Column[str]:
    key = sa.ForeignKey("taskgraft_studies.id", ondelete="CASCADE")
    return sa.Column("study_id", _ID, key, primary_key=True)


def upgrade() -> None:
    """Create the tables and the index."""
    op.create_table(
        "taskgraft_matrices",
        _study(),
        sa.Column("trials", sa.Integer, nullable=False),
        sa.Column("matrix", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "taskgraft_tradeoffs",
        _study(),
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("ar_threshold", sa.Float(53), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("encoder_parameters", sa.BigInteger, nullable=False),
        sa.Column("parameters", sa.BigInteger),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_index("taskgraft_studies_by_parent", "taskgraft_studies", ["parent", "id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("taskgraft_studies_by_parent", "taskgraft_studies")
    op.drop_table("taskgraft_tradeoffs")
    op.drop_table("taskgraft_matrices")

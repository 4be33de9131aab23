"""API tokens, who made which study and dataset, and how many bytes an uploaded dataset has."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def _text(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table of tokens, and the columns that refer to it."""
    op.create_table(
        "taskgraft_tokens",
        sa.Column("id", _text(16), primary_key=True),
        sa.Column("name", _text(64), nullable=False),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.Column("max_queued", sa.Integer),
        sa.Column("max_bytes", sa.BigInteger),
    )
    op.add_column("taskgraft_studies", sa.Column("made_by", _text(16)))
    op.create_index("taskgraft_studies_by_maker", "taskgraft_studies", ["made_by", "state"])
    op.add_column("taskgraft_datasets", sa.Column("made_by", _text(16)))
    op.add_column("taskgraft_datasets", sa.Column("stored_bytes", sa.BigInteger))
    op.create_index("taskgraft_datasets_by_maker", "taskgraft_datasets", ["made_by"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("taskgraft_datasets_by_maker", "taskgraft_datasets")
    op.drop_column("taskgraft_datasets", "stored_bytes")
    op.drop_column("taskgraft_datasets", "made_by")
    op.drop_index("taskgraft_studies_by_maker", "taskgraft_studies")
    op.drop_column("taskgraft_studies", "made_by")
    op.drop_table("taskgraft_tokens")

"""Optuna's studies are named after ours, for those who look at them in a dashboard: ``NAME/ID``, not ``taskgraft/ID``.

Their trials stay in the form that they have, and are read in both forms.
"""

from alembic import op
from sqlalchemy import inspect

revision = "0008"
down_revision = "0007"

_NAME = {"sqlite": "json_extract(ours.spec, '$.name')", "postgresql": "(ours.spec ->> 'name')"}


def upgrade() -> None:
    """Rename what was recorded; a new database has none of Optuna's tables yet."""
    connection = op.get_bind()
    inspector = inspect(connection)
    if not inspector.has_table("studies") or all(
        one["name"] != "study_name" for one in inspector.get_columns("studies")
    ):
        return
    op.execute(
        f"UPDATE studies SET study_name = (SELECT {_NAME[connection.dialect.name]} || '/' || ours.id "  # noqa: S608
        "FROM taskgraft_studies AS ours WHERE ours.id = substr(studies.study_name, 11)) "
        "WHERE study_name LIKE 'taskgraft/%' "
        "AND EXISTS (SELECT 1 FROM taskgraft_studies AS ours WHERE ours.id = substr(studies.study_name, 11))"
    )


def downgrade() -> None:
    """Leave the names: the earlier version can't read the trials that were recorded since."""

"""What Alembic runs: the connection comes from `taskgraft.search.store.migrate`, which also commits."""

from alembic import context

from taskgraft.search.store.migrate import VERSION_TABLE
from taskgraft.search.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
context.run_migrations()

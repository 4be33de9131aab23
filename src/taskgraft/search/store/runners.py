"""Signs of life of the runners."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, insert, select, update

from taskgraft.search.store.clock import read_clock
from taskgraft.search.store.leases import LeaseTable
from taskgraft.search.store.tables import runners

_FORGOTTEN = timedelta(days=1)


class RunnerTable(LeaseTable):
    """The runners of one database. Times are those of the database's clock."""

    def record_heartbeat(self, owner: str) -> None:
        """Record that a runner is alive, and forget those not seen for a day. Each owner is one process."""
        with self._database.begin() as connection:
            time = datetime.fromtimestamp(read_clock(connection), UTC)
            seen = connection.execute(update(runners).where(runners.c.owner == owner).values(seen_at=time))
            if not seen.rowcount:
                connection.execute(insert(runners).values(owner=owner, seen_at=time))
                connection.execute(delete(runners).where(runners.c.seen_at < time - _FORGOTTEN))

    def runner_silence(self, host: str | None = None) -> timedelta | None:
        """Return how long ago a runner, or one on this host, last showed that it lives; None if none ever did."""
        query = select(func.max(runners.c.seen_at))
        if host is not None:
            query = query.where(runners.c.owner.startswith(f"{host}:", autoescape=True))
        with self._database.begin() as connection:
            seen: datetime | None = connection.execute(query).scalar()
            time = datetime.fromtimestamp(read_clock(connection), UTC)
        return None if seen is None else time - seen

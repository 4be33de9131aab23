"""Signs of life of the runners."""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, update

from taskgraft.search.store.leases import LeaseTable
from taskgraft.search.store.tables import runners, utc_now

_FORGOTTEN = timedelta(days=1)


class RunnerTable(LeaseTable):
    """The runners of one database. Times are those of the runners' own wall clocks."""

    def record_heartbeat(self, owner: str) -> None:
        """Record that a runner is alive, and forget those not seen for a day. Each owner is one process."""
        now = utc_now()
        with self._database.begin() as connection:
            seen = connection.execute(update(runners).where(runners.c.owner == owner).values(seen_at=now))
            if not seen.rowcount:
                connection.execute(insert(runners).values(owner=owner, seen_at=now))
                connection.execute(delete(runners).where(runners.c.seen_at < now - _FORGOTTEN))

    def runner_seen(self, host: str | None = None) -> datetime | None:
        """When a runner, or one on this host, last showed that it lives; None where none ever did."""
        query = select(func.max(runners.c.seen_at))
        if host is not None:
            query = query.where(runners.c.owner.startswith(f"{host}:", autoescape=True))
        with self._database.begin() as connection:
            seen: datetime | None = connection.execute(query).scalar()
        return seen

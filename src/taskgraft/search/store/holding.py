"""What every write for a study goes through: the check that its lease is the present one."""

from sqlalchemy import ColumnElement, Connection, and_, select, update

from taskgraft.errors import LeaseLost, NotFound
from taskgraft.search.store.rows import has_id, no_study
from taskgraft.search.store.tables import studies
from taskgraft.search.study.lease import Lease


def is_held(lease: Lease) -> ColumnElement[bool]:
    """Return the condition that a row is the study of the lease, and the lease its present one.

    Raises:
        NotFound: no study can have this id.
    """
    return and_(has_id(lease.study_id), studies.c.owner == lease.owner, studies.c.epoch == lease.epoch)


def hold(connection: Connection, lease: Lease) -> None:
    """Check a lease, and keep other runners from taking the study until the transaction ends.

    This is an UPDATE that changes nothing: it locks the row on PostgreSQL, and the file on SQLite, which has no other
    way to lock what was read.

    Raises:
        NotFound: the study was deleted.
        LeaseLost: the lease is not the study's present one.
    """
    same = {"epoch": studies.c.epoch, "updated_at": studies.c.updated_at}
    statement = update(studies).where(is_held(lease)).values(same).returning(studies.c.id)
    if connection.execute(statement).one_or_none() is None:
        raise why_not_held(connection, lease)


def why_not_held(connection: Connection, lease: Lease) -> NotFound | LeaseLost:
    """Return the error for a lease that is not the present one of a study."""
    state = connection.execute(select(studies.c.state).where(has_id(lease.study_id))).scalar()
    if state is None:
        return no_study(lease.study_id)
    return LeaseLost(f"study {lease.study_id} is {state}: {lease.owner} no longer holds it (epoch {lease.epoch})")

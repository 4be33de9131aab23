"""Quotas of tokens, checked in the transaction that adds something.

First the token's row is locked, then the new row is written, then all are counted: of two requests at the same moment,
one sees what the other added. (SQLite has no lock of a row; there, the writing itself makes the other one wait.)
"""

from sqlalchemy import Connection, func, select

from taskgraft.errors import QuotaExceeded
from taskgraft.search.store.tables import datasets, studies, tokens
from taskgraft.search.study.states import State
from taskgraft.search.study.token import Token

_OPEN = tuple(state for state in State if not state.is_final)


def lock(connection: Connection, token: Token | None) -> None:
    """Make other requests with this token wait until the transaction ends, if it has a quota."""
    if token is not None and (token.quota.queued is not None or token.quota.bytes is not None):
        connection.execute(select(tokens.c.id).where(tokens.c.id == token.id).with_for_update()).all()


def check_queued(connection: Connection, token: Token | None) -> None:
    """Check the number of studies that are not finished, the new one among them.

    Raises:
        QuotaExceeded: there are too many.
    """
    if token is None or token.quota.queued is None:
        return
    mine = select(func.count()).where(studies.c.made_by == token.id, studies.c.state.in_(_OPEN))
    found = connection.execute(mine).scalar_one()
    if found > token.quota.queued:
        raise QuotaExceeded(
            f"token {token.name} may have {token.quota.queued:,} studies that are not finished; this would be number "
            f"{found:,}"
        )


def stored_bytes(connection: Connection, token: Token) -> int:
    """Return how many bytes the datasets have that a token uploaded."""
    mine = select(func.sum(datasets.c.stored_bytes)).where(datasets.c.made_by == token.id)
    return int(connection.execute(mine).scalar() or 0)


def check_bytes(connection: Connection, token: Token | None, coming: int = 0) -> None:
    """Check the bytes of uploaded datasets, and ``coming`` more.

    Raises:
        QuotaExceeded: there are too many.
    """
    if token is None or token.quota.bytes is None:
        return
    found = stored_bytes(connection, token) + coming
    if found > token.quota.bytes:
        raise QuotaExceeded(
            f"token {token.name} may store {token.quota.bytes:,} bytes of datasets; with this one there would be "
            f"{found:,}"
        )

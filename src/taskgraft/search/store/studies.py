"""Studies as users see them: create, read, list, delete; cancel, pause, resume."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, case, delete, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from taskgraft.errors import Conflict, InvalidInput
from taskgraft.search.store import quotas
from taskgraft.search.store.database import Database
from taskgraft.search.store.datasets import use
from taskgraft.search.store.ledger import delete_ledger
from taskgraft.search.store.rows import SHOWN, has_id, is_id, new_id, no_study, to_study
from taskgraft.search.store.tables import studies
from taskgraft.search.study.comparison import Comparison
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import State
from taskgraft.search.study.study import Study
from taskgraft.search.study.token import Token

MAX_PAGE = 500

_CANCEL = MappingProxyType(
    {State.QUEUED: State.CANCELLED, State.PAUSED: State.CANCELLED, State.RUNNING: State.CANCELLING}
)
_PAUSE = MappingProxyType({State.QUEUED: State.PAUSED, State.RUNNING: State.PAUSED})
_RESUME = MappingProxyType({State.PAUSED: State.QUEUED})
_DELETABLE = frozenset(State) - {State.RUNNING, State.CANCELLING}


@dataclass(frozen=True, slots=True)
class Page:
    """Some studies, and the cursor of the next page (None on the last one)."""

    items: tuple[Study, ...]
    next_cursor: str | None = None


class StudyTable:
    """The studies of one database. Every method is one transaction and may be called from any thread.

    All methods raise `Unavailable` if the database fails.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create_study(
        self,
        spec: StudySpec,
        *,
        idempotency_key: str | None = None,
        datasets: Mapping[str, int] = MappingProxyType({}),
        parent: str | None = None,
        comparison: Comparison | None = None,
        token: Token | None = None,
    ) -> tuple[Study, bool]:
        """Queue a study, and say whether it is new: the same key with the same body gives the first study again.

        ``datasets`` are the versions of registered datasets that it uses, now and whenever it is resumed. ``parent`` is
        the study whose tree this one makes for another threshold, or that it compares as ``comparison`` says; both are
        parts of the body. It belongs to ``token``, if any.

        Raises:
            InvalidInput: at ``Idempotency-Key``: the key was used with another body, or is not 1 to 255 printable
                characters.
            Conflict: the first study of the key, or a dataset, was deleted at this very moment.
            QuotaExceeded: the token has as many studies that are not finished as it may have.
        """
        check_key(idempotency_key)
        values = {
            "id": new_id(),
            "idempotency_key": idempotency_key,
            "spec": spec.to_plain(),
            "state": State.QUEUED,
            "facts": _facts(datasets, comparison),
            "parent": parent,
            "made_by": None if token is None else token.id,
        }
        insert = _insert(self._database.dialect).values(values)
        statement = insert.on_conflict_do_nothing(index_elements=["idempotency_key"]).returning(*SHOWN)
        with self._database.begin() as connection:
            quotas.lock(connection, token)
            if row := connection.execute(statement).one_or_none():
                quotas.check_queued(connection, token)
                use(connection, row.id, datasets)
                return to_study(row), True
            first = connection.execute(select(*SHOWN).where(studies.c.idempotency_key == idempotency_key)).one_or_none()
        if first is None:
            raise Conflict("the study of this Idempotency-Key was deleted at this moment: ask again")
        study = to_study(first)
        if (study.spec, study.parent, _request(study.comparison)) != (spec, parent, _request(comparison)):
            raise InvalidInput.at(
                "Idempotency-Key", f"stands for one study; it was used for {study.id} with another body"
            )
        return study, False

    def knows_key(self, key: str | None) -> bool:
        """Return whether a study was created with this key."""
        if key is None or not key.isprintable():
            return False
        query = select(studies.c.id).where(studies.c.idempotency_key == key)
        with self._database.begin() as connection:
            return connection.execute(query).one_or_none() is not None

    def get_study(self, study_id: str) -> Study:
        """Return one study.

        Raises:
            NotFound: no study has this id.
        """
        with self._database.begin() as connection:
            row = connection.execute(select(*SHOWN).where(has_id(study_id))).one_or_none()
        if row is None:
            raise no_study(study_id)
        return to_study(row)

    def study_of_key(self, idempotency_key: str) -> Study | None:
        """Return the study that was created with this key; None if there is none."""
        query = select(*SHOWN).where(studies.c.idempotency_key == idempotency_key)
        with self._database.begin() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else to_study(row)

    def release_key(self, study_id: str) -> None:
        """Let another study be created with the Idempotency-Key of this one, which stays without a key.

        Raises:
            NotFound: there is no study with this id.
        """
        statement = update(studies).where(has_id(study_id)).values(idempotency_key=None).returning(studies.c.id)
        with self._database.begin() as connection:
            if connection.execute(statement).one_or_none() is None:
                raise no_study(study_id)

    def list_studies(self, state: State | None = None, limit: int = 50, cursor: str | None = None) -> Page:
        """Return studies, newest first; a study that is created meanwhile moves none of the following pages.

        Raises:
            InvalidInput: a limit outside 1..500, or a cursor that no page gave.
        """
        query = select(*SHOWN).order_by(studies.c.id.desc())
        if state is not None:
            query = query.where(studies.c.state == state)
        if cursor is not None:
            query = query.where(studies.c.id < from_cursor(cursor))
        return self._page(query, limit)

    def comparisons_of(self, study_id: str, limit: int = 50, cursor: str | None = None) -> Page:
        """Return the comparisons of a study, oldest first, also of one that was deleted.

        Raises:
            NotFound: no study can have this id.
            InvalidInput: as `list_studies`.
        """
        has_id(study_id)
        compares = studies.c.facts["comparison"]["seeds"].as_string().is_not(None)
        query = select(*SHOWN).where(studies.c.parent == study_id, compares).order_by(studies.c.id)
        if cursor is not None:
            query = query.where(studies.c.id > from_cursor(cursor))
        return self._page(query, limit)

    def _page(self, query: Select[Any], limit: int) -> Page:
        """Return the first studies of a query, and the cursor of those behind them."""
        if not 1 <= limit <= MAX_PAGE:
            raise InvalidInput.at("limit", f"1 to {MAX_PAGE} studies a page; got {limit}")
        with self._database.begin() as connection:
            found = tuple(to_study(row) for row in connection.execute(query.limit(limit + 1)))
        more = len(found) > limit
        return Page(found[:limit], to_cursor(found[limit - 1].id) if more else None)

    def cancel_study(self, study_id: str) -> Study:
        """Stop a study for good; a running one is ``cancelling`` until its runner has noticed.

        Raises:
            NotFound: no study has this id.
            Conflict: it is not queued, paused or running.
        """
        return self._move(study_id, _CANCEL, "cancelled")

    def pause_study(self, study_id: str) -> Study:
        """Stop a study for now; its runner notices when it renews its lease.

        Raises:
            NotFound: no study has this id.
            Conflict: it is not queued or running.
        """
        return self._move(study_id, _PAUSE, "paused")

    def resume_study(self, study_id: str) -> Study:
        """Queue a paused study again.

        Raises:
            NotFound: no study has this id.
            Conflict: it is not paused.
        """
        return self._move(study_id, _RESUME, "resumed")

    def delete_study(self, study_id: str) -> None:
        """Remove a study and its ledger; repeated after a crash it removes what was left.

        Raises:
            NotFound: no study has this id.
            Conflict: it is running or cancelling.
        """
        statement = delete(studies).where(has_id(study_id), studies.c.state.in_(_DELETABLE)).returning(studies.c.id)
        with self._database.begin() as connection:
            deleted = connection.execute(statement).one_or_none() is not None
            left = connection.execute(select(studies.c.state).where(has_id(study_id))).scalar()
        if left is not None:
            raise Conflict(f"study {study_id} is {left}: only one that does not run may be deleted")
        if not (delete_ledger(self._database, study_id) or deleted):
            raise no_study(study_id)

    def _move(self, study_id: str, moves: Mapping[State, State], done: str) -> Study:
        values = {"state": next_state(moves), "running": None}
        rule = f"only one that is {' or '.join(moves)} may be {done}"
        return self._change(study_id, studies.c.state.in_(moves), values, rule)

    def _change(self, study_id: str, condition: ColumnElement[bool], values: Mapping[str, Any], rule: str) -> Study:
        return to_study(self._change_row(study_id, condition, values, rule))

    def _change_row(
        self, study_id: str, condition: ColumnElement[bool], values: Mapping[str, Any], rule: str
    ) -> Row[Any]:
        """Set all ``values`` if the ``condition`` holds; otherwise raise `Conflict` with the ``rule``."""
        statement = update(studies).where(has_id(study_id), condition).values(values).returning(*SHOWN)
        with self._database.begin() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            raise Conflict(f"study {study_id} is {self.get_study(study_id).state}: {rule}")
        return row


def _facts(datasets: Mapping[str, int], comparison: Comparison | None) -> dict[str, Any] | None:
    facts: dict[str, Any] = {"datasets": dict(datasets)} if datasets else {}
    return (facts | ({"comparison": comparison.to_json()} if comparison else {})) or None


def _request(comparison: Comparison | None) -> object:
    return None if comparison is None else comparison.request


def next_state(moves: Mapping[State, State]) -> ColumnElement[State]:
    """Return the state that ``moves`` leads to; a state that it does not name stays."""
    column = studies.c.state
    return case({before: literal(after, column.type) for before, after in moves.items()}, value=column, else_=column)


def _insert(dialect: str) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(studies) if dialect == "postgresql" else sqlite.insert(studies)


def check_key(key: str | None) -> None:
    """Check that a study may be created with this key.

    Raises:
        InvalidInput: at ``Idempotency-Key``: it is not 1 to 255 printable characters.
    """
    if key is not None and not (1 <= len(key) <= 255 and key.isprintable()):
        raise InvalidInput.at("Idempotency-Key", f"1 to 255 printable characters; got {key!r:.80}")


def to_cursor(study_id: str) -> str:
    """Return the cursor of the page behind a study."""
    return base64.urlsafe_b64encode(study_id.encode()).decode().rstrip("=")


def from_cursor(cursor: str) -> str:
    """Return the study that a cursor's page comes behind.

    Raises:
        InvalidInput: no page gave it.
    """
    try:
        study_id = base64.b64decode(cursor + "==", altchars=b"-_", validate=True).decode()
    except ValueError:  # not base 64, or not text
        study_id = ""
    if not is_id(study_id):
        raise InvalidInput.at("cursor", f"the next_cursor of a page; got {cursor!r:.80}")
    return study_id

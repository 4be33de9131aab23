"""Studies in a line each, for lists: what is large about them (specification, tree, facts) is not read."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, select

from taskgraft.errors import InvalidInput
from taskgraft.search.store.database import Database
from taskgraft.search.store.rows import has_id, no_study, to_result
from taskgraft.search.store.studies import MAX_PAGE, from_cursor, to_cursor
from taskgraft.search.store.tables import studies
from taskgraft.search.study.result import Result
from taskgraft.search.study.states import Stage, State
from taskgraft.search.study.study import Progress


@dataclass(frozen=True, slots=True)
class StudySummary:
    """What a list says about a study."""

    id: str
    name: str
    ar_threshold: float
    state: State
    stage: Stage | None
    progress: Progress
    reason: str | None
    result: Result | None
    parent: str | None
    is_comparison: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SummaryPage:
    """Studies, newest first, and the cursor of the next page (None on the last one)."""

    items: tuple[StudySummary, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a study stands."""

    state: State
    stage: Stage | None
    reason: str | None


_COLUMNS: tuple[ColumnElement[Any], ...] = (
    studies.c.id,
    studies.c.state,
    studies.c.stage,
    studies.c.progress,
    studies.c.reason,
    studies.c.result,
    studies.c.parent,
    studies.c.created_at,
    studies.c.updated_at,
    studies.c.spec["name"].as_string().label("name"),
    studies.c.spec["ar_threshold"].as_float().label("ar_threshold"),
    studies.c.facts["comparison"]["seeds"].as_string().label("comparison"),
)


class SummaryTable:
    """Lists of the studies of one database. Every method is one transaction and may be called from any thread.

    All methods raise `Unavailable` if the database fails.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        state: State | None = None,
        limit: int = 50,
        cursor: str | None = None,
        *,
        name: str | None = None,
        parent: str | None = None,
    ) -> SummaryPage:
        """Return studies, newest first; a study that is created meanwhile moves none of the following pages.

        ``name`` is a part of their name, in capitals or not; ``parent`` is the id of the study that they came from.

        Raises:
            InvalidInput: a limit outside 1..500, or a cursor that no page gave.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise InvalidInput.at("limit", f"1 to {MAX_PAGE} studies a page; got {limit}")
        query = select(*_COLUMNS).order_by(studies.c.id.desc()).limit(limit + 1)
        if state is not None:
            query = query.where(studies.c.state == state)
        if name is not None:
            query = query.where(studies.c.spec["name"].as_string().icontains(name, autoescape=True))
        if parent is not None:
            query = query.where(studies.c.parent == parent)
        if cursor is not None:
            query = query.where(studies.c.id < from_cursor(cursor))
        with self._database.begin() as connection:
            found = tuple(_to_summary(row) for row in connection.execute(query))
        return SummaryPage(found[:limit], to_cursor(found[limit - 1].id) if len(found) > limit else None)

    def standing(self, study_id: str) -> Standing:
        """Return where a study stands.

        Raises:
            NotFound: no study has this id.
        """
        query = select(studies.c.state, studies.c.stage, studies.c.reason).where(has_id(study_id))
        with self._database.begin() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise no_study(study_id)
        return Standing(row.state, row.stage, row.reason)


def _to_summary(row: Row[Any]) -> StudySummary:
    return StudySummary(
        id=row.id,
        name=row.name,
        ar_threshold=row.ar_threshold,
        state=row.state,
        stage=row.stage,
        progress=Progress(**row.progress) if row.progress else Progress(),
        reason=row.reason,
        result=to_result(row.result, row.ar_threshold) if row.result else None,
        parent=row.parent,
        is_comparison=row.comparison is not None,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )

"""Datasets in the database: versions of a name, and the lease of the runner that checks one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, exists, func, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from taskgraft.errors import Conflict, InvalidInput, NotFound
from taskgraft.evaluators.datasets.report import CheckReport
from taskgraft.search.store import quotas
from taskgraft.search.store.clock import now
from taskgraft.search.store.database import Database
from taskgraft.search.store.tables import datasets, studies, study_datasets
from taskgraft.search.study.dataset import Dataset, DatasetState, Source, source_from_json
from taskgraft.search.study.states import State
from taskgraft.search.study.token import Token, check_may_change

MAX_PAGE = 500
_NAMED_STUDIES = 5
_OPEN = tuple(state for state in State if not state.is_final)


@dataclass(frozen=True, slots=True)
class DatasetPage:
    """Datasets by name, each in its newest version, and the cursor of the next page (None on the last one)."""

    items: tuple[Dataset, ...]
    next_cursor: str | None = None


class DatasetTable:
    """The datasets of one database. Every method is one transaction and may be called from any thread.

    All methods raise `Unavailable` if the database fails.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, name: str, source: Source, content: str | None, *, token: Token | None = None, stored_bytes: int = 0
    ) -> tuple[Dataset, bool]:
        """Add a version that waits for its check, and say whether it is new.

        If the newest version has the same ``content`` and is not broken, it is returned instead. A dataset belongs to
        the token that made its first version, and so do the ``stored_bytes`` of the later ones.

        Raises:
            Forbidden: the dataset is not the token's.
            QuotaExceeded: the token would store more bytes than it may.
        """
        while True:
            with self._database.begin() as connection:
                quotas.lock(connection, token)
                newest = connection.execute(_newest(name)).one_or_none()
                if newest is not None and _is_same(newest, content):
                    return _to_dataset(newest), False
                if newest is not None:
                    check_may_change(token, newest.made_by, f"dataset {name}")
                maker = None if token is None else token.id
                values = {
                    "made_by": maker if newest is None else newest.made_by,
                    "stored_bytes": stored_bytes,
                    "name": name,
                    "version": 1 if newest is None else newest.version + 1,
                    "state": DatasetState.CHECKING,
                    "source": source.to_json(),
                    "content": content,
                }
                insert = _insert(self._database.dialect).values(values).on_conflict_do_nothing()
                if (row := connection.execute(insert.returning(*datasets.c)).one_or_none()) is not None:
                    quotas.check_bytes(connection, token)
                    return _to_dataset(row), True
            # Another process added this version at the same moment: look again.

    def get(self, name: str, version: int | None = None) -> Dataset:
        """Return one version, by default the newest.

        Raises:
            NotFound: there is no such dataset or version.
        """
        query = _newest(name) if version is None else select(datasets).where(_is(name, version))
        with self._database.begin() as connection:
            row = connection.execute(query).one_or_none() if _is_text(name) else None
        if row is None:
            raise no_dataset(name, version)
        return _to_dataset(row)

    def page(self, limit: int = 100, cursor: str | None = None) -> DatasetPage:
        """Return datasets by name, each in its newest version; ``cursor`` is the last name of the page before.

        Raises:
            InvalidInput: a limit outside 1..500.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise InvalidInput.at("limit", f"1 to {MAX_PAGE} datasets a page; got {limit}")
        newest = select(datasets.c.name, func.max(datasets.c.version)).group_by(datasets.c.name)
        query = select(datasets).where(tuple_(datasets.c.name, datasets.c.version).in_(newest))
        if cursor is not None and _is_text(cursor):
            query = query.where(datasets.c.name > cursor)
        with self._database.begin() as connection:
            rows = connection.execute(query.order_by(datasets.c.name).limit(limit + 1)).all()
        items = tuple(map(_to_dataset, rows[:limit]))
        return DatasetPage(items, items[-1].name if len(rows) > limit else None)

    def check_room(self, name: str, token: Token, coming: int) -> None:
        """Check that a token may add ``coming`` bytes under this name, before they are received.

        Of a dataset that is there already, only its owner is checked: the same content again takes no room.

        Raises:
            Forbidden: the dataset is not the token's.
            QuotaExceeded: it may not store so many.
        """
        with self._database.begin() as connection:
            newest = connection.execute(_newest(name)).one_or_none()
            if newest is not None:
                check_may_change(token, newest.made_by, f"dataset {name}")
            else:
                quotas.check_bytes(connection, token, coming)

    def delete(self, name: str, token: Token | None = None) -> tuple[Source, ...]:
        """Remove all versions; return where their files are.

        Raises:
            NotFound: there is no such dataset.
            Forbidden: the dataset is not the token's.
            Conflict: a study that is not finished uses it.
        """
        users = (
            select(studies.c.id)
            .join(study_datasets, study_datasets.c.study_id == studies.c.id)
            .where(study_datasets.c.name == name, studies.c.state.in_(_OPEN))
            .order_by(studies.c.id)
            .limit(_NAMED_STUDIES)
        )
        if not _is_text(name):
            raise no_dataset(name)
        with self._database.begin() as connection:
            # First the rows, then who uses them: `use` does it the other way round, so one of the two sees the other.
            rows = connection.execute(delete(datasets).where(datasets.c.name == name).returning(*datasets.c)).all()
            for row in rows:
                check_may_change(token, row.made_by, f"dataset {name}")
            if in_use := connection.execute(users).scalars().all():
                raise Conflict(f"dataset {name} is used by studies that are not finished: {', '.join(in_use)}")
        if not rows:
            raise no_dataset(name)
        return tuple(_to_dataset(row).source for row in rows)

    def folders(self) -> set[str]:
        """Return the folders of all uploads that are known."""
        with self._database.begin() as connection:
            sources = connection.execute(select(datasets.c.source)).scalars().all()
        return {source["folder"] for source in sources if "folder" in source}

    def acquire(self, owner: str, lease_seconds: float) -> Dataset | None:
        """Take the oldest version that waits for its check; no two callers ever get the same one.

        A version whose runner is gone (its lease ran out) waits again.
        """
        waits = and_(
            datasets.c.state == DatasetState.CHECKING,
            or_(datasets.c.lease_until.is_(None), datasets.c.lease_until < now()),
        )
        order = (datasets.c.created_at, datasets.c.name, datasets.c.version)
        oldest = select(datasets.c.name, datasets.c.version).where(waits).order_by(*order).limit(1)
        with self._database.begin() as connection:
            found = connection.execute(oldest.with_for_update(skip_locked=True)).one_or_none()
            if found is None:
                return None
            taken = {"owner": owner, "lease_until": now() + lease_seconds}
            change = update(datasets).where(_is(*found), waits).values(taken).returning(*datasets.c)
            row = connection.execute(change).one_or_none()
        return None if row is None else _to_dataset(row)

    def renew(self, dataset: Dataset, owner: str, lease_seconds: float, progress: tuple[int, int] | None) -> None:
        """Hold on to a check, and say how far it is.

        Raises:
            Conflict: the lease was lost to another runner, or the dataset was deleted.
        """
        self._as_owner(dataset, owner, {"lease_until": now() + lease_seconds, "progress": progress})

    def release(self, dataset: Dataset, owner: str) -> None:
        """Let go of a check, for another runner.

        Raises:
            Conflict: as `renew`.
        """
        self._as_owner(dataset, owner, {"owner": None, "lease_until": None})

    def finish(self, dataset: Dataset, owner: str, report: CheckReport, fingerprint: str | None) -> Dataset:
        """Keep what a check found; the version is ``ready`` if there are no faults, else ``broken``.

        Raises:
            Conflict: as `renew`.
        """
        values = {
            "state": DatasetState.READY if report.ok else DatasetState.BROKEN,
            "report": report.to_json(),
            "fingerprint": fingerprint,
            "progress": None,
            "owner": None,
            "lease_until": None,
        }
        return self._as_owner(dataset, owner, values)

    def _as_owner(self, dataset: Dataset, owner: str, values: Mapping[str, Any]) -> Dataset:
        held = and_(
            _is(dataset.name, dataset.version),
            datasets.c.created_at == dataset.created_at,  # not one of the same name that was made since
            datasets.c.owner == owner,
            datasets.c.state == DatasetState.CHECKING,
        )
        with self._database.begin() as connection:
            row = connection.execute(update(datasets).where(held).values(values).returning(*datasets.c)).one_or_none()
        if row is None:
            raise Conflict(f"{owner} no longer checks version {dataset.version} of {dataset.name}")
        return _to_dataset(row)


def use(connection: Connection, study_id: str, versions: Mapping[str, int]) -> None:
    """Note, in the transaction that creates a study, which versions it uses.

    Raises:
        Conflict: one of them was deleted at this moment.
    """
    if not versions:
        return
    rows = [{"study_id": study_id, "name": name, "version": version} for name, version in versions.items()]
    connection.execute(study_datasets.insert(), rows)
    there = select(datasets.c.name).where(or_(*(_is(name, version) for name, version in versions.items())))
    found = connection.execute(there.with_for_update(read=True)).scalars().all()
    if gone := sorted(set(versions).difference(found)):
        raise Conflict(f"{', '.join(gone)} was deleted at this moment")


def waits_for_data() -> ColumnElement[bool]:
    """Return the condition that a dataset of a study is still being checked."""
    matching = and_(datasets.c.name == study_datasets.c.name, datasets.c.version == study_datasets.c.version)
    checking = select(datasets.c.name).where(matching, datasets.c.state == DatasetState.CHECKING)
    uses = select(study_datasets.c.name).where(study_datasets.c.study_id == studies.c.id, exists(checking))
    return exists(uses)


def no_dataset(name: str, version: int | None = None) -> NotFound:
    """Return the error for a name that no dataset has."""
    which = "" if version is None else f" with version {version}"
    return NotFound(f"there is no dataset {name!r:.80}{which}")


def _is(name: str, version: int) -> ColumnElement[bool]:
    return and_(datasets.c.name == name, datasets.c.version == version)


def _is_same(row: Row[Any], content: str | None) -> bool:
    """Return whether a version holds this content. A broken one is checked again: its surroundings may have changed."""
    return content is not None and row.content == content and row.state is not DatasetState.BROKEN


def _newest(name: str) -> Any:
    return select(datasets).where(datasets.c.name == name).order_by(datasets.c.version.desc()).limit(1)


def _is_text(name: str) -> bool:
    """Return whether a database can search for it: PostgreSQL refuses NUL, and half a surrogate pair is not UTF-8."""
    return name.isprintable()


def _insert(dialect: str) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(datasets) if dialect == "postgresql" else sqlite.insert(datasets)


def _to_dataset(row: Row[Any]) -> Dataset:
    progress: Sequence[int] | None = row.progress
    return Dataset(
        name=row.name,
        version=row.version,
        state=row.state,
        source=source_from_json(row.source),
        content=row.content,
        created_at=row.created_at,
        updated_at=row.updated_at,
        fingerprint=row.fingerprint,
        report=CheckReport.from_json(row.report) if row.report else None,
        progress=(progress[0], progress[1]) if progress else None,
        made_by=row.made_by,
        stored_bytes=row.stored_bytes or 0,
    )

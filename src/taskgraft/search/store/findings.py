"""Findings that were worked out beforehand: the reduction matrix of a study, and its trade-off."""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, exists, insert, select, update

from taskgraft.errors import Conflict
from taskgraft.search.store.database import Database
from taskgraft.search.store.holding import hold
from taskgraft.search.store.rows import has_id
from taskgraft.search.store.tables import matrices, studies, tradeoffs
from taskgraft.search.study.lease import Lease
from taskgraft.search.study.states import State
from taskgraft.space.matrix import Cell, Pair, ReductionMatrix

_FINAL = tuple(state for state in State if state.is_final)


@dataclass(frozen=True, slots=True)
class TradeoffPoint:
    """The tree of a study from a threshold on, up to that of the next point."""

    ar_threshold: float
    digest: str
    """Equal for equal trees."""
    encoder_parameters: int
    parameters: int | None
    document: Mapping[str, Any]
    """The tree form with its explanation, at ``ar_threshold``."""


class FindingTable:
    """The findings of the studies of one database. Every method is one transaction and may be called from any thread.

    Findings follow from a study's trials: they are kept so that reading them costs nothing, and go with the study. All
    methods raise `Unavailable` if the database fails.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep_matrix(self, study_id: str, matrix: ReductionMatrix, trials: int, lease: Lease | None = None) -> None:
        """Keep the matrix of a study after so many trials, unless one of more trials is there.

        Only the holder of its ``lease`` does so; None stands for anybody, if the study is final.

        Raises:
            NotFound: no study can have this id, or it was deleted while a runner held it.
            LeaseLost: the lease is not the present one.
            Conflict: there is no lease, and the study is not final or was deleted.
        """
        values = {"study_id": study_id, "trials": trials, "matrix": _pack(_to_plain(matrix))}
        with self._database.begin() as connection:
            _lock(connection, study_id, lease)
            connection.execute(delete(matrices).where(matrices.c.study_id == study_id, matrices.c.trials <= trials))
            if not connection.execute(select(exists().where(matrices.c.study_id == study_id))).scalar():
                connection.execute(insert(matrices).values(values))

    def matrix_trials(self, study_id: str) -> int | None:
        """Return how many trials the matrix that is kept rests on; None if there is none."""
        query = select(matrices.c.trials).where(matrices.c.study_id == study_id)
        with self._database.begin() as connection:
            trials: int | None = connection.execute(query).scalar()
        return trials

    def matrix(self, study_id: str) -> tuple[ReductionMatrix, int] | None:
        """Return the matrix that is kept, and how many trials it rests on; None if there is none."""
        query = select(matrices.c.matrix, matrices.c.trials).where(matrices.c.study_id == study_id)
        with self._database.begin() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (_from_plain(_unpack(row.matrix)), row.trials)

    def keep_tradeoff(self, study_id: str, points: Sequence[TradeoffPoint]) -> None:
        """Keep the trade-off of a study that is final; one that is there already stays.

        Raises:
            NotFound: no study can have this id.
            Conflict: the study was deleted, or is not final.
        """
        rows = [_to_row(study_id, place, point) for place, point in enumerate(points)]
        with self._database.begin() as connection:
            _lock(connection, study_id, None)
            if not connection.execute(select(exists().where(tradeoffs.c.study_id == study_id))).scalar():
                connection.execute(insert(tradeoffs), rows)

    def tradeoff(self, study_id: str) -> tuple[TradeoffPoint, ...]:
        """Return the trade-off that is kept, without documents; nothing if there is none."""
        point = tradeoffs.c
        query = (
            select(point.ar_threshold, point.digest, point.encoder_parameters, point.parameters)
            .where(point.study_id == study_id)
            .order_by(point.place)
        )
        with self._database.begin() as connection:
            return tuple(
                TradeoffPoint(threshold, digest, encoder, parameters, {})
                for threshold, digest, encoder, parameters in connection.execute(query)
            )

    def tree_at(self, study_id: str, ar_threshold: float) -> Mapping[str, Any] | None:
        """Return the document of the last point of the trade-off whose threshold is at most this one."""
        below = (tradeoffs.c.study_id == study_id, tradeoffs.c.ar_threshold <= ar_threshold)
        query = select(tradeoffs.c.document).where(*below).order_by(tradeoffs.c.place.desc()).limit(1)
        with self._database.begin() as connection:
            packed: bytes | None = connection.execute(query).scalar()
        if packed is None:
            return None
        document: dict[str, Any] = _unpack(packed)
        return document


def _lock(connection: Connection, study_id: str, lease: Lease | None) -> None:
    """Let nobody else write the study or its findings before this transaction ends.

    Raises:
        Conflict: they may not be written: the lease was lost, or without one, the study is not final.
    """
    if lease:
        hold(connection, lease)
        return
    is_final = studies.c.state.in_(_FINAL)
    change = update(studies).where(has_id(study_id), is_final).values(updated_at=studies.c.updated_at)
    if connection.execute(change.returning(studies.c.id)).one_or_none() is None:
        raise Conflict(f"the findings of study {study_id} can't be written: it is not final, or was deleted")


def _to_row(study_id: str, place: int, point: TradeoffPoint) -> dict[str, Any]:
    return {
        "study_id": study_id,
        "place": place,
        "ar_threshold": point.ar_threshold,
        "digest": point.digest,
        "encoder_parameters": point.encoder_parameters,
        "parameters": point.parameters,
        "document": _pack(point.document),
    }


def _pack(plain: object) -> bytes:
    return zlib.compress(json.dumps(plain, separators=(",", ":")).encode(), 1)


def _unpack(packed: bytes) -> Any:
    return json.loads(zlib.decompress(packed))


def _to_plain(matrix: ReductionMatrix) -> dict[str, Any]:
    return {"tasks": list(matrix.tasks), "cells": [list(record.values()) for record in matrix.to_records()]}


def _from_plain(plain: Mapping[str, Any]) -> ReductionMatrix:
    return ReductionMatrix(tuple(plain["tasks"]), _cells(plain["cells"]))


def _cells(rows: Iterable[Sequence[Any]]) -> dict[Pair, dict[int, Cell]]:
    cells: dict[Pair, dict[int, Cell]] = {}
    for first, second, depth, *cell in rows:
        cells.setdefault((first, second), {})[depth] = Cell(*cell)
    return cells

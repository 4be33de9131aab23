"""Finished trainings by digest: what other studies take over instead of training it once more."""

import json
import zlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.dialects import postgresql, sqlite

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.store.database import Database
from taskgraft.search.store.holding import hold
from taskgraft.search.store.tables import trainings
from taskgraft.search.study.lease import Lease
from taskgraft.search.study.trial import Training

_MOST = 32
"""Studies that keep the same training and are asked for it."""


@dataclass(frozen=True, slots=True, eq=False)
class KeptTraining:
    """A finished training as a study keeps it for others.

    ``study_id`` is the study that keeps it, and whose files may hold the weights of ``training``; ``origin`` is the
    study that trained it. The measurement has its earlier checkpoints, and no weights.
    """

    study_id: str
    digest: str
    origin: str
    training: Training
    measurement: Measurement


class TrainingIndex:
    """The finished trainings of all studies of one database. They vanish with the study that keeps them.

    All methods raise `Unavailable` if the database fails, and may be called from any thread.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, lease: Lease, kept: KeptTraining) -> None:
        """Keep a training, unless its study keeps one with the same digest that was taken further already.

        Raises:
            ValueError: the lease is one of another study.
            NotFound: the study was deleted.
            LeaseLost: the lease is not the present one.
        """
        if kept.study_id != lease.study_id:
            raise ValueError(f"the lease is one of study {lease.study_id}, not {kept.study_id}")
        values = {
            "study_id": kept.study_id,
            "digest": kept.digest,
            "origin": kept.origin,
            "key": kept.training.key,
            "steps_left": kept.measurement.steps_left,
            "measurement": _pack(kept.measurement),
        }
        insert = (postgresql if self._database.dialect == "postgresql" else sqlite).insert(trainings).values(values)
        further = insert.excluded.steps_left <= trainings.c.steps_left
        statement = insert.on_conflict_do_update(index_elements=["study_id", "digest"], set_=values, where=further)
        with self._database.begin() as connection:
            hold(connection, lease)
            connection.execute(statement)

    def find(self, digest: str) -> tuple[KeptTraining, ...]:
        """Return trainings with this digest, those that were taken furthest first, then by study; at most 32."""
        query = (
            select(trainings)
            .where(trainings.c.digest == digest)
            .order_by(trainings.c.steps_left, trainings.c.study_id)
            .limit(_MOST)
        )
        with self._database.begin() as connection:
            return tuple(map(_to_kept, connection.execute(query)))


def _to_kept(row: Row[Any]) -> KeptTraining:
    return KeptTraining(row.study_id, row.digest, row.origin, Training.from_key(row.key), _unpack(row.measurement))


def _pack(measurement: Measurement) -> bytes:
    return zlib.compress(json.dumps(measurement.to_full_json()).encode())


def _unpack(packed: bytes) -> Measurement:
    return Measurement.from_json(json.loads(zlib.decompress(packed)))

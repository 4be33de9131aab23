"""Studies as rows of the table, and back."""

import dataclasses
import secrets
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Row, case, null

from taskgraft.errors import NotFound
from taskgraft.search.store.clock import now
from taskgraft.search.store.tables import studies
from taskgraft.search.study.result import (
    Compressed,
    EightBits,
    FinalVerdict,
    Result,
    Retrained,
    RetrainedTask,
    TaskResult,
)
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.study import Progress, RunningTrial, Study

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_LENGTH, _RANDOM_LENGTH = 11, 5
ID_LENGTH = _TIME_LENGTH + _RANDOM_LENGTH
ID_PATTERN = f"^[{_DIGITS}]{{{ID_LENGTH}}}$"
_SPECS_KEPT = 256

_RUNNING = case((studies.c.lease_until < now(), null()), else_=studies.c.running).label("running")
"""What trains, which a runner that died can't say any more."""
SHOWN: tuple[ColumnElement[Any], ...] = (*(column for column in studies.c if column.name != "running"), _RUNNING)
"""What `to_study` needs of a row."""


def new_id() -> str:
    """Return a study's id: 11 digits (base 32) of microseconds since 1970, to sort by creation, and 5 random ones."""
    microseconds = time.time_ns() // 1000
    digits = [_DIGITS[microseconds >> 5 * place & 31] for place in reversed(range(_TIME_LENGTH))]
    return "".join(digits + [secrets.choice(_DIGITS) for _ in range(_RANDOM_LENGTH)])


def is_id(text: str) -> bool:
    """Return whether ``text`` may be a study's id at all."""
    return len(text) == ID_LENGTH and set(text) <= set(_DIGITS)


def has_id(study_id: str) -> ColumnElement[bool]:
    """Return the condition that a row is the study's.

    Raises:
        NotFound: no study can have this id (and PostgreSQL would refuse some such texts).
    """
    if not is_id(study_id):
        raise no_study(study_id)
    return studies.c.id == study_id


def no_study(study_id: str) -> NotFound:
    """Return the error for an id that no study has."""
    return NotFound(f"there is no study {study_id!r:.80}")


class _Specs:
    """The specifications that were read last: one never changes, and reading it takes longer than its row."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Mapping[str, Any], StudySpec]] = {}
        self._turn = threading.Lock()

    def of(self, study_id: str, plain: Mapping[str, Any]) -> StudySpec:
        """Return the specification that stands in a study's row as plain data."""
        with self._turn:
            known = self._known.pop(study_id, None)
        if known is None or known[0] != plain:
            known = plain, StudySpec.parse(plain)
        with self._turn:
            self._known[study_id] = known
            while len(self._known) > _SPECS_KEPT:
                del self._known[next(iter(self._known))]
        return known[1]


_SPECS = _Specs()


def to_study(row: Row[Any]) -> Study:
    """Return the study that a row of the columns `SHOWN` holds."""
    spec = _SPECS.of(row.id, row.spec)
    study = Study(
        id=row.id,
        spec=spec,
        state=row.state,
        created_at=row.created_at,
        updated_at=row.updated_at,
        stage=row.stage,
        progress=Progress(**row.progress) if row.progress else Progress(),
        running=tuple(RunningTrial(**{**one, "tasks": tuple(one["tasks"])}) for one in row.running or ()),
        reason=row.reason,
        result=to_result(row.result, spec.ar_threshold) if row.result else None,
        tree=row.tree,
        facts=MappingProxyType(row.facts or {}),
        parent=row.parent,
        made_by=row.made_by,
    )
    comparison = study.comparison
    return replace(study, spec=spec.reading(comparison.nuisance)) if comparison else study


def to_result(plain: Mapping[str, Any], threshold: float) -> Result:
    """Return a result as it was kept.

    Those from before there were three verdicts called a point estimate verified; now its interval has to keep Q, too.
    """
    fields = dict(plain)
    low, high = fields.pop("ar_interval")
    was_verified = fields.pop("verified", False) and high <= threshold
    earlier = FinalVerdict.VERIFIED if was_verified else FinalVerdict.NOT_REFUTED
    return Result(
        verdict=FinalVerdict(fields.pop("verdict", earlier)),
        ar_interval=(low, high),
        tasks=tuple(TaskResult(**task) for task in fields.pop("tasks", ())),
        retrained=_to_retrained(fields.pop("retrained", None)),
        compression=_to_compressed(fields.pop("compression", None)),
        **fields,
    )


def _to_compressed(plain: Mapping[str, Any] | None) -> Compressed | None:
    if plain is None:
        return None
    found = plain["eight_bits"]
    verdict = None if found is None or found["verdict"] is None else FinalVerdict(found["verdict"])
    eight_bits = None if found is None else EightBits(**{**found, "verdict": verdict})
    return Compressed(**{**plain, "steps": tuple(plain["steps"]), "eight_bits": eight_bits})


def _to_retrained(plain: Mapping[str, Any] | None) -> Retrained | None:
    if plain is None:
        return None
    tasks = tuple(RetrainedTask(**{**task, "interval": tuple(task["interval"])}) for task in plain["tasks"])
    return Retrained(
        **{**plain, "tasks": tasks, "ars": tuple(plain["ars"]), "ar_interval": tuple(plain["ar_interval"])}
    )


def from_progress(progress: Progress) -> dict[str, Any]:
    """Return what the column ``progress`` holds."""
    return dataclasses.asdict(progress)


def from_running(running: Iterable[RunningTrial]) -> list[dict[str, Any]]:
    """Return what the column ``running`` holds."""
    return [dataclasses.asdict(trial) for trial in running]


def from_result(result: Result) -> dict[str, Any]:
    """Return what the column ``result`` holds."""
    return dataclasses.asdict(result)

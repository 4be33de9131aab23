"""Studies, trainings and measurements to store."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy import select, update

from taskgraft.evaluators.measurement import Measurement, Outcomes
from taskgraft.search.store import Store
from taskgraft.search.store.tables import studies
from taskgraft.search.study.lease import Lease
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import State
from taskgraft.search.study.study import Study
from taskgraft.search.study.trial import Training, Trial, TrialState
from taskgraft.space.tree import BranchTree

TASKS = ("age", "command", "gender")
ME = "runner-1"
OTHER = "runner-2"
LONG = 3600.0
OVER = -1.0
"""Seconds of a lease that has run out before it begins."""


def make_spec(name: str = "study", tasks: Sequence[str] = TASKS) -> StudySpec:
    columns = [{"name": task, "dataset": "speech", "target": task} for task in tasks]
    return StudySpec.parse({"name": name, "ar_threshold": 0.02, "tasks": columns})


def make_study(store: Store, name: str = "study") -> Study:
    return store.create_study(make_spec(name))[0]


def make_training(repeat: int = 0, tasks: Sequence[str] = ("age", "gender"), shared: int = 5) -> Training:
    return Training(BranchTree.flat(tasks, shared, 8), repeat)


def make_outcomes(clips: int, seed: int = 0) -> Outcomes:
    random = np.random.default_rng(seed)
    columns = [random.integers(0, high, clips, dtype=np.int32) for high in (2**31 - 1, 35, 35, 100)]
    return Outcomes.of_classes(*columns)


def make_measurement(tasks: Sequence[str] = ("age", "gender"), clips: int = 20, seed: int = 0) -> Measurement:
    return Measurement(
        metrics={task: 0.875 + place / 64 for place, task in enumerate(tasks)},
        outcomes={task: make_outcomes(clips, seed + place) for place, task in enumerate(tasks)},
        steps=300,
        best_step=250,
        seconds=12.5,
        worker="host:1234",
        curve=({"step": 100.0, "age": 0.5}, {"step": 200.0, "age": 0.75}),
    )


def lease_of(store: Store, study_id: str) -> Lease:
    """The present lease of a study. If nobody holds it, it is taken, and stays in its state."""
    with store._database.begin() as connection:
        row = connection.execute(select(studies.c.owner, studies.c.epoch).where(studies.c.id == study_id)).one()
        if row.owner is not None:
            return Lease(study_id, row.owner, row.epoch)
        taken = {"owner": ME, "epoch": row.epoch + 1, "updated_at": studies.c.updated_at}
        connection.execute(update(studies).where(studies.c.id == study_id).values(taken))
    return Lease(study_id, ME, row.epoch + 1)


def record(
    store: Store,
    study_id: str,
    training: Training | None = None,
    measured: Measurement | None = None,
    *,
    seed: int = 1,
    error: str | None = None,
    value: float | None = None,
    taken_over_from: str | None = None,
) -> Trial:
    """Record a training, by default as complete."""
    training = training or make_training()
    state = TrialState.COMPLETE if error is None else TrialState.FAILED
    measured = None if error is not None else measured or make_measurement(training.tasks)
    ledger, lease = store.ledger(study_id), lease_of(store, study_id)
    return ledger.record(lease, training, seed, state, measured, error, value=value, taken_over_from=taken_over_from)


def study_in(store: Store, state: State) -> Study:
    """A new study in this state; one that runs or is being cancelled is held by `ME`."""
    study = make_study(store)
    if state is State.PAUSED:
        return store.pause_study(study.id)
    if state is State.QUEUED:
        return study
    held = store.acquire_study(study.id, ME, LONG)
    if state is State.CANCELLING:
        return store.cancel_study(study.id)
    return held.study if state is State.RUNNING else store.finish(held.lease, state)


def held_in(store: Store, state: State) -> Study:
    """A study that `ME` still holds while users have brought it into this state."""
    study = study_in(store, State.RUNNING)
    for step in {
        State.RUNNING: (),
        State.CANCELLING: (store.cancel_study,),
        State.PAUSED: (store.pause_study,),
        State.QUEUED: (store.pause_study, store.resume_study),
        State.CANCELLED: (store.pause_study, store.cancel_study),
    }[state]:
        study = step(study.id)
    return study

"""Studies, trainings and measurements to store."""

from collections.abc import Sequence

import numpy as np

from taskgraft.evaluators.measurement import Measurement, Outcomes
from taskgraft.search.store import Store
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import State
from taskgraft.search.study.study import Study
from taskgraft.search.study.trial import Training
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


def study_in(store: Store, state: State) -> Study:
    """A new study in this state; one that runs or is being cancelled is held by `ME`."""
    study = make_study(store)
    if state is State.PAUSED:
        return store.pause_study(study.id)
    if state is State.QUEUED:
        return study
    store.acquire_study(study.id, ME, LONG)
    if state is State.CANCELLING:
        return store.cancel_study(study.id)
    return store.get_study(study.id) if state is State.RUNNING else store.finish(study.id, ME, state)


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

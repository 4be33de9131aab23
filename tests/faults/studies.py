"""Whole studies over beeps, run in this process the way the command line does it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from taskgraft.search.evidence.reduction_matrix import reduction_matrix
from taskgraft.search.running.lease import LEASE_SECONDS
from taskgraft.search.running.pipeline import StudyRun
from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study.machines import Machines
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import State
from taskgraft.search.study.study import Study
from tests.faults.dying import DATABASE, OWNER
from tests.search.corpora import SHORT, beeps_spec, write_beeps

SEARCHED = 3 + 3 + 1
"""At a threshold that every pair keeps: baselines, pairs at the deepest depth, the tree that shares all."""
TRIALS = SEARCHED + 3 + 1
"""With one further seed of baselines and tree."""


def lenient_spec(**more: Any) -> StudySpec:
    """Everything fits together on every machine, so that what is trained is known beforehand."""
    return beeps_spec(**{"ar_threshold": 0.99, "confirm": 1, "training": SHORT, **more})


def new_folder(folder: Path) -> Path:
    write_beeps(folder / "beeps")
    return folder


def open_store(folder: Path) -> Store:
    return Store(sqlite_url(folder / DATABASE))


def take(store: Store, study: Study, folder: Path) -> StudyRun:
    """Take the lease, from a runner that was killed too. One worker: a second one costs seconds to start."""
    held = store.acquire_study(study.id, OWNER, LEASE_SECONDS)
    return StudyRun(store, held, folder, base=folder, machines=Machines(cores=1))


def findings(store: Store, study: Study) -> tuple[str, Any, Any]:
    """What a study found out: matrix, tree, result."""
    trials = store.ledger(study.id).trials()
    matrix = reduction_matrix(study.spec, trials)
    if study.state is State.SUCCEEDED:
        assert store.findings.matrix(study.id) == (matrix, len(trials)), "what is kept is what is found"
    return matrix.to_csv(), study.tree, study.result


def when(condition: Callable[[], bool], action: Callable[[], object]) -> threading.Thread:
    """Act from another thread as soon as something is true."""

    def watch() -> None:
        while not condition():
            time.sleep(0.05)
        action()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread

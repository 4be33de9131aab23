"""One comparison on local data, in this process: its study first, if that has not ended, then its rows."""

import hashlib
import json
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taskgraft.api.runs import (
    Observer,
    Outcome,
    alone_in,
    database_of,
    find_finished,
    prepare_study,
    run_study,
    work_on,
)
from taskgraft.api.schemas import StudyView
from taskgraft.search.comparison.beginning import begin_comparison
from taskgraft.search.comparison.plan import ComparisonPlan, plan_comparison
from taskgraft.search.running.artifacts import artifacts_dir
from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.strategies.plan import Plan, plan_study
from taskgraft.search.study.comparison import Comparison, comparison_spec
from taskgraft.search.study.comparison_table import ComparisonTable
from taskgraft.search.study.machines import Machines
from taskgraft.search.study.outline import StudyOutline
from taskgraft.search.study.preparation import tasks_from_facts
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import State
from taskgraft.search.study.study import Study


@dataclass(frozen=True, slots=True)
class ComparisonOutcome:
    """A local comparison that has ended, and the place of its files."""

    study: Study
    folder: Path
    """The folder of the run."""

    @property
    def table(self) -> ComparisonTable | None:
        """The rows; None unless the comparison succeeded."""
        return self.study.comparison_table

    @property
    def files(self) -> Path:
        """The folder of the table as JSON, CSV, Markdown and picture; it exists if the comparison succeeded."""
        return artifacts_dir(self.folder, self.study.id)

    def to_json(self) -> dict[str, Any]:
        """Return study, table and files as plain data."""
        return {
            "study": StudyView.of(self.study).model_dump(mode="json"),
            "comparison": None if self.table is None else self.table.to_json(),
            "artifacts": str(self.files),
        }


def compare_study(
    spec: StudySpec,
    asked: Comparison,
    folder: Path,
    base: Path,
    machines: Machines,
    observer: Observer,
    pause_on: Iterable[signal.Signals] = (),
) -> Outcome | ComparisonOutcome:
    """Compare a study with what is ``asked`` for; a study that has not ended is run, or continued, first.

    Returns the outcome of the study if that did not succeed. A comparison that succeeded before is returned at once.

    Raises:
        InvalidInput: with every fault of the study and its datasets; nothing was made then.
        Conflict: the folder holds another study, or another run is at work in it.
        Unavailable: the folder can't be written, or its database fails.
    """
    folder, signals = folder.absolute(), tuple(pause_on)
    outcome = run_study(spec, folder, base, machines, observer, signals)
    if outcome.state is not State.SUCCEEDED:
        return outcome
    with alone_in(folder), Store(sqlite_url(database_of(folder))) as store:
        study = _comparison_of(store, outcome.study, asked)
        if study.state is not State.SUCCEEDED:
            prepare_study(spec, folder, base, observer)
            study = work_on(store, study, folder, base, machines, observer, signals)
        return ComparisonOutcome(study, folder)


def _comparison_of(store: Store, study: Study, asked: Comparison) -> Study:
    """Return the folder's comparison of this kind: a new one if there is none, or if it failed or was cancelled."""
    wanted = begun(store, study, asked)
    spec, key = comparison_spec(study.spec, study.epochs, study.device), _key(asked)
    found = store.study_of_key(key)
    if found and (found.state in (State.FAILED, State.CANCELLED) or (found.spec, found.parent) != (spec, study.id)):
        store.release_key(found.id)
    return store.create_study(spec, idempotency_key=key, parent=study.id, comparison=wanted)[0]


def begun(store: Store, study: Study, asked: Comparison) -> Comparison:
    """Return what is compared if a comparison of a study begins now.

    Raises:
        Conflict: the study has not succeeded, or is a comparison itself.
    """
    return begin_comparison(study, store.ledger(study.id).trials(), tasks_from_facts(study.facts) or (), asked)


def _key(asked: Comparison) -> str:
    return f"compare {hashlib.sha256(json.dumps(asked.request).encode()).hexdigest()[:32]}"


def plan_locally(outline: StudyOutline, asked: Comparison, folder: Path) -> tuple[ComparisonPlan, Plan | None]:
    """Return what a comparison in a folder would cost, and its study if that has not ended there. Makes nothing."""
    found = find_finished(outline.spec, folder.absolute())
    if found is None:
        return plan_comparison(outline, asked), plan_study(outline.spec, outline)
    with Store(sqlite_url(database_of(folder.absolute()))) as store:
        trials = store.ledger(found.id).trials()
        return plan_comparison(outline, begun(store, found, asked), trials, found.epochs), None

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
    if asked.nuisance and not find_finished(spec, folder):  # a bad label is refused before the study trains
        prepare_study(spec.reading(asked.nuisance), folder, base, observer)
    outcome = run_study(spec, folder, base, machines, observer, signals)
    if outcome.state is not State.SUCCEEDED:
        return outcome
    with alone_in(folder), Store(sqlite_url(database_of(folder))) as store:
        found = _comparison_in(store, outcome.study, asked)
        if found and found.state is State.SUCCEEDED:
            return ComparisonOutcome(found, folder)
        prepare_study(spec.reading(asked.nuisance), folder, base, observer)
        study = found or _new_comparison(store, outcome.study, asked)
        return ComparisonOutcome(work_on(store, study, folder, base, machines, observer, signals), folder)


def _comparison_in(store: Store, study: Study, asked: Comparison) -> Study | None:
    """Return the folder's comparison of this kind; None if there is none, or if it failed or was cancelled."""
    found = store.study_of_key(_key(asked))
    if found is None or found.state in (State.FAILED, State.CANCELLED):
        return None
    return found if (found.spec, found.parent) == (_spec(study, asked), study.id) else None


def _new_comparison(store: Store, study: Study, asked: Comparison) -> Study:
    """Return a new comparison, which takes the place of the folder's one of this kind if there is any."""
    wanted, key = begun(store, study, asked), _key(asked)
    if before := store.study_of_key(key):
        store.release_key(before.id)
    return store.create_study(_spec(study, asked), idempotency_key=key, parent=study.id, comparison=wanted)[0]


def _spec(study: Study, asked: Comparison) -> StudySpec:
    return comparison_spec(study.spec, study.epochs, study.device, asked.nuisance)


def begun(store: Store, study: Study, asked: Comparison) -> Comparison:
    """Return what is compared if a comparison of a study begins now.

    Raises:
        Conflict: the study has not succeeded, or is a comparison itself.
    """
    return begin_comparison(study, store.ledger(study.id).trials(), tasks_from_facts(study.facts) or (), asked)


def _key(asked: Comparison) -> str:
    """Return the Idempotency-Key of a comparison in its folder; without a nuisance, it is what it was before them."""
    *others, nuisance = asked.request
    request = [*others, nuisance] if nuisance else others
    return f"compare {hashlib.sha256(json.dumps(request).encode()).hexdigest()[:32]}"


def plan_locally(outline: StudyOutline, asked: Comparison, folder: Path) -> tuple[ComparisonPlan, Plan | None]:
    """Return what a comparison in a folder would cost, and its study if that has not ended there. Makes nothing."""
    found = find_finished(outline.spec, folder.absolute())
    if found is None:
        return plan_comparison(outline, asked), plan_study(outline.spec, outline)
    with Store(sqlite_url(database_of(folder.absolute()))) as store:
        trials = store.ledger(found.id).trials()
        return plan_comparison(outline, begun(store, found, asked), trials, found.epochs), None

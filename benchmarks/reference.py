"""The folder of a reference study (see docs/benchmarks.md), opened again to learn more from its trainings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Self

from benchmarks.agreement import evidence_depths
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Schedule
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.pipeline import load_data, schedule_of
from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study.preparation import prepare
from taskgraft.search.study.spec import Strategy, StudySpec
from taskgraft.search.study.trial import Training, Trial
from taskgraft.space.matrix import Pair
from taskgraft.space.templates.registry import get_template


@dataclass(frozen=True)
class Reference:
    """An exhaustive study of several seeds, all of whose trainings took all their steps."""

    spec: StudySpec
    trials: tuple[Trial, ...]
    checkpoints: Checkpoints
    folder: Path

    @classmethod
    def open(cls, folder: Path, ar_threshold: float | None = None) -> Self:
        """Return the only study in a folder's ledger, at another threshold if one is given.

        No training of a reference depends on the threshold.
        """
        with Store(sqlite_url(folder / "taskgraft.db")) as store:
            (study,) = store.list_studies().items
            trials = tuple(store.ledger(study.id).trials())
        spec = study.spec
        if ar_threshold is not None:
            spec = StudySpec.parse({**spec.to_plain(), "ar_threshold": ar_threshold})
        return cls(spec, trials, Checkpoints(folder, study.id), folder)

    @property
    def seeds(self) -> range:
        """Return the repeats."""
        return range(int(self.spec.repeats))

    @cached_property
    def measured(self) -> Mapping[Training, Measurement]:
        """Return what every training came to."""
        return {trial.training: trial.measurement for trial in self.trials if trial.measurement}

    @property
    def depth(self) -> int:
        """Return how many blocks the template has."""
        return get_template(self.spec.template).depth

    def data(self) -> StudyData:
        """Return features and labels."""
        prepared = prepare(self.spec, data_dir=self.folder, base=self.folder)
        return load_data(prepared, prepared.fingerprints(), self.folder)

    @property
    def schedule(self) -> Schedule:
        """Return how its models were trained."""
        return schedule_of(self.spec)

    def evidence(self, seeds: Iterable[int]) -> Evidence:
        """Return what these seeds know of baselines and pairs, all seeds together if there are several."""
        return Evidence(*self._of_seeds(seeds))

    def depths(self, seeds: Iterable[int]) -> Mapping[Pair, int]:
        """Return the compatibility of every pair by the mean of these seeds."""
        return evidence_depths(*self._of_seeds(seeds))

    def _of_seeds(self, seeds: Iterable[int]) -> tuple[StudySpec, list[Trial]]:
        order = list(seeds)
        trials = [
            replace(trial, training=replace(trial.training, repeat=order.index(trial.training.repeat)))
            for trial in self.trials
            if len(trial.training.tasks) <= 2 and trial.training.repeat in order
        ]
        return with_strategy(self.spec, Strategy.EXHAUSTIVE, len(order)), trials


@cache
def opened(folder: Path) -> tuple[Reference, StudyData]:
    """Return the reference in a folder and its data, opened once by each process."""
    reference = Reference.open(folder)
    return reference, reference.data()


def with_strategy(spec: StudySpec, strategy: Strategy, repeats: int) -> StudySpec:
    """Return the same study asked in another way."""
    return StudySpec.parse({**spec.to_plain(), "strategy": strategy.value, "repeats": repeats})

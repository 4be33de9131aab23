"""``python -m benchmarks.stopping DATABASE...``: what early stopping would have done to trainings that ran to the end.

Replays the rule of `taskgraft.evaluators.stopping` on every multi-task training of the studies in the given ledgers
(``taskgraft.db`` files), at several thresholds Q, and counts wrong rejections and saved steps: the table of
docs/stopping.md.
"""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.metrics import accuracy_reduction
from taskgraft.evaluators.stopping import Curve, Stopping, Verdict
from taskgraft.search.store import Store
from taskgraft.search.study.trial import Trial

_THRESHOLDS = (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.10)


@dataclass(frozen=True, slots=True)
class Finished:
    """A multi-task training that took all its steps, with what it is held against."""

    measurement: Measurement
    baselines: Mapping[str, Curve]
    references: Mapping[str, float]
    clips: Mapping[str, int]

    def keeps(self, threshold: float) -> bool:
        """Return whether the whole training keeps the threshold."""
        return accuracy_reduction(self.references, self.measurement.metrics) <= threshold

    def replay(self, threshold: float, accepts: bool) -> tuple[Verdict, float]:
        """Return how early stopping would have ended the training, and the share of its steps that would be left."""
        stopping = Stopping(threshold, accepts, self.baselines)
        verdict, seen = stopped(self.measurement.curve, stopping, self.references, self.clips)
        return verdict, 1 - seen[-1]["step"] / self.measurement.steps


def stopped(
    curve: Curve, stopping: Stopping, references: Mapping[str, float], clips: Mapping[str, int]
) -> tuple[Verdict, Curve]:
    """Return how a training with such a whole curve would have ended, and the part of the curve up to there."""
    seen = stopping.end_of(curve, references, clips)
    if seen is None or seen == len(curve):
        return Verdict.GO_ON, curve
    return stopping.verdict(curve[:seen], references, clips), curve[:seen]


def clips_of(measurement: Measurement) -> dict[str, int]:
    """Return validation clips of every task of a model."""
    return {task: said.clip_count for task, said in measurement.outcomes.items()}


@dataclass(frozen=True, slots=True)
class Tally:
    """What early stopping does to many trainings at one threshold; savings are shares of all their steps."""

    trainings: int
    keeping: int
    wrongly_rejected: int
    wrongly_rejected_by_rejection_alone: int
    saved_by_acceptance: float
    saved_by_rejection: float
    saved_by_rejection_alone: float

    @classmethod
    def of(cls, trainings: Sequence[Finished], threshold: float) -> "Tally":
        """Replay all trainings, with acceptance and without."""
        keeping = np.array([one.keeps(threshold) for one in trainings])
        both = [one.replay(threshold, accepts=True) for one in trainings]
        alone = [one.replay(threshold, accepts=False) for one in trainings]
        return cls(
            len(trainings),
            int(keeping.sum()),
            int((keeping & _ended(both, Verdict.HOPELESS)).sum()),
            int((keeping & _ended(alone, Verdict.HOPELESS)).sum()),
            _saved(both, Verdict.KEPT),
            _saved(both, Verdict.HOPELESS),
            _saved(alone, Verdict.HOPELESS),
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stopping", description=__doc__)
    parser.add_argument("databases", nargs="+", type=Path, metavar="DATABASE")
    trainings = [one for database in parser.parse_args().databases for one in finished_trainings(database)]
    print("| Q | trainings | keep Q | wrongly rejected | accepting saves | rejecting saves | both | rejecting alone |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for threshold in _THRESHOLDS:
        found = Tally.of(trainings, threshold)
        saved = found.saved_by_acceptance + found.saved_by_rejection
        print(
            f"| {threshold:.1%} | {found.trainings} | {found.keeping} | {found.wrongly_rejected} "
            f"| {found.saved_by_acceptance:.0%} | {found.saved_by_rejection:.0%} | {saved:.0%} "
            f"| {found.wrongly_rejected_by_rejection_alone} wrong, {found.saved_by_rejection_alone:.0%} |"
        )


def finished_trainings(database: Path) -> Iterator[Finished]:
    """Return every multi-task training in a ledger that took all its steps and whose tasks have baselines."""
    with Store(f"sqlite:///{database.absolute()}") as store:
        for study in store.list_studies().items:
            yield from _of_study(store.ledger(study.id).trials())


def _of_study(trials: Iterable[Trial]) -> Iterator[Finished]:
    known = {trial.training: trial.measurement for trial in trials if trial.measurement}
    alone = {(one.tasks[0], one.repeat): found for one, found in known.items() if len(one.tasks) == 1}
    for training, measurement in known.items():
        baselines = {task: alone[task, training.repeat] for task in training.tasks if (task, training.repeat) in alone}
        if len(training.tasks) > 1 and len(baselines) == len(training.tasks) and not measurement.is_censored:
            yield Finished(
                measurement,
                {task: baseline.curve for task, baseline in baselines.items()},
                {task: baseline.metrics[task] for task, baseline in baselines.items()},
                {task: clips_of(baseline)[task] for task, baseline in baselines.items()},
            )


def _ended(replays: Sequence[tuple[Verdict, float]], way: Verdict) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.array([verdict is way for verdict, _ in replays])


def _saved(replays: Sequence[tuple[Verdict, float]], way: Verdict) -> float:
    return sum(left for verdict, left in replays if verdict is way) / len(replays)


if __name__ == "__main__":
    main()

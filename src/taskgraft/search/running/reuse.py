"""Reuse: trainings that other studies of the same database finished are taken over, so that none is trained twice.

What is taken over is what the training would have measured here, bit for bit (`taskgraft.evaluators.replay`). So a
study comes to the same result whatever lies in the database; only its budget reaches further.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.metrics import accuracy_reduction
from taskgraft.evaluators.replay import replay
from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.jobs import Job
from taskgraft.search.running.records import Records
from taskgraft.search.store import KeptTraining
from taskgraft.search.study.spec import StudySpec


def needs_weights(spec: StudySpec, job: Job, measurement: Measurement) -> bool:
    """Return whether a training is of use to the study only together with its weights.

    A probe or a stopped training only answers a question, so its weights are not needed. There are exceptions. What
    keeps the threshold is delivered as it is if all steps were taken, or if the budget ends before it is trained to its
    end. Trainings that confirm a tree, and those of other recipes, are measured on test by their weights, and others
    start from those of a trunk.
    """
    if job.training.is_confirming or job.training.is_trunk or job.training.is_variant:
        return True
    keeps = spec.repeats != 1 or reduction(spec, job, measurement) <= spec.ar_threshold
    if measurement.is_censored:
        return keeps and spec.budget.is_limited
    return keeps or not job.training.is_probe


def reduction(spec: StudySpec, job: Job, measurement: Measurement) -> float:
    """Return the AR of a finished training against the references of its job; 0 for a baseline."""
    return accuracy_reduction(job.references, measurement.metrics, spec.errors) if job.references else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A training of another study, and what it would have measured as the current job."""

    kept: KeptTraining
    measurement: Measurement


def _answers(job: Job, known: Iterable[KeptTraining]) -> Iterator[Found]:
    for kept in known:
        measurement = replay(kept.measurement, job.references, job.stopping)
        if measurement:
            yield Found(kept, measurement)


class Reuse:
    """Finished trainings for one study: keeps its own for others, and finds what it may take over."""

    def __init__(self, spec: StudySpec, records: Records, checkpoints: Checkpoints) -> None:
        self._spec = spec
        self._records = records
        self._checkpoints = checkpoints

    def keep(self, job: Job, digest: str, measurement: Measurement) -> None:
        """Keep a training of this study for others.

        Raises:
            NotFound: the study was deleted.
            LeaseLost: another runner has taken the study.
        """
        self._records.keep(digest, job.training, measurement)

    def find(self, job: Job, digest: str) -> Measurement | None:
        """Return what a training that is kept would measure as the job; None if none answers. It is not taken over."""
        return next((found.measurement for found in _answers(job, self._records.find(digest))), None)

    def take(self, job: Job, digest: str) -> Found | None:
        """Return a training that answers the job, with its weights among this study's checkpoints if there are any.

        The study keeps it for others from now on, so that nothing is lost when the study that it comes from is deleted.

        Raises:
            NotFound: the study was deleted.
            LeaseLost: another runner has taken the study.
            Unavailable: the weights can't be written.
        """
        known = self._records.find(digest)
        for found in _answers(job, known):
            kept = found.kept
            has_weights = self._checkpoints.take_over(kept.study_id, kept.training, job.training)
            fits = has_weights and found.measurement.best_step == kept.measurement.best_step
            if fits or not needs_weights(self._spec, job, found.measurement):
                own = self._checkpoints.study_id
                has_it = any(one.study_id == own and one.measurement.steps >= kept.measurement.steps for one in known)
                if has_weights or not has_it:
                    self._records.keep(digest, job.training, kept.measurement, kept.origin)
                if job.training.is_probe:
                    self._checkpoints.take_over_state(kept.study_id, kept.training, job.training)
                is_own = self.origin_of(found) is None
                return found if is_own else replace(found, measurement=found.measurement.by_itself())
        return None

    def origin_of(self, found: Found) -> str | None:
        """Return the study that a training was taken over from; None if this study trained it itself.

        A runner that is killed between keeping a training and recording it leaves one of its own.
        """
        own = self._checkpoints.study_id
        source = found.kept.study_id if found.kept.study_id != own else found.kept.origin
        return None if source == own else source

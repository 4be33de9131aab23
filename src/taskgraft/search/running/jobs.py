"""Jobs: trainings with everything that a worker has to know beside the data."""

from collections.abc import Mapping
from dataclasses import dataclass

from taskgraft.evaluators.stopping import Stopping
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.strategies.registry import strategy_of
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training


@dataclass(frozen=True, slots=True)
class Job:
    """A training with everything that its result depends on beside the data."""

    training: Training
    seed: int
    references: Mapping[str, float]
    stopping: Stopping | None = None
    with_affinities: bool = False


def job_for(training: Training, spec: StudySpec, evidence: Evidence) -> Job:
    """Return a training with all that its result depends on; its tasks' baselines must be known."""
    seed, tasks = spec.seed + training.repeat, training.tasks
    if len(tasks) == 1:
        return Job(training, seed, {})
    curves = evidence.curves(tasks)
    stops = spec.stops_early and all(curves.values()) and not training.is_confirming
    stopping = Stopping(spec.ar_threshold, training.is_probe, curves) if stops else None
    wants_affinities = strategy_of(spec).wants_affinities(training, spec, evidence)
    return Job(training, seed, evidence.first_references(tasks), stopping, wants_affinities)

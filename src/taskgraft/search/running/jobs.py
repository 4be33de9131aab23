"""Jobs: trainings with everything that a worker has to know beside the data."""

from collections.abc import Mapping
from dataclasses import dataclass

from taskgraft.evaluators.stopping import Stopping
from taskgraft.evaluators.training_state import PackedState
from taskgraft.evaluators.trunk import Trunk
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.trunks import own_epochs
from taskgraft.search.strategies.registry import strategy_of
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training


@dataclass(frozen=True, slots=True)
class Job:
    """A training with everything that its result depends on beside the data.

    ``epochs`` is how long it takes itself, and ``start`` the model whose weights it starts from, if there is one.
    ``stamp`` says of which training a saved state is, and ``saved`` is the one to go on from: neither changes the
    result.
    """

    training: Training
    seed: int
    references: Mapping[str, float]
    epochs: int
    stopping: Stopping | None = None
    with_affinities: bool = False
    with_lookaheads: bool = False
    start: Trunk | None = None
    stamp: str = ""
    saved: PackedState | None = None


def job_for(training: Training, spec: StudySpec, evidence: Evidence) -> Job:
    """Return a training with all that its result depends on but the weights of its trunk.

    The baselines of its tasks must be known, if it is not one of them or the trunk that they start from.
    """
    seed, tasks, epochs = spec.seed + training.repeat, training.tasks, own_epochs(training, spec)
    if len(tasks) == 1 or training.is_trunk:
        return Job(training, seed, {}, epochs)
    curves = evidence.curves(tasks)
    stops = spec.stops_early and all(curves.values()) and not training.is_confirming
    stopping = Stopping(spec.ar_threshold, training.is_probe, curves) if stops else None
    wants_affinities = strategy_of(spec).wants_affinities(training, spec, evidence)
    return Job(training, seed, evidence.first_references(tasks), epochs, stopping, wants_affinities)

"""Jobs: trainings with everything that a worker has to know beside the data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from taskgraft.evaluators.algorithms.registry import SOFT
from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.start import Start
from taskgraft.evaluators.stopping import Stopping
from taskgraft.evaluators.teachers import Teachers
from taskgraft.evaluators.training_state import PackedState
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.trunks import own_epochs
from taskgraft.search.strategies.registry import strategy_of
from taskgraft.search.study.other_recipes import training_under
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training


@dataclass(frozen=True, slots=True)
class Job:
    """A training with everything that its result depends on beside the data.

    ``epochs`` is how long it takes itself, ``start`` the weights that it starts from, and ``teachers`` the
    baselines that it learns from; None if there are none.
    ``schedule`` is how it is trained if that is not the study's own recipe, and None if it is. ``stamp`` says of which
    training a saved state is, and ``saved`` is the one to go on from: neither changes the result. With ``is_open``,
    references are not known yet: what is measured is said when they are.
    """

    training: Training
    seed: int
    references: Mapping[str, float]
    epochs: int
    stopping: Stopping | None = None
    with_affinities: bool = False
    with_lookaheads: bool = False
    start: Start | None = None
    teachers: Teachers | None = None
    stamp: str = ""
    saved: PackedState | None = None
    schedule: Schedule | None = None
    is_open: bool = False


def job_for(training: Training, spec: StudySpec, evidence: Evidence) -> Job:
    """Return a training with all that its result depends on but the weights of other trainings (`Origins`).

    The baselines of its tasks must be known, if it is not one of them or the trunk that they start from. A training of
    another recipe, too, has the baselines of the study's own as references; it takes all its steps.

    Raises:
        InvalidInput: there is no such recipe, or it does not fit the study.
    """
    seed, tasks, epochs = spec.seed + training.repeat, training.tasks, own_epochs(training, spec)
    schedule = _other_schedule(training, spec, epochs)
    if len(tasks) == 1 or training.is_trunk:
        return Job(training, seed, {}, epochs, schedule=schedule)
    references = evidence.first_references(tasks)
    if training.is_variant:
        return Job(training, seed, references, epochs, schedule=schedule)
    wants_affinities = strategy_of(spec).wants_affinities(training, spec, evidence)
    return Job(training, seed, references, epochs, _stopping(training, spec, evidence), wants_affinities)


def _other_schedule(training: Training, spec: StudySpec, epochs: int) -> Schedule | None:
    """Return how a training is trained if that is not the study's own recipe; None if it is.

    A trunk comes before the baselines, so that it has no teachers: it is plain training.
    """
    recipe = training_under(spec, training.recipe)
    if training.is_trunk and recipe.algorithm.taught(training.tasks):
        return replace(recipe.schedule_for(epochs), algorithm=SOFT)
    return recipe.schedule_for(epochs) if training.recipe else None


def _stopping(training: Training, spec: StudySpec, evidence: Evidence) -> Stopping | None:
    """Return when the training may end early; None if it takes all its steps.

    A model is given up only if baselines tell what a task may still gain (`TrainingSpec.gives_up`).
    """
    curves = evidence.curves(training.tasks)
    if not spec.stops_early or training.is_confirming or not all(curves.values()):
        return None
    return Stopping(spec.ar_threshold, training.is_probe, curves, spec.metrics, gives_up=spec.training.gives_up)


def open_job_for(training: Training, spec: StudySpec, evidence: Evidence) -> Job:
    """Return a training of several tasks that begins before all of their baselines have ended.

    No task is taken to be at chance level. The weights of other trainings are left out.
    """
    wants_affinities = strategy_of(spec).wants_affinities(training, spec, evidence)
    seed, epochs = spec.seed + training.repeat, own_epochs(training, spec)
    return Job(training, seed, {}, epochs, None, wants_affinities, is_open=True)

"""The origins of trainings: ended trainings of the same study whose weights they need."""

from dataclasses import replace

from taskgraft.evaluators.compression.starts import SharedTickets, Thinned, Ticket
from taskgraft.evaluators.start import Start
from taskgraft.evaluators.teachers import Teachers
from taskgraft.evaluators.trunk import Trunk
from taskgraft.search.evidence.pruned import earlier_rounds
from taskgraft.search.evidence.teachers import teachers_of
from taskgraft.search.evidence.trunks import trunk_of
from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.jobs import Job
from taskgraft.search.study.pruning import Pruned
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training


class Origins:
    """The weights of ended trainings that others need.

    Each is read once and kept: it is part of what makes two trainings equal, so it is needed often.
    """

    def __init__(self, spec: StudySpec, checkpoints: Checkpoints) -> None:
        self._spec = spec
        self._checkpoints = checkpoints
        self._read: dict[Training, bytes] = {}

    def give(self, job: Job) -> Job:
        """Return the job with the weights that it needs, whose trainings must have ended.

        Raises:
            Unavailable: weights are not there any more.
        """
        teachers = teachers_of(job.training, self._spec)
        return replace(
            job,
            start=self._start(job.training),
            teachers=Teachers({task: self._weights(one) for task, one in teachers.items()}) if teachers else None,
        )

    def _start(self, training: Training) -> Start | None:
        """Return what a training starts from: the last round of its pruning, or a trunk."""
        if before := earlier_rounds(training):
            return self._pruned(training, tuple(map(self._weights, before)))
        trunk = trunk_of(training, self._spec)
        return Trunk(trunk.tasks, self._weights(trunk)) if trunk else None

    def _pruned(self, training: Training, weights: tuple[bytes, ...]) -> Start:
        assert training.pruning  # it goes on from earlier rounds
        pruning = training.pruning
        if pruning.form is Pruned.SHARED:
            return SharedTickets(pruning.keep, pruning.rewind, weights)
        if pruning.form is Pruned.CHANNELS:
            return Thinned(pruning.keep, weights[0])
        return Ticket(pruning.keep, pruning.rewind, weights[0])

    def _weights(self, training: Training) -> bytes:
        if training not in self._read:
            self._read[training] = self._checkpoints.load(training)
        return self._read[training]

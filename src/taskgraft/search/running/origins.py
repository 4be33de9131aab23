"""The origins of trainings: ended trainings of the same study whose weights they need."""

from dataclasses import replace

from taskgraft.evaluators.teachers import Teachers
from taskgraft.evaluators.trunk import Trunk
from taskgraft.search.evidence.teachers import teachers_of
from taskgraft.search.evidence.trunks import trunk_of
from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.jobs import Job
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
        trunk = trunk_of(job.training, self._spec)
        teachers = teachers_of(job.training, self._spec)
        return replace(
            job,
            start=Trunk(trunk.tasks, self._weights(trunk)) if trunk else None,
            teachers=Teachers({task: self._weights(one) for task, one in teachers.items()}) if teachers else None,
        )

    def _weights(self, training: Training) -> bytes:
        if training not in self._read:
            self._read[training] = self._checkpoints.load(training)
        return self._read[training]

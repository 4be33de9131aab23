"""The trunks of a study: which model each training starts from."""

from dataclasses import replace

from taskgraft.evaluators.trunk import Trunk
from taskgraft.search.evidence.trunks import trunk_of
from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.jobs import Job
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training


class Trunks:
    """The weights of the trunks that have ended.

    Each is read once and kept: it is part of what makes two trainings equal, so it is needed often.
    """

    def __init__(self, spec: StudySpec, checkpoints: Checkpoints) -> None:
        self._spec = spec
        self._checkpoints = checkpoints
        self._read: dict[Training, Trunk] = {}

    def give(self, job: Job) -> Job:
        """Return the job with the trunk that it starts from, which must have ended.

        Raises:
            Unavailable: the weights of the trunk are not there any more.
        """
        trunk = trunk_of(job.training, self._spec)
        if trunk is None:
            return job
        if trunk not in self._read:
            self._read[trunk] = Trunk(trunk.tasks, self._checkpoints.load(trunk))
        return replace(job, start=self._read[trunk])

"""Head starts: what a probe has trained already is not trained again when its model is wanted whole."""

from collections.abc import Iterable
from dataclasses import replace

from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.jobs import Job
from taskgraft.search.strategies.remaining import Left
from taskgraft.search.study.trial import Training, Trial


class HeadStarts:
    """The probes of a study whose saved states other trainings may go on from."""

    def __init__(self, checkpoints: Checkpoints, trials: Iterable[Trial]) -> None:
        self._checkpoints = checkpoints
        self._shares: dict[Training, float] = {}
        for trial in trials:
            self.add(trial)

    def add(self, trial: Trial) -> None:
        """Add a training that has ended. The state of its probe is deleted if this is the whole training."""
        measured = trial.measurement
        if trial.training.is_probe and measured and measured.is_censored:
            self._shares[trial.training] = measured.share
        elif not (trial.training.is_probe or trial.training.is_trunk) and len(trial.training.tasks) > 1:
            self._checkpoints.drop_state(_probe_of(trial.training))

    def share(self, training: Training) -> float:
        """Return the share of its steps, 0..1, that the probe of a training took; 0 if its state is not there."""
        probe = _probe_of(training)
        is_there = not training.is_probe and probe in self._shares and self._checkpoints.has_state(probe)
        return self._shares[probe] if is_there else 0.0

    def give(self, job: Job, stamp: str) -> Job:
        """Return the job with the stamp of its training, and the state that it goes on from if there is one."""
        probe = _probe_of(job.training)
        return replace(job, stamp=stamp, saved=None if job.training.is_probe else self._checkpoints.load_state(probe))

    def deduct(self, left: Left, waiting: Iterable[Training]) -> Left:
        """Return what is left at least when these trainings do not begin at step 0."""
        least, most = left.verifications
        return replace(left, verifications=(max(0.0, least - sum(map(self.share, waiting))), most))


def _probe_of(training: Training) -> Training:
    return replace(training, is_probe=True)

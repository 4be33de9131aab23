"""Jobs that began before their references were known, until they can be judged."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.open_training import Look, OpenTraining
from taskgraft.search.running.jobs import Job
from taskgraft.search.study.trial import Training


@dataclass(slots=True)
class _Open:
    job: Job
    training: OpenTraining
    judged_as: Job | None = None


class OpenJobs:
    """The open jobs of a study by training. One that was judged, or given up, is forgotten.

    ``errors`` are the tasks whose metric is better if it is lower.
    """

    def __init__(self, errors: Collection[str] = ()) -> None:
        self._errors = errors
        self._open: dict[Training, _Open] = {}

    def start(self, job: Job) -> None:
        """Note that an open job is under way."""
        self._open[job.training] = _Open(job, OpenTraining(self._errors))

    def holds(self, job: Job) -> bool:
        """Return whether this very job is still to be judged: its training may have begun again as another job."""
        found = self._open.get(job.training)
        return found is not None and found.job is job

    def has_ended(self, job: Job) -> bool:
        """Return whether all steps of an open job are taken."""
        return self.holds(job) and self._open[job.training].training.has_ended

    def add(self, job: Job, look: Look) -> None:
        """Add what the next evaluation of an open job found."""
        self._open[job.training].training.add(look)

    def without_references(self) -> Iterator[Job]:
        """Yield the jobs of which it is not known yet how they are judged."""
        yield from [one.job for one in self._open.values() if one.judged_as is None]

    def judge_as(self, job: Job) -> None:
        """Note the job that a training would be if it began now: with references, and the rule that ends it."""
        self._open[job.training].judged_as = job

    def resolve(self, training: Training) -> tuple[Job, Measurement] | None:
        """Return what a training measured, and as which job; None while that is not known. It is forgotten then."""
        found = self._open[training]
        if found.judged_as is None:
            return None
        job = found.judged_as
        measured = found.training.resolve(job.references, job.stopping, job.stamp)
        if measured is None:
            return None
        del self._open[training]
        return job, measured if job.with_affinities else measured.without_affinities()

    def forget(self, training: Training) -> None:
        """Give a training up."""
        self._open.pop(training, None)

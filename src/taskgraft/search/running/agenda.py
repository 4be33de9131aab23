"""Agendas: what the driver of a study asks, whether it searches for a tree or compares systems."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from taskgraft.search.comparison.decisions import LastStates, comparison_left, decide_comparison
from taskgraft.search.comparison.protocol import Known
from taskgraft.search.comparison.registry import systems_of
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.running.jobs import Job, job_for
from taskgraft.search.strategies.compressing import left_with_compression, with_compression
from taskgraft.search.strategies.remaining import Left
from taskgraft.search.strategies.strategy import Ask, Settled, Spent, decide
from taskgraft.search.study.comparison import Comparison
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.tasks import Task


class Agenda(Protocol):
    """Decides what a study trains. Every method is a pure function of its arguments."""

    def decide(self, evidence: Evidence, spent: Spent) -> Ask | Settled:
        """Return what to do next.

        Raises:
            TrainingFailed: a training that the study can't do without has failed.
        """
        ...

    def left(self, evidence: Evidence, decision: Ask) -> Left:
        """Return what may still be asked for, as of ``decision``."""
        ...

    def job(self, training: Training, evidence: Evidence) -> Job:
        """Return a training with all that its result depends on but the weights of other trainings."""
        ...

    def alike(self, job: Job) -> Iterable[Job]:
        """Return jobs with the same weights and metrics that measure more: what they left may be taken over, too."""
        ...


@dataclass(frozen=True, slots=True)
class SearchAgenda:
    """Searches for the tree of a study, by its strategy, and makes it smaller. Implements `Agenda`.

    ``tasks`` are those of the study; sizes follow from them.
    """

    spec: StudySpec
    tasks: tuple[Task, ...] = ()

    def decide(self, evidence: Evidence, spent: Spent) -> Ask | Settled:
        """See `Agenda`."""
        of_search = frozenset(training for training in spent.under_way if not training.pruning)
        found = decide(self.spec, evidence, replace(spent, under_way=of_search))
        return with_compression(self.spec, evidence, self.tasks, spent, found)

    def left(self, evidence: Evidence, decision: Ask) -> Left:
        """See `Agenda`."""
        return left_with_compression(self.spec, evidence, self.tasks, decision)

    def job(self, training: Training, evidence: Evidence) -> Job:
        """See `Agenda`."""
        return job_for(training, self.spec, evidence)

    def alike(self, job: Job) -> Iterable[Job]:
        """Return none: see `Agenda`."""
        return ()


class ComparisonAgenda:
    """Trains what the rows of a comparison need. Implements `Agenda`."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self._states = LastStates(comparison)

    def decide(self, evidence: Evidence, spent: Spent) -> Ask | Settled:
        """See `Agenda`."""
        known, states = self._states.of(evidence)
        return decide_comparison(known, spent, states)

    def left(self, evidence: Evidence, decision: Ask) -> Left:
        """See `Agenda`."""
        known, states = self._states.of(evidence)
        return comparison_left(known, decision, states)

    def job(self, training: Training, evidence: Evidence) -> Job:
        """See `Agenda`."""
        known = Known(self.comparison, evidence)
        systems = systems_of(self.comparison.systems, evidence.spec)
        looks_ahead = any(system.looks_ahead(training, known) for system in systems)
        return replace(job_for(training, evidence.spec, evidence), with_lookaheads=looks_ahead)

    def alike(self, job: Job) -> Iterable[Job]:
        """Return the job with affinities of either kind, if it measures none; see `Agenda`."""
        if job.with_lookaheads or len(job.training.tasks) < 2 or job.training.is_trunk:
            return ()
        return replace(job, with_affinities=True), replace(job, with_lookaheads=True)

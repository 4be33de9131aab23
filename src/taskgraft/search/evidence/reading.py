"""What baselines and a model say about one split, task by task, and how sure that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.metrics import accuracy_reduction, measure, reductions
from taskgraft.evaluators.paired import Bounds, PairedAnswers, PairedBootstrap, Spread
from taskgraft.search.evidence.verdict import ERROR
from taskgraft.search.statistics.repeats import Repeats
from taskgraft.search.statistics.seed_noise import SeedNoise
from taskgraft.search.study.result import TaskResult
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.task_spec import TaskSpec

Answers = Mapping[str, Sequence[Outcomes]]
"""Outcomes of each task, one entry per repeat."""
Groups = Mapping[str, NDArray[np.int64] | None]
"""By corpus, the group of every clip; None if clips are taken as independent."""


@dataclass(frozen=True, eq=False)
class Reading:
    """One split: every task's baseline against the model.

    ``alone`` are tasks that share nothing: each is its own baseline and loses nothing. ``at_chance`` are those that
    belong to no verdict. ``noise`` of seeds counts when the question is about the mean over seeds, of the baselines and
    of whatever else has several repeats; without it the question is about these trained models.
    """

    spec: StudySpec
    baselines: Answers
    model: Answers
    groups: Groups
    alone: frozenset[str]
    at_chance: frozenset[str]
    noise: SeedNoise | None = None

    @cached_property
    def without_ar(self) -> frozenset[str]:
        """Tasks that belong to no verdict: those at chance, and those whose baseline is not above 0 in this split."""
        return self.at_chance | {name for name, value in self._both[0].items() if value <= 0}

    @cached_property
    def _judged(self) -> list[TaskSpec]:
        return [task for task in self.spec.tasks if task.name not in self.without_ar]

    def _values(self, answers: Answers) -> dict[str, float]:
        return {
            task.name: float(np.mean([measure(said, task.metric) for said in answers[task.name]]))
            for task in self.spec.tasks
        }

    @cached_property
    def _both(self) -> tuple[dict[str, float], dict[str, float]]:
        return self._values(self.baselines), self._values(self.model)

    @property
    def reductions(self) -> dict[str, float]:
        """Signed reduction of every task that has one, those at chance included."""
        return reductions(*self._both, self.spec.errors)

    @property
    def ar(self) -> float:
        """The accuracy reduction: that of the worst task above chance, at least 0."""
        baselines, final = self._both
        return accuracy_reduction(baselines, {task.name: final[task.name] for task in self._judged}, self.spec.errors)

    @cached_property
    def _bootstrap(self) -> PairedBootstrap:
        return PairedBootstrap([self._paired(task) for task in self._judged if task.name not in self.alone])

    def _paired(self, task: TaskSpec) -> PairedAnswers:
        baseline, model = self.baselines[task.name], self.model[task.name]
        return PairedAnswers(
            task.dataset,
            task.metric,
            baseline,
            model,
            self.groups[task.dataset],
            self._spread(task, baseline),
            self._spread(task, model) if len(model) > 1 else None,
        )

    def _spread(self, task: TaskSpec, said: Sequence[Outcomes]) -> Spread | None:
        if self.noise is None or said[0].clip_count < 2:  # one clip leaves the bounds open anyhow
            return None
        return self.noise.of_mean(Repeats.of(task.metric, said))

    def _bounds(self, upper_error: float, lower_error: float) -> dict[str, Bounds]:
        shared = [task.name for task in self._judged if task.name not in self.alone]
        return dict(zip(shared, self._bootstrap.bounds(upper_error, lower_error), strict=True))

    @property
    def interval(self) -> tuple[float, float]:
        """Two-sided 95 % interval of the AR (eq. 16); the AR always lies in it."""
        bounds = self._bounds(ERROR / 2, ERROR / 2 / max(len(self._judged), 1)).values()
        low = max((bound.lower for bound in bounds), default=0.0)
        high = max((bound.upper for bound in bounds), default=0.0)
        return min(max(low, 0.0), self.ar), max(min(high, 1.0), self.ar)

    @cached_property
    def tasks(self) -> tuple[TaskResult, ...]:
        """Every task with its one-sided bounds, in the order of the study."""
        bounds = self._bounds(ERROR, ERROR / max(len(self._judged), 1))
        return tuple(self._task(task, bounds.get(task.name)) for task in self.spec.tasks)

    def _task(self, task: TaskSpec, bounds: Bounds | None) -> TaskResult:
        baselines, final = self._both
        said, groups = self.model[task.name][0], self.groups[task.dataset]
        at_chance = task.name in self.without_ar
        lost = None if at_chance else bounds.reduction if bounds else 0.0
        return TaskResult(
            name=task.name,
            metric=task.metric,
            baseline=baselines[task.name],
            final=final[task.name],
            test_clips=said.clip_count,
            test_groups=None if groups is None else len(np.unique(groups[said.clips])),
            at_chance=at_chance,
            reduction=lost,
            lower=bounds.lower if bounds else lost,
            upper=bounds.upper if bounds else lost,
        )

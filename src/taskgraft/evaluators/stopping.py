"""When a training need not go on: a checkpoint keeps the threshold already, or none is expected to. Plain numbers.

A curve is what `Measurement.curve` holds: points ``{"step": steps taken, task: metric on validation, ...}``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.metrics import METRICS, Metric, accuracy_reduction, lower_is_better

Curve = Sequence[Mapping[str, float]]

_SHORTEST = 1 / 2
"""No training is given up before this share of its steps: until then warm-up and a high rate make curves erratic."""
_CATCHING_UP = 2.0
"""From here on, a task gains at most so many times what its baseline gained from the same step on."""
_ERRORS = 4.0
"""Standard errors by which a later checkpoint may be lucky: it is the best of several, and seeds differ too."""


class Verdict(Enum):
    """What becomes of a training after an evaluation."""

    GO_ON = auto()
    KEPT = auto()
    """A checkpoint keeps the threshold: further training could lower the AR, but not change the decision."""
    HOPELESS = auto()
    """No checkpoint to come is expected to keep the threshold."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """Stops a multi-task training early, both ways.

    ``threshold`` is Q, a fraction. ``accepts`` says whether to stop at the first checkpoint that keeps Q, and
    ``gives_up`` whether to stop once none is expected to. ``baselines`` has the whole curve of every task's own
    baseline, trained for as many steps as are planned here. Do not give up if a patience may have ended them: then they
    do not tell what a task may still gain. ``metrics`` names the metric of each task; accuracy if it is left out.

    The verdict depends on the model's own curve and those of its tasks' baselines, on nothing else: it is the same
    whatever the number of workers and the order of trainings.

    A training that was stopped keeps its best checkpoint so far, by the score by which the whole training would have
    chosen: its AR is an UPPER BOUND of the whole training's, whichever way it was stopped. Acceptance can't err; giving
    up can, and docs/stopping.md has the measured rate.

    Raises:
        InvalidInput: a threshold outside [0, 1), or a baseline without a curve.
    """

    threshold: float
    accepts: bool
    baselines: Mapping[str, Curve]
    metrics: Mapping[str, str] = field(default_factory=dict)
    gives_up: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1:
            raise InvalidInput.at("threshold", f"a fraction, 0 or more and below 1; got {self.threshold}")
        if bare := [task for task, curve in self.baselines.items() if not curve]:
            raise InvalidInput.at("baselines", f"the curve of {', '.join(bare)} has no point")

    def verdict(self, curve: Curve, references: Mapping[str, float], clips: Mapping[str, int]) -> Verdict:
        """Judge the curve so far; every checkpoint on it is judged, so a later point never takes back `KEPT`.

        ``references`` are the metrics of the baselines, ``clips`` the validation clips, of every task of the model.
        """
        tasks = {task: self._best(task, curve) for task in references}
        if self.accepts and any(self._keeps(point, references) for point in curve):
            return Verdict.KEPT
        if not self.gives_up:
            return Verdict.GO_ON
        step = curve[-1]["step"]
        for task, best in tasks.items():
            metric = self._metric(task)
            kept = 1 - self.threshold if metric.higher_is_better else 1 + self.threshold
            luck = _ERRORS * metric.standard_error(best, clips[task])
            if metric.better(best) + self._gain(task, step) + luck < metric.better(kept * references[task]):
                return Verdict.HOPELESS
        return Verdict.GO_ON

    def end_of(self, curve: Curve, references: Mapping[str, float], clips: Mapping[str, int]) -> int | None:
        """Return how many points of a recorded curve a training under this rule would have had.

        None if the rule would not have stopped it anywhere on the curve.
        """
        for seen in range(1, len(curve) + 1):
            if self.verdict(curve[:seen], references, clips) is not Verdict.GO_ON:
                return seen
        return None

    def _keeps(self, point: Mapping[str, float], references: Mapping[str, float]) -> bool:
        metrics = {task: point[task] for task in references}
        return accuracy_reduction(references, metrics, self.errors) <= self.threshold

    @property
    def errors(self) -> frozenset[str]:
        """The tasks whose metric is better if it is lower."""
        return lower_is_better(self.metrics)

    def _metric(self, task: str) -> Metric:
        return METRICS[self.metrics.get(task, "accuracy")]

    def _best(self, task: str, curve: Curve) -> float:
        return max((point[task] for point in curve), key=self._metric(task).better)

    def _gain(self, task: str, step: float) -> float:
        """Return how much the task may still gain: a multiple of what its baseline gained from the same step on.

        Each task may take its best from another checkpoint, which makes stopping less likely.
        """
        baseline = self.baselines[task]
        before = [point for point in baseline if point["step"] <= step]
        if step < _SHORTEST * baseline[-1]["step"] or not before:
            return math.inf
        better = self._metric(task).better
        return _CATCHING_UP * (better(self._best(task, baseline)) - better(self._best(task, before)))

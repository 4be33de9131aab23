"""Acceptance on a level: a part keeps the threshold with a margin, since the best of many trees is lucky, too."""

from taskgraft.evaluators.metrics import METRICS
from taskgraft.search.evidence.fixed import FixedRepeats
from taskgraft.search.evidence.trees import shared_parts
from taskgraft.search.statistics.acceptance import TYPICAL, is_safe, risk
from taskgraft.space.tree import BranchTree


class LevelRepeats(FixedRepeats):
    """Judges by a number of repeats that is the same for all trees, with a margin for their noise. A `Judge`."""

    def meets_threshold(self, tree: BranchTree) -> bool:
        """Return whether the AR is at most the threshold, and the risk that it truly is not is small for every part."""
        return super().meets_threshold(tree) and all(map(self._is_safe, shared_parts(tree)))

    def is_undecided(self, part: BranchTree) -> bool:
        """Return whether the AR is at most the threshold, but so near to it that it may truly not be."""
        return super().meets_threshold(part) and not self._is_safe(part)

    def _is_safe(self, part: BranchTree) -> bool:
        baselines, threshold = self.figures.references(part.tasks), self._spec.ar_threshold
        risks = [
            risk(lost, threshold, self._noisy_as(task, baselines[task]), self._count)
            for task, lost in self.figures.reductions(part).items()
        ]
        return is_safe(risks, len(part.tasks), len(self._spec.tasks))

    def _noisy_as(self, task: str, baseline: float) -> float:
        """Return the share that is as noisy as the metric of a task; `TYPICAL` if it is no share."""
        return baseline if METRICS[self._tasks[task].metric].is_share else TYPICAL

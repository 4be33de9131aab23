"""Judges: by which repeats a tree is judged, which trainings it still wants, and whether it meets the threshold."""

from collections.abc import Callable, Iterator
from typing import Protocol, Self

from taskgraft.search.evidence.figures import Figures
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree

TrainingOf = Callable[[BranchTree, int, bool], Training]
"""Returns the training of a tree, by its repeat and whether it is a probe."""


class Judge(Protocol):
    """Judges trees by their repeats.

    A part is a tree whose tasks share blocks, or a single task; a tree consists of such parts
    (`taskgraft.search.evidence.trees.components`).
    """

    @property
    def figures(self) -> Figures:
        """Metrics and reductions over the repeats that judge a tree."""
        ...

    def repeats(self, part: BranchTree) -> Iterator[Training]:
        """Yield the finished repeats by which a part is judged."""
        ...

    def wanted(self, part: BranchTree) -> Iterator[Training]:
        """Yield the trainings that have to end before it is known whether a part meets the threshold."""
        ...

    def is_measured(self, part: BranchTree) -> bool:
        """Return whether a part has enough repeats to be judged, baselines apart; more may still be wanted."""
        ...

    def interval(self, tree: BranchTree) -> tuple[float, float]:
        """Return the 95 % interval of the AR of a measured tree; the point estimate always lies in it."""
        ...

    def meets_threshold(self, tree: BranchTree) -> bool:
        """Return whether a measured tree meets the study's threshold."""
        ...

    def is_undecided(self, part: BranchTree) -> bool:
        """Return whether the repeats of a measured part leave open whether it meets the threshold."""
        ...

    def take_figures(self, other: Self) -> None:
        """Take the figures that another judge has worked out already from trainings that this one knows, too."""
        ...


def around(estimate: float, ends: tuple[float, float]) -> tuple[float, float]:
    """Return an interval widened until it holds its estimate."""
    low, high = ends
    return min(low, estimate), max(high, estimate)

"""What another threshold would give: its tree, its size, and whether that was ever trained."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskgraft.api.pages.words import threshold as shown
from taskgraft.api.pictures import TrainedTree
from taskgraft.api.schemas import StudyView, SummaryView
from taskgraft.api.tree_schemas import TradeoffPointView, TradeoffView
from taskgraft.search.study.result import FinalVerdict
from taskgraft.search.study.states import State


@dataclass(frozen=True, slots=True)
class TrainedAt:
    """A study that trained a tree for a threshold: this one, or one that came from it."""

    id: str
    ar_threshold: float
    state: State
    is_own: bool
    parameters: int | None
    ar: float | None
    verdict: FinalVerdict | None


def trained_trees(study: StudyView, related: Sequence[SummaryView]) -> tuple[TrainedAt, ...]:
    """Return every study of these that has trained a tree, or will: the study itself first."""
    own = _trained(study.id, study.spec.ar_threshold, study, is_own=True)
    others = (_trained(found.id, found.ar_threshold, found) for found in related if not found.is_comparison)
    return (own, *others)


def _trained(study_id: str, ar_threshold: float, study: StudyView | SummaryView, *, is_own: bool = False) -> TrainedAt:
    result = study.result
    figures = (result.parameters, result.ar, result.verdict) if result else (None, None, None)
    return TrainedAt(study_id, ar_threshold, study.state, is_own, *figures)


def drawn(trained: Sequence[TrainedAt]) -> list[TrainedTree]:
    """Return the trees that were trained and measured, as a picture takes them."""
    return [
        TrainedTree(tree.ar_threshold, tree.parameters, tree.verdict)
        for tree in trained
        if tree.parameters is not None and tree.verdict is not None
    ]


@dataclass(frozen=True, slots=True)
class Steps:
    """The thresholds at which the slider stops: where the tree changes, and those that were trained."""

    thresholds: tuple[float, ...]
    points: tuple[TradeoffPointView, ...]

    @classmethod
    def of(cls, tradeoff: TradeoffView, trained: Sequence[TrainedAt]) -> "Steps":
        """Return the steps of a trade-off."""
        changes = {point.ar_threshold for point in tradeoff.items}
        return cls(tuple(sorted(changes | {tree.ar_threshold for tree in trained})), tuple(tradeoff.items))

    def at(self, ar_threshold: float) -> int:
        """Return the step whose tree is that of a threshold: the last one that does not accept more."""
        return max(bisect_right(self.thresholds, ar_threshold) - 1, 0)

    @property
    def first_sharing(self) -> float | None:
        """The smallest threshold at which tasks share anything; None if there is none."""
        largest = self.points[0].encoder_parameters
        return next((point.ar_threshold for point in self.points if point.encoder_parameters < largest), None)


def read_threshold(text: str | None, own: float) -> float:
    """Return the threshold that an address asks for, or one as near as there is; ``own`` if it is no number.

    >>> read_threshold("0.05", 0.02), read_threshold("7", 0.02), read_threshold("x", 0.02)
    (0.05, 1.0, 0.02)
    """
    try:
        asked = float(text or own)
    except ValueError:
        return own
    return own if math.isnan(asked) else min(max(asked, 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What the slider says at one of its steps."""

    step: int
    last: int
    ar_threshold: float
    lower: float | None
    """The step below; None at the first one."""
    higher: float | None
    parameters: int | None
    saved: float | None
    """Share of the parameters of independent models."""
    trained: TrainedAt | None
    is_own_tree: bool
    """Whether it is the very tree that the study has trained for its own threshold."""
    shares_nothing: bool
    first_sharing: float | None
    asked: float | None
    """Set if what was asked for is no step; the one before it has the same tree."""

    @property
    def may_be_trained(self) -> bool:
        """Whether a study that trains this tree would tell something new."""
        is_lost = self.trained is not None and self.trained.state in (State.FAILED, State.CANCELLED)
        return not self.shares_nothing and (self.trained is None or is_lost)

    @property
    def words(self) -> str:
        """The step as a screen reader says it."""
        size = "" if self.parameters is None else f": {self.parameters:,} parameters"
        return f"{shown(self.ar_threshold)}{size}"


def at_threshold(
    steps: Steps,
    step: int,
    tree: Mapping[str, Any],
    trained: Sequence[TrainedAt],
    own_tree: Mapping[str, Any],
    asked: float | None = None,
) -> AtThreshold:
    """Return what there is to say at a step, whose tree form is ``tree``; ``own_tree`` is that of the study."""
    here, last = steps.thresholds[step], len(steps.thresholds) - 1
    parameters, independent = tree["parameters"], tree["independent_parameters"]
    done = sorted((found for found in trained if found.ar_threshold == here), key=lambda found: found.ar is None)
    return AtThreshold(
        step=step,
        last=last,
        ar_threshold=here,
        lower=steps.thresholds[step - 1] if step else None,
        higher=steps.thresholds[step + 1] if step < last else None,
        parameters=parameters,
        saved=1 - parameters / independent if parameters and independent else None,
        trained=done[0] if done else None,
        is_own_tree=tree["root"] == own_tree["root"],
        shares_nothing=not tree["root"]["blocks"][1]
        and all(len(part["tasks"]) == 1 for part in tree["root"]["children"]),
        first_sharing=steps.first_sharing,
        asked=asked if asked is not None and asked != here else None,
    )

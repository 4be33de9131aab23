"""What a study delivers: the tree as it was found, or what its compression made of it."""

from dataclasses import dataclass, replace

from taskgraft.evaluators.datasets.splits import Split
from taskgraft.search.evidence.answers import outcomes_of
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.pruned import all_rounds
from taskgraft.search.evidence.reading import Reading
from taskgraft.search.evidence.trees import components, side_by_side
from taskgraft.search.running.readings import Readings
from taskgraft.search.strategies.compressing import compressed_parts
from taskgraft.search.study.compression_spec import Compression, prunes
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree


@dataclass(frozen=True, slots=True)
class Delivery:
    """A tree and the trainings of its parts.

    ``pruned_ar`` is the AR of the pruned tree on validation, None if there is none. ``reason`` says why it is not what
    is delivered; None if it is, or if there is none.
    """

    tree: BranchTree
    parts: tuple[Training, ...]
    pruned_ar: float | None = None
    reason: str | None = None

    @property
    def is_pruned(self) -> bool:
        """Whether something was left out of the tree."""
        return any(training.pruning for training in self.parts)

    @property
    def alone(self) -> frozenset[str]:
        """The tasks whose model is their baseline, whichever repeat was taken."""
        return frozenset(one.tasks[0] for one in self.parts if len(one.tasks) == 1 and not one.pruning)


def choose_delivery(readings: Readings, tree: BranchTree) -> Delivery:
    """Return what a study whose tree is settled delivers.

    A pruned tree is delivered if it keeps the threshold on validation, or loses no more there than the tree does.
    """
    prepared, evidence = readings.prepared, readings.evidence
    found = Delivery(tree, tuple(evidence.best_repeat(part) for part in components(tree)))
    step = prunes(prepared.spec.compression)
    if step is None:
        return found
    parts = compressed_parts(prepared.spec, evidence, tree, prepared.tasks)
    if failed := _failure(evidence, parts):
        return replace(found, reason=f"{step.name}: a training failed ({failed}); {_AS_FOUND}")
    smaller = side_by_side((part.tree for part in parts), tree.tasks, tree.depth)
    return _chosen(readings, found, Delivery(smaller, parts), step)


_AS_FOUND = "the tree is delivered as it was found"


def _chosen(readings: Readings, found: Delivery, pruned: Delivery, step: Compression) -> Delivery:
    threshold = readings.prepared.spec.ar_threshold
    before, after = (_on_validation(readings, one).ar for one in (found, pruned))
    if after <= max(before, threshold):
        return replace(pruned, pruned_ar=after)
    reason = f"{step.name}: AR {after:.2%} on validation is above {threshold:.2%}; {_AS_FOUND}"
    return replace(found, pruned_ar=after, reason=reason)


def _failure(evidence: Evidence, parts: tuple[Training, ...]) -> str | None:
    failures = evidence.facts.failures
    return next((failures[one] for part in parts for one in all_rounds(part) if one in failures), None)


def _on_validation(readings: Readings, delivery: Delivery) -> Reading:
    said = outcomes_of(readings.evidence, delivery.parts)
    return readings.against_baselines(Split.VALIDATION, said, delivery.alone)

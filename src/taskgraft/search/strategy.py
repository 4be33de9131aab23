"""Which training next: a pure function of what is known, so that a study can be replayed from its ledger."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from taskgraft.errors import TrainingFailed
from taskgraft.search.evidence import Evidence
from taskgraft.search.repair import repair
from taskgraft.search.spec import Strategy, StudySpec
from taskgraft.search.study import Stage
from taskgraft.search.trial import Training
from taskgraft.space.synthesis import synthesize
from taskgraft.space.template import get_template
from taskgraft.space.tree import BranchTree


@dataclass(frozen=True, slots=True)
class Ask:
    """These trainings are wanted now, the most urgent first; more may be wanted when they have ended."""

    stage: Stage
    trainings: tuple[Training, ...]
    at_least: int
    """Trainings still to come, these included, as far as can be known now."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The search is over: the tree that keeps the threshold on validation, and what was given up on the way to it."""

    tree: BranchTree
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a study has used up of its budget."""

    trials: int = 0
    seconds: float = 0.0


def decide(spec: StudySpec, evidence: Evidence, spent: Spent) -> Ask | Settled:
    """What to do next, given what is known.

    Raises:
        TrainingFailed: a training that the decision needs has failed.
    """
    if evidence.failure:
        training, error = evidence.failure
        raise TrainingFailed(f"training {'+'.join(training.tasks)} sharing {training.shared} blocks failed: {error}")
    baselines = [part for task in spec.task_names for part in evidence.missing(evidence.baseline(task))]
    open_pairs = {
        pair: trees for pair in combinations(spec.task_names, 2) if (trees := _open_cells(spec, evidence, *pair))
    }
    if baselines or (open_pairs and not _is_spent(spec, spent, reserve=spec.repeats)):
        pairs = [
            training
            for pair, trees in open_pairs.items()
            if evidence.has_baselines(pair)
            for tree in trees
            for training in evidence.missing(tree)
        ]
        at_least = len(baselines) + spec.repeats * sum(map(len, open_pairs.values())) + spec.repeats
        return Ask(Stage.BASELINES if baselines else Stage.PAIRS, (*baselines, *pairs), at_least)
    tree = synthesize(
        evidence.matrix(with_intervals=False) if spec.decision == "point" else evidence.matrix(),
        spec.ar_threshold,
        get_template(spec.template),
        spec.decision,
    )
    return _verify(spec, evidence, spent, tree, complete=not open_pairs)


def _open_cells(spec: StudySpec, evidence: Evidence, first: str, second: str) -> list[BranchTree]:
    """Cells of a pair that have to be trained next: all that are left, or the deepest that can still decide."""
    cells = [evidence.pair(first, second, depth) for depth in sorted(spec.depths, reverse=True)]
    if spec.strategy is Strategy.EXHAUSTIVE:
        return [tree for tree in cells if not evidence.is_known(tree)]
    for tree in cells:
        if not evidence.is_known(tree):
            return [tree]
        if evidence.keeps(tree):
            return []
    return []


def _is_spent(spec: StudySpec, spent: Spent, reserve: int = 0) -> bool:
    budget = spec.budget
    out_of_trials = budget.trials is not None and spent.trials + reserve >= budget.trials
    return out_of_trials or (budget.seconds is not None and spent.seconds >= budget.seconds)


def _verify(spec: StudySpec, evidence: Evidence, spent: Spent, tree: BranchTree, complete: bool) -> Ask | Settled:
    """Train the tree and repair it until it keeps the threshold; each tree on the way is in the ledger."""
    notes = [] if complete else ["the budget ended before every pair was tried; untried sharing was left out"]
    for candidate in _candidates(evidence, tree):
        if wanted := evidence.missing(candidate):
            if _is_spent(spec, spent):
                notes.append("the budget ended before a tree that shares blocks was verified; nothing is shared")
                return Settled(BranchTree.flat(tree.tasks, 0, tree.depth), "; ".join(notes))
            return Ask(Stage.VERIFICATION, wanted, len(wanted))
        if evidence.keeps(candidate):
            if candidate != tree:
                notes.append(_repair_note(evidence, tree))
            return Settled(candidate, "; ".join(notes) or None)
    raise AssertionError("independent models keep every threshold")


def _candidates(evidence: Evidence, tree: BranchTree) -> Iterator[BranchTree]:
    """The synthesized tree, then its repairs; asked for one by one, since each needs the measurement of the last."""
    yield tree
    while tree.is_shared and len(tree.tasks) > 1:
        tree = repair(tree, evidence.reductions(tree))
        yield tree


def _repair_note(evidence: Evidence, tree: BranchTree) -> str:
    ar = evidence.ar(tree)
    return f"the synthesized tree broke the threshold when trained (AR {ar:.4f} on validation) and was repaired"

"""Which training next: a pure function of what is known, so that a study can be replayed from its ledger."""

import sys
from collections.abc import Iterator, Sequence
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
    """These trainings are wanted, the most urgent first; more may be wanted when one of them has ended.

    Those that are under way are among them; where all of them are, there is nothing to start yet.
    """

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
    """What a study uses of its budget beside the trainings that have ended: those under way, and wall seconds."""

    under_way: frozenset[Training] = frozenset()
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
    cells = {pair: _open_cells(spec, evidence, *pair) for pair in combinations(spec.task_names, 2)}
    ready = [
        training
        for pair, trees in cells.items()
        if evidence.has_baselines(pair)
        for tree in trees
        for training in evidence.missing(tree)
    ]
    reserve = len(set(baselines) - spent.under_way) + _verifications(spec)
    pairs = _affordable(spec, evidence, spent, ready, reserve)
    if baselines or pairs:
        left = len(baselines) + sum(len(evidence.missing(tree)) for trees in cells.values() for tree in trees)
        return _ask(spec, evidence, [*baselines, *pairs], left + _verifications(spec), bool(baselines))
    matrix = evidence.decisive_matrix()
    tree = synthesize(matrix, spec.ar_threshold, get_template(spec.template), spec.decision, spec.synthesis)
    return _verify(spec, evidence, spent, tree, complete=not any(cells.values()))


def _ask(spec: StudySpec, evidence: Evidence, wanted: Sequence[Training], left: int, baselines: bool) -> Ask:
    if spec.budget.trials is not None:
        left = max(len(wanted), min(left, spec.budget.trials - evidence.count))
    return Ask(Stage.BASELINES if baselines else Stage.PAIRS, tuple(wanted), left)


def _verifications(spec: StudySpec) -> int:
    """Trainings that the verification of a tree takes at least: the tree of a pair is a pair that was tried."""
    return spec.repeats if len(spec.tasks) > 2 else 0


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


def _affordable(
    spec: StudySpec, evidence: Evidence, spent: Spent, wanted: Sequence[Training], reserve: int
) -> list[Training]:
    """Those of the wanted trainings that are under way, and as many others as the budget has room for."""
    under_way = [training for training in wanted if training in spent.under_way]
    others = [training for training in wanted if training not in spent.under_way]
    return under_way + others[: _room(spec, evidence, spent, reserve)]


def _room(spec: StudySpec, evidence: Evidence, spent: Spent, reserve: int = 0) -> int:
    """How many more trainings may be started when ``reserve`` of them are kept for later."""
    budget = spec.budget
    if budget.seconds is not None and spent.seconds >= budget.seconds:
        return 0
    if budget.trials is None:
        return sys.maxsize
    return max(0, budget.trials - evidence.count - len(spent.under_way) - reserve)


def _verify(spec: StudySpec, evidence: Evidence, spent: Spent, tree: BranchTree, complete: bool) -> Ask | Settled:
    """Train the tree and repair it until it keeps the threshold; each tree on the way is in the ledger."""
    notes = [] if complete else ["the budget ended before every pair was tried; untried sharing was left out"]
    for candidate in _candidates(evidence, tree):
        if wanted := evidence.missing(candidate):
            if len(set(wanted) - spent.under_way) > _room(spec, evidence, spent):
                wanted = tuple(training for training in wanted if training in spent.under_way)
            if wanted:
                return Ask(Stage.VERIFICATION, wanted, len(wanted))
            notes.append("the budget ended before a tree that shares blocks was verified; nothing is shared")
            return Settled(BranchTree.flat(tree.tasks, 0, tree.depth), "; ".join(notes))
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

"""What has to be trained before a tree can be told, by strategy."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, combinations

from taskgraft.search.affinity_order import by_affinity
from taskgraft.search.bisection import deepest
from taskgraft.search.evidence import Evidence
from taskgraft.search.grouping import Grouping, side_by_side
from taskgraft.search.spec import Strategy, StudySpec
from taskgraft.search.trial import Training
from taskgraft.space.synthesis import synthesize
from taskgraft.space.template import get_template
from taskgraft.space.tree import BranchTree


@dataclass(frozen=True, slots=True)
class Questions:
    """The open questions of a study."""

    ready: tuple[Training, ...]
    """May be trained now, the most urgent first."""
    left: int
    """Trainings still to come, those included, as far as can be known now."""
    verifications: int
    """Trainings that the verification of a tree takes at least."""
    tree: Callable[[], BranchTree | None]
    """What follows from the answers that there are; None where nothing does before all are there."""


def open_questions(spec: StudySpec, evidence: Evidence) -> Questions:
    """What the study's strategy asks next, given what is known."""
    return _of_groups(spec, evidence) if spec.strategy is Strategy.GROUPS else _of_pairs(spec, evidence)


def _of_pairs(spec: StudySpec, evidence: Evidence) -> Questions:
    """Cells of the reduction matrix; the tree is synthesized from it.

    The first question about every pair goes before the second about any: a pair's questions follow one another, so
    pairs that need many of them had better start early, and a budget that ends has seen every pair.
    """
    pairs = [_open_cells(spec, evidence, *pair) for pair in combinations(spec.task_names, 2)]
    cells = sorted(chain.from_iterable(pairs), key=lambda tree: _answered(spec, evidence, tree))
    ready = [part for tree in cells if evidence.has_baselines(tree.tasks) for part in evidence.unanswered(tree)]

    def tree() -> BranchTree:
        template = get_template(spec.template)
        return synthesize(evidence.decisive_matrix(), spec.ar_threshold, template, spec.decision, spec.synthesis)

    return Questions(
        tuple(dict.fromkeys(ready)),
        sum(len(evidence.unanswered(tree)) for tree in cells),
        spec.least_repeats if len(spec.tasks) > 2 else 0,  # the tree of a pair is a pair that was tried
        tree,
    )


def _open_cells(spec: StudySpec, evidence: Evidence, first: str, second: str) -> list[BranchTree]:
    """Cells of a pair that have to be trained next: all that are left, or the one that the strategy asks first."""
    if evidence.is_at_chance(first) or evidence.is_at_chance(second):
        return []
    cells = {depth: evidence.pair(first, second, depth) for depth in sorted(spec.depths)}
    if spec.strategy is Strategy.EXHAUSTIVE:
        return [tree for tree in reversed(cells.values()) if not evidence.is_known(tree)]

    def keeps(depth: int) -> bool:
        if not evidence.is_known(cells[depth]):
            raise _Open(cells[depth])
        return evidence.keeps(cells[depth])

    try:
        if spec.strategy is Strategy.BISECTION:
            deepest(list(cells), keeps)
        else:
            next(filter(keeps, reversed(cells)), None)
    except _Open as question:
        return [question.tree]
    return []


def _answered(spec: StudySpec, evidence: Evidence, pair: BranchTree) -> int:
    """How many depths of a pair are known."""
    first, second = pair.tasks
    return sum(evidence.is_known(evidence.pair(first, second, depth)) for depth in spec.depths)


class _Open(Exception):
    """The depth of a pair depends on an answer that is not there yet."""

    def __init__(self, tree: BranchTree) -> None:
        super().__init__(tree)
        self.tree = tree


def _of_groups(spec: StudySpec, evidence: Evidence) -> Questions:
    """Groups of tasks; what fits together is the tree."""
    if not evidence.has_baselines(spec.task_names):
        return Questions((), min(1, len(spec.tasks) - 1), 0, lambda: None)

    def keeps(tree: BranchTree) -> bool | None:
        return evidence.keeps(tree) if evidence.is_known(tree) else None

    free = evidence.tasks_above_chance()
    blocks = get_template(spec.template).depth
    if not free:
        return Questions((), 0, 0, lambda: side_by_side((), spec.task_names, blocks))
    grouping = Grouping(free, spec.depths, blocks, keeps, by_affinity(free, evidence.affinities()))
    ready = tuple(dict.fromkeys(part for tree in grouping.questions for part in evidence.unanswered(tree)))

    def tree() -> BranchTree | None:
        return None if grouping.questions else side_by_side([grouping.tree], spec.task_names, blocks)

    return Questions(ready, len(ready), 0, tree)

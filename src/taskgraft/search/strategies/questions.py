"""Trainings that each strategy still needs to derive a tree."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.strategies.affinity_order import by_affinity
from taskgraft.search.strategies.bisection import deepest
from taskgraft.search.strategies.grouping import Grouping, side_by_side
from taskgraft.search.study.spec import Strategy, StudySpec
from taskgraft.search.study.trial import Training
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
    """Trainings that the verification of a tree takes, if nothing has to be repaired."""
    tree: Callable[[], BranchTree | None]
    """Returns the tree that follows from the answers so far; None while more answers are needed."""


def open_questions(spec: StudySpec, evidence: Evidence) -> Questions:
    """Return what the study's strategy asks next, given what is known."""
    return _of_groups(spec, evidence) if spec.strategy is Strategy.GROUPS else _of_pairs(spec, evidence)


def _of_pairs(spec: StudySpec, evidence: Evidence) -> Questions:
    """Return questions about cells of the reduction matrix; the tree is synthesized from it.

    Pairs that may still need most questions go first: a pair's questions follow one another, so a late one would be
    trained alone while all other cores wait. Of two equal ones, the one with fewer repeats goes first: so every pair
    has been asked about when a budget ends.
    """
    pairs = [_open_cells(spec, evidence, *pair) for pair in combinations(spec.task_names, 2)]
    waiting = [(most_left, tree) for pair in pairs for most_left, tree in pair]
    waiting.sort(key=lambda cell: (-cell[0], len(evidence.trainings(cell[1]))))
    cells = [tree for _, tree in waiting]
    ready = [part for tree in cells if evidence.has_baselines(tree.tasks) for part in evidence.unanswered(tree)]

    def tree() -> BranchTree:
        template = get_template(spec.template)
        return synthesize(evidence.decisive_matrix(), spec.ar_threshold, template, spec.decision, spec.synthesis)

    return Questions(
        tuple(dict.fromkeys(ready)),
        sum(len(evidence.unanswered(tree)) for tree in cells),
        spec.least_repeats if len(spec.tasks) > 2 else 0,  # the tree of two tasks is a pair that was tried
        tree,
    )


def known_answers(spec: StudySpec, evidence: Evidence, first: str, second: str) -> dict[int, bool]:
    """Return at which depths it is known whether a pair keeps the threshold, and whether it does."""
    cells = {depth: evidence.pair(first, second, depth) for depth in sorted(spec.depths)}
    return {depth: evidence.keeps(tree) for depth, tree in cells.items() if evidence.is_known(tree)}


def _open_cells(spec: StudySpec, evidence: Evidence, first: str, second: str) -> list[tuple[int, BranchTree]]:
    """Return cells of a pair that have to be trained next: all that are left, or the one that the strategy asks first.

    With each goes how many questions about the pair may still come, it and all that are behind it included.
    """
    if evidence.is_at_chance(first) or evidence.is_at_chance(second):
        return []
    cells = {depth: evidence.pair(first, second, depth) for depth in sorted(spec.depths)}
    if spec.strategy is Strategy.EXHAUSTIVE:
        return list(enumerate((tree for tree in cells.values() if not evidence.is_known(tree)), 1))
    known = known_answers(spec, evidence, first, second)
    depth = _asked_next(spec.strategy, tuple(cells), known)
    if depth is None:
        return []
    return [(most_questions(spec.strategy, tuple(cells), frozenset(known.items())), cells[depth])]


def _asked_next(strategy: Strategy, depths: Sequence[int], known: Mapping[int, bool]) -> int | None:
    """Return the depth to ask about next, of ``depths`` (ascending); None if the pair's compatibility is known."""

    def keeps(depth: int) -> bool:
        if depth not in known:
            raise _Open(depth)
        return known[depth]

    try:
        if strategy is Strategy.BISECTION:
            deepest(depths, keeps)
        else:
            next(filter(keeps, reversed(depths)), None)
    except _Open as question:
        return question.depth
    return None


class _Open(Exception):
    """Raised when the depth of a pair depends on an answer that is not there yet."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth)
        self.depth = depth


@cache
def most_questions(
    strategy: Strategy, depths: tuple[int, ...], known: frozenset[tuple[int, bool]] = frozenset()
) -> int:
    """Return how many questions about a pair may still come at most, of ``depths`` (ascending) some known.

    >>> [most_questions(Strategy.BISECTION, tuple(range(depths))) for depths in (1, 2, 3, 4, 5, 8, 9)]
    [1, 2, 3, 3, 4, 4, 5]
    """
    depth = _asked_next(strategy, depths, dict(known))
    if depth is None:
        return 0
    return 1 + max(most_questions(strategy, depths, known | {(depth, answer)}) for answer in (True, False))


def expected_questions(
    strategy: Strategy, depths: tuple[int, ...], known: frozenset[tuple[int, bool]], chance: float
) -> float:
    """Return how many questions about a pair come on average, if each depth keeps the threshold with that chance.

    >>> [expected_questions(Strategy.ADAPTIVE, (4, 6, 8), frozenset(), chance) for chance in (0.0, 0.5, 1.0)]
    [3.0, 1.75, 1.0]
    """
    depth = _asked_next(strategy, depths, dict(known))
    if depth is None:
        return 0.0
    kept, broken = (expected_questions(strategy, depths, known | {(depth, answer)}, chance) for answer in (True, False))
    return 1 + chance * kept + (1 - chance) * broken


@cache
def fewest_questions(
    strategy: Strategy, depths: tuple[int, ...], known: frozenset[tuple[int, bool]] = frozenset()
) -> int:
    """Return how many questions about a pair have to come in the best case; see `most_questions`."""
    depth = _asked_next(strategy, depths, dict(known))
    if depth is None:
        return 0
    return 1 + min(fewest_questions(strategy, depths, known | {(depth, answer)}) for answer in (True, False))


@cache
def open_depths(
    strategy: Strategy, depths: tuple[int, ...], known: frozenset[tuple[int, bool]] = frozenset()
) -> frozenset[int]:
    """Return the depths that a pair may still be asked about, of ``depths`` (ascending) some of them known.

    >>> sorted(open_depths(Strategy.ADAPTIVE, (4, 5, 6, 7, 8), frozenset({(8, False), (6, True)})))
    [7]
    """
    depth = _asked_next(strategy, depths, dict(known))
    if depth is None:
        return frozenset()
    after = (open_depths(strategy, depths, known | {(depth, answer)}) for answer in (True, False))
    return frozenset({depth}).union(*after)


def _of_groups(spec: StudySpec, evidence: Evidence) -> Questions:
    """Return questions about groups of tasks; the tree is made of those that fit together."""
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

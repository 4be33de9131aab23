"""What a tree rests on: what forced each of its branchings, and which cells were not asked about."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.strategies.registry import strategy_of
from taskgraft.search.strategies.strategy import refuted_trees
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.branching import Branching, Cause, Reason
from taskgraft.space.document import tree_document
from taskgraft.space.matrix import Decision, Pair
from taskgraft.space.tasks import Task
from taskgraft.space.tree import BranchTree, Node


@dataclass(frozen=True, slots=True)
class Unknown:
    """Cells that were not asked about and could let pairs share more, and how many trainings would answer them.

    ``to_verify`` more would train the tree that is known so far, unless it has to be repaired.
    """

    cells: Mapping[Pair, tuple[int, ...]]
    at_least: int
    at_most: int
    to_verify: int

    def to_json(self) -> dict[str, Any]:
        """Return plain data, as it stands in the tree form."""
        needed = {"at_least": self.at_least, "at_most": self.at_most, "to_verify": self.to_verify}
        cells = [{"task_a": a, "task_b": b, "depths": list(depths)} for (a, b), depths in self.cells.items()]
        return {"unknown": cells, "trainings_needed": needed}


def explanation(spec: StudySpec, evidence: Evidence, tree: BranchTree) -> dict[str, Any]:
    """Return what the tree form says beside the tree: ``branchings``, ``unknown``, ``trainings_needed``.

    The baselines must be known.
    """
    unknown = unknown_cells(spec, evidence, tree)
    found = branchings(spec, evidence, tree)
    return {"branchings": [branching.to_json() for branching in found], **unknown.to_json()}


def tree_form(
    spec: StudySpec, evidence: Evidence, tree: BranchTree, tasks: Sequence[Task] | None = None
) -> dict[str, Any]:
    """Return the tree form of a study's tree with its explanation; sizes that include heads are null without ``tasks``.

    The baselines must be known.
    """
    document = tree_document(tree, spec.encoder, spec.ar_threshold, tasks)
    return document | explanation(spec, evidence, tree)


def unknown_cells(spec: StudySpec, evidence: Evidence, tree: BranchTree) -> Unknown:
    """Return the cells that the study's strategy would still ask about if no budget ended it."""
    found = strategy_of(spec).open_cells(spec, evidence)
    return Unknown(found.cells, found.at_least, found.at_most, len(evidence.unfinished(tree)))


def branchings(spec: StudySpec, evidence: Evidence, tree: BranchTree) -> tuple[Branching, ...]:
    """Return every place where tasks of the tree part before the heads, and what forced it."""
    causes = _Causes(spec, evidence, tree)
    return tuple(
        Branching(node.tasks, node.blocks[1], tuple(child.tasks for child in node.children), causes.of(node))
        for node in tree.nodes()
        if not node.is_leaf and node.blocks[1] < tree.depth
    )


class _Causes:
    """Finds what keeps the parts of a tree's nodes apart."""

    def __init__(self, spec: StudySpec, evidence: Evidence, tree: BranchTree) -> None:
        self._spec = spec
        self._evidence = evidence
        self._depths = sorted(spec.depths)
        self._strategy = strategy_of(spec)
        self._synthesized = self._strategy.open_questions(spec, evidence).tree() or tree
        self._refuted = refuted_trees(spec, evidence, tree)
        self._undecided = frozenset(evidence.undecided())
        self._broken = tuple(evidence.broken_trees())

    def of(self, node: Node) -> tuple[Cause, ...]:
        """Return for every part of the node the most telling cause, each once."""
        found: dict[Cause, None] = {}
        for place, child in enumerate(node.children):
            others = [task for at, other in enumerate(node.children) if at != place for task in other.tasks]
            pairs = (self._sorted(pair) for pair in product(child.tasks, others))
            if causes := [cause for pair in pairs for cause in self._of_pair(pair, node)]:
                found[min(causes, key=lambda cause: cause.rank)] = None
        if len({cause.reason for cause in found}) > 1:  # drop reasons that say nothing if another one does
            found = {cause: None for cause in found if cause.reason is not Reason.DEEPEST}
        return tuple(found) or (Cause(Reason.OTHERS, node.tasks, node.blocks[1]),)

    def _sorted(self, pair: Pair) -> Pair:
        first, second = sorted(pair, key=self._spec.task_names.index)
        return first, second

    def _of_pair(self, pair: Pair, node: Node) -> Iterator[Cause]:
        """Yield why two tasks share no more than the node's blocks; nothing if they might."""
        depth = node.blocks[1]
        by_chance = tuple(filter(self._evidence.is_at_chance, pair))
        if by_chance:
            yield Cause(Reason.CHANCE, by_chance, depth)
        elif self._synthesized.shared_depth(*pair) > depth:
            yield self._of_repair(pair, depth)
        else:
            deeper = [tried for tried in self._depths if tried > depth]
            yield from self._of_answers(pair, node, deeper) if deeper else [Cause(Reason.DEEPEST, pair, depth)]

    def _of_repair(self, pair: Pair, depth: int) -> Cause:
        shared_more = [tree for tree in self._refuted if tree.shared_depth(*pair) > depth]
        if not shared_more:
            return Cause(Reason.BUDGET, pair, self._synthesized.shared_depth(*pair))
        last = shared_more[-1]
        (*_, node) = (node for node in last.nodes() if set(pair) <= set(node.tasks))
        return self._measured(Reason.REPAIRED, last, node.tasks, node.blocks[1])

    def _of_answers(self, pair: Pair, node: Node, deeper: Iterable[int]) -> Iterator[Cause]:
        of_pair = [self._evidence.pair(*pair, depth) for depth in deeper]
        known = [tree for tree in of_pair if self._evidence.is_known(tree)]
        if any(map(self._evidence.meets_threshold, known)):
            return
        blamed = self._strategy.blamed_trees(pair, node, known, self._broken)
        if not blamed:
            yield Cause(Reason.NOT_ASKED, pair, min(deeper))
            return
        tree = blamed[0]
        reason = Reason.UNDECIDED if tree in self._undecided else Reason.BROKE
        (*_, last) = (inner for inner in tree.nodes() if set(pair) <= set(inner.tasks))
        yield self._measured(reason, tree, last.tasks, last.blocks[1])

    def _measured(self, reason: Reason, tree: BranchTree, tasks: tuple[str, ...], depth: int) -> Cause:
        is_confident = self._spec.decision is Decision.CONFIDENT
        upper_end = self._evidence.interval(tree)[1] if is_confident else None
        return Cause(reason, tasks, depth, self._evidence.ar(tree), self._evidence.is_bound(tree), upper_end)

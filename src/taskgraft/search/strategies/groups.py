"""Strategy `groups`: whole groups of tasks, then parts of them; see `grouping` for how they are found."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.trees import flat_tree, side_by_side
from taskgraft.search.strategies.affinity_order import by_affinity
from taskgraft.search.strategies.grouping import Grouping
from taskgraft.search.strategies.protocol import Models, OpenCells, Questions
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.matrix import Pair
from taskgraft.space.tree import BranchTree, Node

_EXPECTED_GROUPS = 0.75
"""Groups that a study tries, by task and halving: 0.7 to 0.8 in simulated studies (docs/tree_search.md)."""


def tasks_by_halvings(tasks: int) -> float:
    """Return the number of tasks times how often they are halved down to single ones: trainings grow about like it."""
    return tasks * math.log2(max(2, tasks))


@dataclass(frozen=True, slots=True)
class GroupStrategy:
    """Asks about groups of tasks; the tree is made of those that fit together. Implements `SearchStrategy`."""

    def open_questions(self, spec: StudySpec, evidence: Evidence) -> Questions:
        """Return the groups to be tried next; all of them wait for the baselines."""
        if not evidence.has_baselines(spec.task_names):
            return Questions((), min(1, len(spec.tasks) - 1), 0, lambda: None)
        blocks = spec.encoder.depth
        if not evidence.tasks_above_chance():
            return Questions((), 0, 0, lambda: side_by_side((), spec.task_names, blocks))
        grouping = _grouping(spec, evidence, blocks)
        ready = tuple(dict.fromkeys(part for tree in grouping.questions for part in evidence.unanswered(tree)))

        def tree() -> BranchTree | None:
            return None if grouping.questions else side_by_side([grouping.tree], spec.task_names, blocks)

        return Questions(ready, len(ready), 0, tree)

    def open_cells(self, spec: StudySpec, evidence: Evidence) -> OpenCells:
        """Return the pairs of the groups that are asked about next; what follows depends on the answers."""
        asked = {training.tree for training in self.open_questions(spec, evidence).ready}
        cells: dict[Pair, set[int]] = {}
        for tree in asked:
            for pair in combinations(tree.tasks, 2):
                cells.setdefault(pair, set()).add(tree.root.blocks[1])
        bound = _most_groups(len(evidence.tasks_above_chance())) * len(spec.depths)
        answered = sum(1 for _ in evidence.broken_trees()) + len(evidence.kept_trees())
        found = {pair: tuple(sorted(cells[pair])) for pair in combinations(spec.task_names, 2) if pair in cells}
        return OpenCells(found, len(asked), max(len(asked), bound - answered) if asked else 0)

    def questions_left(self, spec: StudySpec, evidence: Evidence) -> None:
        """Return None: what is asked next depends on too much to follow it."""
        return

    def expected_questions(self, spec: StudySpec) -> int:
        """Return about as many groups as simulated studies of so many tasks took."""
        return spec.least_repeats * math.ceil(_EXPECTED_GROUPS * tasks_by_halvings(len(spec.tasks)))

    def likely_questions(self, spec: StudySpec, most: int, baselines: int) -> int:
        """Return about twice as many groups as it takes to halve the tasks down to single ones, and one per depth."""
        groups = math.ceil(2 * tasks_by_halvings(len(spec.tasks))) + len(spec.depths)
        return min(most, spec.least_repeats * groups)

    def fewest_models(self, spec: StudySpec) -> Models:
        """Return the group of all tasks, which may fit at once."""
        return [spec.tasks] if len(spec.tasks) > 1 else []

    def fewest_without_sharing(self, spec: StudySpec) -> int:
        """Return one question for each pair."""
        return len(spec.tasks) * (len(spec.tasks) - 1) // 2

    def most_models(self, spec: StudySpec) -> Models:
        """Return every pair, and the n - 1 groups of n tasks that are larger than a pair, at each depth."""
        pairs: Models = list(combinations(spec.tasks, 2))
        return (pairs + [spec.tasks] * (len(spec.tasks) - 1)) * len(spec.depths)

    def wants_affinities(self, training: Training, spec: StudySpec, evidence: Evidence) -> bool:
        """Return whether this is the first training of the whole group; its tasks are halved by what it shows."""
        return tells_affinities(training, spec, evidence)

    def blamed_trees(
        self, pair: Pair, node: Node, of_pair: Sequence[BranchTree], broken: Sequence[BranchTree]
    ) -> Sequence[BranchTree]:
        """Return groups of the node's tasks that hold both tasks and broke the threshold, the smallest first."""
        held = [
            tree
            for tree in broken
            if set(pair) <= set(tree.tasks) <= set(node.tasks) and tree.root.blocks[1] > node.blocks[1]
        ]
        return sorted(held, key=lambda tree: (len(tree.tasks), tree.root.blocks[1]))


def _most_groups(tasks: int) -> int:
    """Return how many groups are asked about at one depth at most: all pairs, and n - 1 groups that are larger."""
    return tasks * (tasks - 1) // 2 + tasks - 1


def _grouping(spec: StudySpec, evidence: Evidence, blocks: int) -> Grouping:
    def meets_threshold(tree: BranchTree) -> bool | None:
        return evidence.meets_threshold(tree) if evidence.is_known(tree) else None

    free = evidence.tasks_above_chance()
    order = by_affinity(free, affinities(spec, evidence))
    return Grouping(free, spec.depths, blocks, meets_threshold, order)


def whole_group(spec: StudySpec, evidence: Evidence) -> BranchTree | None:
    """Return the tree of all tasks above chance at the deepest depth; None if they are fewer than three.

    The baselines must be known.
    """
    tasks = evidence.tasks_above_chance()
    return flat_tree(tasks, max(spec.depths), spec.encoder.depth) if len(tasks) > 2 else None


def affinities(spec: StudySpec, evidence: Evidence) -> Mapping[Pair, float]:
    """Return how much pairs of tasks agreed when the whole group was first trained; empty if it has not been.

    A later training of the same model changes nothing: what was asked in an order keeps it.
    """
    known = evidence.facts.known
    return next((known[one].affinities for one in _first_of_all(spec, evidence) if one in known), {})


def tells_affinities(training: Training, spec: StudySpec, evidence: Evidence) -> bool:
    """Return whether a training is the first one of the whole group, of which `affinities` are not known yet.

    Its repeats are not, even if one of them begins before it has ended.
    """
    return training in _first_of_all(spec, evidence) and not affinities(spec, evidence)


def _first_of_all(spec: StudySpec, evidence: Evidence) -> Sequence[Training]:
    """Return the two forms that the first training of the whole group has, if there is such a group."""
    whole = whole_group(spec, evidence)
    return (evidence.training(whole, is_probe=True), evidence.training(whole)) if whole else ()


GROUPS = GroupStrategy()

"""Strategy `trees`: whole candidate trees; see `tree_search` for how the next one is found."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.trees import side_by_side
from taskgraft.search.strategies.groups import affinities, tasks_by_halvings, tells_affinities
from taskgraft.search.strategies.protocol import Models, OpenCells, Questions
from taskgraft.search.strategies.tree_search import Aim, Answer, State, most_trainings
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.matrix import Pair
from taskgraft.space.tree import BranchTree, Node

_EXPECTED_TREES = 0.4
"""Trees that a study takes after the first, by task and halving, in simulated studies (docs/tree_search.md)."""


@dataclass(frozen=True, slots=True)
class TreeStrategy:
    """Asks about trees of all tasks, or of parts; the parts that were accepted are delivered. A `SearchStrategy`."""

    def open_questions(self, spec: StudySpec, evidence: Evidence) -> Questions:
        """Return the tree to be trained next; it waits for the baselines."""
        if not evidence.has_baselines(spec.task_names):
            return Questions((), min(1, len(spec.tasks) - 1), 0, lambda: None)
        state, blocks = _state(spec, evidence), spec.encoder.depth
        asked = state.question if state else None
        if asked is not None:
            ready = evidence.unanswered(BranchTree(asked, blocks))
            return Questions(ready, len(ready), 0, lambda: None)
        parts = [BranchTree(part, blocks) for part in state.kept] if state else []
        return Questions((), 0, 0, lambda: side_by_side(parts, spec.task_names, blocks))

    def open_cells(self, spec: StudySpec, evidence: Evidence) -> OpenCells:
        """Return what the pairs of the next tree share in it; what follows depends on the answer."""
        asked = tuple(dict.fromkeys(training.tree for training in self.open_questions(spec, evidence).ready))
        cells = {pair: (tree.shared_depth(*pair),) for tree in asked for pair in combinations(tree.tasks, 2)}
        at_most = spec.most_repeats * most_trainings(len(spec.tasks)) if asked else 0
        return OpenCells(cells, len(asked), at_most)

    def questions_left(self, spec: StudySpec, evidence: Evidence) -> None:
        """Return None: what is asked next depends on too much to follow it."""
        return

    def expected_questions(self, spec: StudySpec) -> int:
        """Return about as many trees as simulated studies of so many tasks took."""
        return spec.least_repeats * (1 + math.ceil(_EXPECTED_TREES * tasks_by_halvings(len(spec.tasks))))

    def likely_questions(self, spec: StudySpec, most: int, baselines: int) -> int:
        """Return more than twice as many as is expected."""
        return min(most, spec.least_repeats * (math.ceil(tasks_by_halvings(len(spec.tasks))) + len(spec.depths)))

    def fewest_models(self, spec: StudySpec) -> Models:
        """Return the tree of all tasks, which may be accepted at once."""
        return [spec.tasks] if len(spec.tasks) > 1 else []

    def fewest_without_sharing(self, spec: StudySpec) -> int:
        """Return one: all tasks together may lose so much that nothing else is worth a training."""
        return len(self.fewest_models(spec))

    def most_models(self, spec: StudySpec) -> Models:
        """Return as many trees of all tasks as the search trains at most."""
        return self.fewest_models(spec) * most_trainings(len(spec.tasks))

    def wants_affinities(self, training: Training, spec: StudySpec, evidence: Evidence) -> bool:
        """Return whether this is the first training of all tasks; what it shows tilts the belief who disturbs whom."""
        return tells_affinities(training, spec, evidence)

    def blamed_trees(
        self, pair: Pair, node: Node, of_pair: Sequence[BranchTree], broken: Sequence[BranchTree]
    ) -> Sequence[BranchTree]:
        """Return trees in which the pair shares more than the node's blocks, and which broke the threshold.

        Those with the fewest tasks come first, then those in which the pair shares least.
        """
        held = [tree for tree in broken if set(pair) <= set(tree.tasks) and tree.shared_depth(*pair) > node.blocks[1]]
        return sorted(held, key=lambda tree: (len(tree.tasks), tree.shared_depth(*pair)))


def _state(spec: StudySpec, evidence: Evidence) -> State | None:
    """Return where the search stands, given all answers so far; None if there are no two tasks that may share."""
    tasks = evidence.tasks_above_chance()
    if len(tasks) < 2:
        return None
    depths, blocks = tuple(sorted(spec.depths)), spec.encoder.depth
    state = Aim(tasks, depths, spec.encoder, spec.ar_threshold).start()
    told = tuple(affinities(spec, evidence).items())
    while (asked := state.question) is not None and evidence.is_known(tree := BranchTree(asked, blocks)):
        state = state.after(_answer(evidence, tree, told))
    return state


def _answer(evidence: Evidence, tree: BranchTree, told: tuple[tuple[Pair, float], ...]) -> Answer:
    """Return what a known tree says: the tasks that lose too much, or the worst if no task does by itself."""
    reductions = evidence.reductions(tree)
    lost = tuple(reductions[task] for task in tree.tasks)
    if evidence.meets_threshold(tree):
        return Answer(lost, frozenset(), told)
    losers = {task for task in tree.tasks if reductions[task] > evidence.spec.ar_threshold}
    return Answer(lost, frozenset(losers or {max(tree.tasks, key=reductions.__getitem__)}), told)


TREES = TreeStrategy()

"""Strategies that ask about pairs of tasks: what they share, whatever the depths that they ask about."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.reduction_matrix import synthesized_tree
from taskgraft.search.strategies.depth_rules import NOTHING, Answers, DepthRule
from taskgraft.search.strategies.open_pairs import OpenPairs, known_answers
from taskgraft.search.strategies.protocol import Models, OpenCells, Questions, QuestionsLeft
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.matrix import Pair
from taskgraft.space.tree import BranchTree, Node

_EVEN = 0.5
"""Chance that a depth keeps the threshold, before anything is known."""


@dataclass(frozen=True, slots=True)
class PairStrategy:
    """Asks about cells of the reduction matrix; the tree is synthesized from it. Implements `SearchStrategy`.

    ``rule`` says at which depths a pair is asked about.
    """

    rule: DepthRule

    def open_questions(self, spec: StudySpec, evidence: Evidence) -> Questions:
        """Return the questions of all pairs.

        Pairs that may still need most questions go first: a pair's questions follow one another, so a late one would be
        trained alone while all other cores wait. Of two equal ones, the one with fewer repeats goes first: so every
        pair has been asked about when a budget ends.
        """
        waiting = [cell for pair in combinations(spec.task_names, 2) for cell in self._ready(spec, evidence, pair)]
        waiting.sort(key=lambda cell: (-cell[0], len(evidence.trainings(cell[1]))))
        cells = [tree for _, tree in waiting]
        ready = [part for tree in cells if evidence.has_baselines(tree.tasks) for part in evidence.unanswered(tree)]
        return Questions(
            tuple(dict.fromkeys(ready)),
            sum(len(evidence.unanswered(tree)) for tree in cells),
            spec.least_repeats if len(spec.tasks) > 2 else 0,  # the tree of two tasks is a pair that was tried
            lambda: synthesized_tree(evidence),
        )

    def _ready(self, spec: StudySpec, evidence: Evidence, pair: Pair) -> list[tuple[int, BranchTree]]:
        """Return cells of a pair that may be trained now, each with the questions that may still come."""
        if any(map(evidence.is_at_chance, pair)):
            return []
        found = self.rule.ready(tuple(sorted(spec.depths)), known_answers(spec, evidence, pair))
        return [(questions, evidence.pair(*pair, depth)) for questions, depth in found]

    def open_cells(self, spec: StudySpec, evidence: Evidence) -> OpenCells:
        """Return the depths of every pair that its answers leave open."""
        depths, least, most = tuple(sorted(spec.depths)), 0, 0
        cells: dict[Pair, tuple[int, ...]] = {}
        for pair in combinations(evidence.tasks_above_chance(), 2):
            known: Answers = known_answers(spec, evidence, pair)
            if found := self.rule.open_depths(depths, known):
                cells[pair] = tuple(sorted(found))
                # Only these are sure to be trained: what is asked after them may be taken over from another study.
                least += len(self.rule.ready(depths, known)) * spec.least_repeats
                most += self.rule.most_questions(depths, known) * spec.most_repeats
        return OpenCells(cells, least, most)

    def questions_left(self, spec: StudySpec, evidence: Evidence) -> QuestionsLeft:
        """Return how many questions are left, if pairs to come are like those that were asked."""
        pairs = OpenPairs.of(spec, evidence, self.rule)
        return QuestionsLeft(pairs.most, pairs.likely(), pairs.longest, pairs.most_saved())

    def expected_questions(self, spec: StudySpec) -> int:
        """Return what pairs and a tree take if each depth is as likely to keep the threshold as to break it."""
        pairs = len(spec.tasks) * (len(spec.tasks) - 1) // 2
        asked = math.ceil(pairs * self.rule.expected_questions(tuple(sorted(spec.depths)), NOTHING, _EVEN))
        return spec.least_repeats * (asked + (len(spec.tasks) > 2))  # the tree of two tasks is a pair that was tried

    def likely_questions(self, spec: StudySpec, most: int, baselines: int) -> int:
        """Return all trainings but the baselines."""
        return most - baselines

    def fewest_models(self, spec: StudySpec) -> Models:
        """Return one depth of each pair and their tree; nothing can be shared if every depth is asked about anyhow."""
        pairs: Models = list(combinations(spec.tasks, 2))
        fewest = self.rule.fewest_questions(tuple(sorted(spec.depths)))
        tree = [spec.tasks] if fewest < len(spec.depths) and len(spec.tasks) > 2 else []
        return pairs * fewest + tree

    def fewest_without_sharing(self, spec: StudySpec) -> int:
        """Return the questions about pairs that all share nothing."""
        pairs = len(spec.tasks) * (len(spec.tasks) - 1) // 2
        return pairs * self.rule.fewest_without_sharing(tuple(sorted(spec.depths)))

    def most_models(self, spec: StudySpec) -> Models:
        """Return every pair with all the questions that the rule may ask."""
        pairs: Models = list(combinations(spec.tasks, 2))
        return pairs * self.rule.most_questions(tuple(sorted(spec.depths)))

    def wants_affinities(self, training: Training, spec: StudySpec, evidence: Evidence) -> bool:
        """Return False: a pair has no tasks to put in order."""
        return False

    def blamed_trees(
        self, pair: Pair, node: Node, of_pair: Sequence[BranchTree], broken: Sequence[BranchTree]
    ) -> Sequence[BranchTree]:
        """Return the trees of the pair itself, the one that shares least first."""
        return of_pair

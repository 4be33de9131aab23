"""Pairs whose compatibility is open: what is known of them, and how many questions are likely to follow."""

import math
from collections import Counter
from dataclasses import dataclass
from itertools import combinations

import networkx as nx
from scipy.special import betaincinv

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.strategies.depth_rules import Answers, DepthRule, Depths
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.matrix import Pair

_CREDIBLE = 0.85
"""How sure an end of the likely range of questions is, each end by itself."""


def known_answers(spec: StudySpec, evidence: Evidence, pair: Pair) -> Answers:
    """Return at which depths it is known whether a pair meets the threshold, and whether it does."""
    cells = {depth: evidence.pair(*pair, depth) for depth in spec.depths}
    return frozenset(
        (depth, evidence.meets_threshold(tree)) for depth, tree in cells.items() if evidence.is_known(tree)
    )


@dataclass(frozen=True, slots=True)
class OpenPairs:
    """The pairs that a strategy asks about by its ``rule``, and what is known of each of them."""

    rule: DepthRule
    depths: Depths
    names: tuple[Pair, ...]
    known: tuple[Answers, ...]

    @classmethod
    def of(cls, spec: StudySpec, evidence: Evidence, rule: DepthRule) -> "OpenPairs":
        """Return the pairs of a study whose tasks are not at chance, as far as that is known."""
        names = [pair for pair in combinations(spec.task_names, 2) if not any(map(evidence.is_at_chance, pair))]
        known = tuple(known_answers(spec, evidence, pair) for pair in names)
        return cls(rule, tuple(sorted(spec.depths)), tuple(names), known)

    def _left(self, known: Answers) -> int:
        return self.rule.most_questions(self.depths, known)

    @property
    def most(self) -> int:
        """How many questions may still come at most."""
        return sum(map(self._left, self.known))

    @property
    def longest(self) -> int:
        """How many questions about one pair follow one another at most."""
        turns = (self.rule.in_turn(self._left(known)) for known in self.known)
        return max(turns, default=self.rule.in_turn(0))

    def likely(self) -> tuple[float, float]:
        """Return the range of questions to come, if pairs to come are like those that were asked."""
        answers = [met for known in self.known for _, met in known]
        good, bad = 1 + sum(answers), 1 + len(answers) - sum(answers)
        low, high = (
            sum(
                pairs * self.rule.expected_questions(self.depths, known, float(chance))
                for known, pairs in Counter(self.known).items()
            )
            for chance in betaincinv(good, bad, (_CREDIBLE, 1 - _CREDIBLE))
        )
        return min(low, high), min(self.most, max(low, high) + math.sqrt(max(low, high)))

    def most_saved(self) -> int:
        """Return how many blocks a tree may save at most: those of the maximum spanning tree of what pairs may share.

        Each repair takes away one of them at least.
        """
        deepest: nx.Graph[str] = nx.Graph()
        for pair, known in zip(self.names, self.known, strict=True):
            answers, is_open = dict(known), self._left(known) > 0
            possible = (depth for depth in self.depths if answers.get(depth, is_open))
            deepest.add_edge(*pair, weight=max(possible, default=0))
        return int(sum(edge[2]["weight"] for edge in nx.maximum_spanning_edges(deepest)))

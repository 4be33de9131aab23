"""Search over candidate trees: every training is a tree, and the tasks that lose say which branch to move.

All tasks are trained together at the deepest depth. Tasks that lose leave, or the tasks are divided as the belief who
disturbs whom says (`taskgraft.search.statistics.disturbance`); each tree is trained, until every part of the forest
keeps the threshold. Then parts are joined, or rebuilt, as long as that is likely enough to keep it and saves enough. An
accepted part stays as it was trained. Pure functions; the method, with its figures: docs/tree_search.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from taskgraft.search.statistics.disturbance import NOISE, Disturbance, Seen, prior_variances
from taskgraft.search.strategies.tree_effort import Effort
from taskgraft.search.strategies.tree_moves import Moves
from taskgraft.space.matrix import Pair
from taskgraft.space.template import Template
from taskgraft.space.tree import Node

Floats = NDArray[np.float64]
Forest = tuple[Node, ...]
"""Nodes that start at block 0 and share nothing with each other."""

_CHANCES = (0.97, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)
"""How likely a pair has to be harmless to be linked; each gives one candidate."""
_BOLDNESS = 0.1
"""Power of the chance that a candidate keeps the threshold: low, because one that breaks it tells something, too."""
_LEAST_CHANCE = 0.01
"""Of a join that is tried at all."""
_LEAST_GAIN = 0.0003
"""Share of the independent models that a join has to save in expectation."""
_TRIES = 0.5
"""How many joins may break the threshold, by task."""
_CLEARLY = NOISE
"""By how much a task has to lose more than the threshold so that it is not asked to share as much again."""
_MOST_JOINS = 200
"""Joins whose chance is computed; those that promise most, pair by pair."""


def most_trainings(tasks: int) -> int:
    """Return how many trees a search trains at most; simulated ones of 20 tasks take about 20."""
    return 5 * tasks + 10


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tree said: what each of its tasks lost, and which of them lose too much; it is accepted if none does."""

    lost: tuple[float, ...]
    losers: frozenset[str]
    affinities: tuple[tuple[Pair, float], ...] = ()
    """How much pairs of tasks agreed; told by the first tree alone."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What is searched: trees of these tasks at these depths, cut from a template, that keep a threshold."""

    tasks: tuple[str, ...]
    depths: tuple[int, ...]
    template: Template
    threshold: float

    def start(self) -> "State":
        """Return the state before anything was trained; it is kept, since every decision starts from it."""
        return _first_state(self)


@dataclass(frozen=True, eq=False)
class _Known:
    """What is known after some trees: beliefs are made when they are asked for, once."""

    aim: Aim
    moves: Moves
    effort: Effort
    seen: tuple[Seen, ...] = ()
    lost: tuple[tuple[int, Floats], ...] = ()
    """For each task that clearly lost, what it shared."""
    broken: frozenset[Node] = frozenset()
    affinities: tuple[tuple[Pair, float], ...] = ()

    @cached_property
    def belief(self) -> Disturbance:
        place = self.moves.place
        told = {(place[first], place[second]): value for (first, second), value in self.affinities}
        return Disturbance(prior_variances(len(place), told), self.seen, self.aim.threshold)

    @cached_property
    def harmless(self) -> Floats:
        depths = self.aim.depths
        return self.belief.harmless([(rank + 1) / len(depths) for rank in range(len(depths))])

    def after(self, node: Node, answer: Answer) -> "_Known":
        """Return what is known when a tree has answered, too."""
        shared = self.moves.shared(node)
        places = [self.moves.place[task] for task in node.tasks]
        clear = self.aim.threshold + _CLEARLY
        lost = tuple((place, shared[place]) for place, loss in zip(places, answer.lost, strict=True) if loss > clear)
        return replace(
            self,
            seen=(*self.seen, Seen(shared, places, answer.lost)),
            lost=(*self.lost, *lost),
            broken=self.broken | {node} if answer.losers else self.broken,
            affinities=self.affinities or answer.affinities,
        )

    def refuted(self, nodes: Sequence[Node], shared: Floats) -> NDArray[np.bool_]:
        """Return [m] which trees broke the threshold, or let a task share no less, with anyone, than where it lost.

        ``shared`` [m, n, n] is what they share. Only clear losses count: others may be noise.
        """
        found = np.array([node in self.broken for node in nodes])
        for task, before in self.lost:
            found |= (shared[:, task] >= before - 1e-9).all(axis=1)
        return found


@dataclass(frozen=True, slots=True)
class _Join:
    """A forest's parts at these places become one node, which saves so many parameters."""

    places: frozenset[int]
    node: Node
    saved: int


@dataclass(frozen=True, eq=False)
class State:
    """Where a search stands: the parts that were accepted, those to be tried, and what is known."""

    known: _Known
    kept: Forest = ()
    waiting: Forest = ()
    tries: int = 0
    """How many joins may still break the threshold."""
    left: int = 0
    """How many trees may still be trained."""
    _following: dict[Answer, "State"] = field(default_factory=dict)

    @cached_property
    def _join(self) -> _Join | None:
        """The join to be tried next; None if parts wait, or nothing is worth a training."""
        return None if self.waiting or not self.left or self.tries <= 0 else _best_join(self.known, self.kept)

    @property
    def question(self) -> Node | None:
        """The node to be trained next; None if the search is over."""
        if self.waiting:
            return self.waiting[0]
        return self._join.node if self._join else None

    def after(self, answer: Answer) -> "State":
        """Return the state when the question was answered."""
        if answer not in self._following:
            self._following[answer] = self._after(answer)
        return self._following[answer]

    def _after(self, answer: Answer) -> "State":
        asked = self.question
        assert asked is not None, "a search that is over has no question"
        after = replace(self, known=self.known.after(asked, answer), left=self.left - 1, _following={})
        if self.waiting:
            after = replace(after, waiting=self.waiting[1:])
            parts = _divided(after.known, asked, answer.losers) if answer.losers else ()
            return after._with(parts) if parts else replace(after, kept=(*self.kept, asked))._with(())
        if answer.losers or self._join is None:
            return replace(after, tries=self.tries - 1)
        kept = [node for place, node in enumerate(self.kept) if place not in self._join.places]
        return replace(after, kept=(*kept, asked))

    def _with(self, parts: Forest) -> "State":
        """Return the state in which parts wait to be tried, before all others.

        A task alone is its own baseline and keeps every threshold. All tasks are alone when no tree may be trained.
        """
        waiting = (*parts, *self.waiting)
        if not self.left:
            leaf = self.known.moves.leaf
            waiting = tuple(leaf(task) for node in waiting for task in node.tasks)
        alone = tuple(node for node in waiting if node.is_leaf)
        return replace(self, kept=(*self.kept, *alone), waiting=tuple(node for node in waiting if not node.is_leaf))


@lru_cache(maxsize=32)
def _first_state(aim: Aim) -> State:
    moves = Moves({task: place for place, task in enumerate(aim.tasks)}, aim.depths, aim.template.depth)
    known = _Known(aim, moves, Effort(aim.template))
    joint = moves.flat(aim.tasks, 0, aim.depths[-1])
    return State(known, (), (joint,), int(_TRIES * len(aim.tasks)), most_trainings(len(aim.tasks)))


def _divided(known: _Known, node: Node, losers: frozenset[str]) -> Forest:
    """Return what is tried instead of a node that broke the threshold, the part that saves most first.

    Candidates are the node without the tasks that lost, and what linkage makes of the belief; the best promises most
    for its cost. With a single depth, tasks that lose leave whatever the belief says. All are left apart if no
    candidate is worth a training.
    """
    moves = known.moves
    candidates = [moves.peeled(node, losers)]
    if len(known.aim.depths) > 1 or not _promise(known, candidates[0]):
        candidates += [moves.linked(node.tasks, known.harmless, chance) for chance in _CHANCES]
    apart = [moves.leaf(task) for task in node.tasks]
    best = max(candidates, key=lambda forest: _promise(known, forest))
    chosen = best if _promise(known, best) > 0 else apart
    return tuple(sorted(chosen, key=lambda part: -known.effort.saved(part)))


def _promise(known: _Known, forest: Sequence[Node]) -> float:
    """Return what a forest saves in expectation, by the root of what its trainings cost; 0 if it was refuted."""
    parts = [node for node in forest if not node.is_leaf]
    if not parts:
        return 0.0
    shared = np.stack([known.moves.shared(part) for part in parts])
    if known.refuted(parts, shared).any():
        return 0.0
    chances = known.belief.keeps(shared) ** _BOLDNESS
    saved = sum(known.effort.saved(part) * chance for part, chance in zip(parts, chances, strict=True))
    return float(saved / np.sqrt(sum(map(known.effort.units, parts))))


def _best_join(known: _Known, kept: Forest) -> _Join | None:
    """Return the join of kept parts that promises most; None if none is worth a training."""
    joins = list(_joins(known, kept))
    if not joins:
        return None
    shared = np.stack([known.moves.shared(join.node) for join in joins])
    chances = np.where(known.refuted([join.node for join in joins], shared), 0.0, known.belief.keeps(shared))
    saved = np.array([join.saved for join in joins]) * chances
    worth = (chances >= _LEAST_CHANCE) & (saved >= _LEAST_GAIN * _independent(known))
    if not worth.any():
        return None
    promises = saved / np.sqrt([known.effort.units(join.node) for join in joins])
    return joins[int(np.argmax(np.where(worth, promises, -1.0)))]


def _independent(known: _Known) -> int:
    return sum(known.effort.parameters(known.moves.leaf(task)) for task in known.aim.tasks)


def _joins(known: _Known, kept: Forest) -> Iterator[_Join]:
    """Yield joins of two parts, joins of two nodes within a part, and parts that linkage builds anew."""
    found: list[tuple[float, int | None, tuple[Node, Node, int]]] = []
    found += [(_pair_promise(known, 0, *pair), None, pair) for pair in known.moves.joins_of(kept, 0)]
    for place, part in enumerate(kept):
        found += [(_pair_promise(known, start, *pair), place, pair) for start, pair in known.moves.joins(part)]
    found.sort(key=lambda join: -join[0])
    for _, at, (first, second, depth) in found[:_MOST_JOINS]:
        if at is None:
            node = known.moves.joined(first, second, depth)
            assert node is not None, "joins_of yields depths at which both go on"
            yield _join(known, kept, node)
        else:
            yield _join(known, kept, known.moves.with_join(kept[at], first, second, depth))
    yield from _rebuilt(known, kept)


def _pair_promise(known: _Known, start: int, first: Node, second: Node, depth: int) -> float:
    """Return about what joining two nodes saves in expectation, by the pairs of tasks that share more then."""
    places = ([known.moves.place[task] for task in node.tasks] for node in (first, second))
    chance = known.harmless[(*np.ix_(*places), known.aim.depths.index(depth))].prod()
    return float(known.effort.between(start, depth) * chance)


def _rebuilt(known: _Known, kept: Forest) -> Iterator[_Join]:
    """Yield the parts that linkage builds of the belief, if they hold the tasks of whole kept parts and save more."""
    seen: set[Node] = set()
    for chance in _CHANCES:
        for node in known.moves.linked(known.aim.tasks, known.harmless, chance):
            held = set(node.tasks)
            parts = [part for part in kept if held & set(part.tasks)]
            if not node.is_leaf and node not in seen and sum(len(part.tasks) for part in parts) == len(held):
                seen.add(node)
                if (join := _join(known, kept, node)).saved > 0:
                    yield join


def _join(known: _Known, kept: Forest, node: Node) -> _Join:
    held, effort = set(node.tasks), known.effort
    places = frozenset(place for place, part in enumerate(kept) if held & set(part.tasks))
    return _Join(places, node, sum(effort.parameters(kept[place]) for place in places) - effort.parameters(node))

"""How synthesis grows with the number of tasks, and where going through all trees stops being possible."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from benchmarks.synthesis import DISTRIBUTIONS, TEMPLATE, number_of_trees
from taskgraft.space.instance import Instance
from taskgraft.space.oracle import all_trees
from taskgraft.space.recursive import Planner

_SMALLEST = 4
_LARGEST = 4096
_LOOK_EVERY = 1_000


def planted_weights(tasks: int, seed: int = 0) -> NDArray[np.int64]:
    """Draw groups of about eight tasks that fit at 6..8; 5 % of the other pairs fit at 1..5 by chance."""
    rng = np.random.default_rng(seed)
    group = np.arange(tasks) % max(2, tasks // 8)
    chance = np.where(rng.random((tasks, tasks)) < 0.05, rng.integers(1, 6, (tasks, tasks)), 0)
    return _symmetric(np.where(group[:, None] == group, rng.integers(6, 9, (tasks, tasks)), chance))


def random_weights(tasks: int, seed: int = 0) -> NDArray[np.int64]:
    """Draw every pair's weight on its own, uniformly from 0 to 8."""
    probabilities = DISTRIBUTIONS["uniform: 0..8 alike"]
    rng = np.random.default_rng(seed)
    return _symmetric(rng.choice(len(probabilities), size=(tasks, tasks), p=probabilities))


def _symmetric(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    upper = np.triu(weights, 1)
    both: NDArray[np.int64] = upper + upper.T
    return both


KINDS: Mapping[str, Callable[[int], NDArray[np.int64]]] = MappingProxyType(
    {"planted": planted_weights, "random": random_weights}
)


@dataclass(frozen=True, slots=True)
class Growth:
    """CPU seconds of recursive synthesis for each number of tasks, ascending."""

    seconds: Mapping[int, float]

    @property
    def times_the_half(self) -> dict[int, float]:
        """Return what twice the tasks take, by the larger number."""
        return {tasks: self.seconds[tasks] / self.seconds[tasks // 2] for tasks in self.seconds if tasks > _SMALLEST}


def synthesis_growth(kind: str, limit: float = 60.0, largest: int = _LARGEST) -> Growth:
    """Time synthesis from 4 tasks on, doubled; fastest of three (of one, if one takes over a second).

    It starts from the array of weights: reading a graph or a matrix is not in it. A size is left out, and all beyond
    it, where eight times the last one's seconds are more than ``limit``.
    """
    seconds: dict[int, float] = {}
    tasks = _SMALLEST
    while tasks <= largest and 8 * seconds.get(tasks // 2, 0.0) <= limit:
        weights = KINDS[kind](tasks)
        seconds[tasks] = first = synthesis_seconds(weights)
        if first < 1:
            seconds[tasks] = min(first, synthesis_seconds(weights), synthesis_seconds(weights))
        tasks *= 2
    return Growth(seconds)


def synthesis_seconds(weights: NDArray[np.int64]) -> float:
    """Return CPU seconds from weights to tree."""
    nothing = np.zeros(weights.shape)
    instance = Instance(tuple(map(str, range(len(weights)))), weights, TEMPLATE, lambda depth: nothing)
    started = time.process_time()
    planner = Planner(instance)
    planner.tree(planner.plan(instance.everything))
    return time.process_time() - started


@dataclass(frozen=True, slots=True)
class Enumeration:
    """Going through all trees over so many tasks: how many there are, and the CPU seconds, None beyond the limit."""

    tasks: int
    trees: int
    seconds: float | None


def enumeration(limit: float = 20.0) -> Iterator[Enumeration]:
    """Making every tree, without looking at any, for 2 tasks and more; ends with the first set that takes longer."""
    for tasks in count(2):
        seconds = _seconds_of_all_trees(tasks, limit)
        yield Enumeration(tasks, number_of_trees(tasks, TEMPLATE.depth), seconds)
        if seconds is None:
            return


def _seconds_of_all_trees(tasks: int, limit: float) -> float | None:
    started = time.process_time()
    for number, _ in enumerate(all_trees(tuple(map(str, range(tasks))), TEMPLATE.depth)):
        if number % _LOOK_EVERY == 0 and time.process_time() - started > limit:
            return None
    return time.process_time() - started

"""Strategies on published tables of pairs by depth: how many trainings find how many shared blocks.

`python -m benchmarks.replay TABLE.csv` comes here if the file has the columns `table`, `task_a`, `task_b`, `depth`,
`reduction_a` and `reduction_b`: one row for each depth at which a pair was trained. Each pair is a study of its own,
driven by `decide`; what it asks for is looked up. Depths are blocks of the table's networks, taken as those of ours.

Counted are trainings of the pair, each depth once; baselines are not. *Depth* is how many blocks the delivered tree
shares, *deepest found* whether no greater depth keeps the threshold. Figures are means over pairs and thresholds.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.published import SLACK, TEMPLATE, THRESHOLDS, measured, number, read_rows, study
from benchmarks.worlds import settle
from taskgraft.errors import InvalidInput
from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.study.trial import Training

COLUMNS = ("table", "task_a", "task_b", "depth", "reduction_a", "reduction_b")


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair of tasks: what each of them loses, by the number of blocks that they share (positive = it loses)."""

    tasks: tuple[str, str]
    reductions: Mapping[int, tuple[float, float]]

    def deepest(self, threshold: float) -> int:
        """Return the greatest depth that keeps the threshold; 0 if none does."""
        return max((depth for depth, lost in self.reductions.items() if max(lost) <= threshold), default=0)

    def measure(self, training: Training) -> Measurement:
        """Return what the table says of a training of the pair, or of one of its tasks alone."""
        if len(training.tasks) == 1:
            return measured({training.tasks[0]: 1.0})
        lost = dict(zip(self.tasks, self.reductions[training.tree.shared_depth(*self.tasks)], strict=True))
        return measured({task: 1.0 - lost[task] + SLACK for task in training.tasks})


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a strategy with one pair and threshold."""

    trainings: int
    depth: int
    deepest_found: bool


def read_pairs(path: Path) -> list[Pair]:
    """Read all pairs of all tables of a file.

    Raises:
        InvalidInput: a row has another form, or a pair has one depth twice; the line is named.
    """
    found: dict[tuple[str, str, str], dict[int, tuple[float, float]]] = {}
    for where, row in read_rows(path, COLUMNS):
        table, first, second = (row[column] for column in COLUMNS[:3])
        if not (table and first and second) or first == second:
            raise InvalidInput.at(where, f"names a table and two tasks; got {table!r}, {first!r}, {second!r}")
        depth = row["depth"]
        if not depth.isdecimal() or not 1 <= int(depth) <= TEMPLATE.depth:
            raise InvalidInput.at(where, f"depth is a whole number from 1 to {TEMPLATE.depth}; got {depth!r}")
        reductions = found.setdefault((table, first, second), {})
        if int(depth) in reductions:
            raise InvalidInput.at(where, f"a depth of a pair stands in one row; {depth} has another one")
        reductions[int(depth)] = number(row, "reduction_a", where), number(row, "reduction_b", where)
    return [Pair((first, second), reductions) for (_, first, second), reductions in found.items()]


def replay(pair: Pair, strategy: str, threshold: float) -> Found:
    """Drive a strategy through a pair."""
    trainings, tree = settle(study(strategy, threshold, pair.tasks, sorted(pair.reductions)), pair.measure)
    trained = {training.tree for training in trainings if len(training.tasks) > 1}
    depth = tree.shared_depth(*pair.tasks)
    assert depth == 0 or max(pair.reductions[depth]) <= threshold, "a delivered tree keeps the threshold"
    return Found(len(trained), depth, depth == pair.deepest(threshold))


def compare(pairs: Sequence[Pair], strategies: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the figures of every strategy, means over pairs and thresholds."""
    return {
        str(strategy): _means([replay(pair, strategy, threshold) for pair in pairs for threshold in THRESHOLDS])
        for strategy in strategies
    }


def _means(found: Sequence[Found]) -> dict[str, float]:
    return {
        "trainings": round(statistics.fmean(one.trainings for one in found), 4),
        "depth": round(statistics.fmean(one.depth for one in found), 4),
        "deepest_found": round(statistics.fmean(one.deepest_found for one in found), 4),
    }

"""Strategies on published tables of trainings: how many trainings they take, and what they find.

`python -m benchmarks.replay TABLE.csv [--json]` reads one of two forms. Pairs by depth: `benchmarks.replay_pairs`.
Groups: a table with the columns `table`, `group`, `task`,
`reduction_validation` and `reduction_test`: one row for each task of each group that was trained, tasks joined by `+`.
Every group stands for one network, so that a tree is a partition of the tasks. The strategies of the product are
driven by `decide`; each training that they ask for is looked up. What is decided is decided on validation, on the
figures as they are: baselines are taken to be always right, which leaves no noise to allow for.

Counted are trainings of groups, each once; baselines, which every strategy needs, are not. A repair that takes a block
away from a group leaves its tasks apart, because the table knows no other depth, and costs nothing. Figures are means
over tables, thresholds and orders of the tasks.
"""

import argparse
import json
import random
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

from benchmarks import replay_pairs
from benchmarks.published import SLACK, TEMPLATE, THRESHOLDS, columns, measured, number, read_rows, study
from benchmarks.worlds import settle
from taskgraft.errors import InvalidInput
from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.study.spec import MAX_TASKS, Strategy
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree, Node

STRATEGIES = ("exhaustive", "groups", "trees")
_ORDERS = 20
COLUMNS = ("table", "group", "task", "reduction_validation", "reduction_test")
Group = frozenset[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of group trainings: what each task of each group loses on validation (positive = the task loses)."""

    name: str
    tasks: tuple[str, ...]
    reductions: Mapping[Group, Mapping[str, float]]

    def keeps(self, group: Iterable[str], threshold: float) -> bool:
        """Return whether no task of a group loses more than the threshold; a task alone loses nothing."""
        held = frozenset(group)
        return len(held) == 1 or max(self.reductions[held].values()) <= threshold

    def fewest_networks(self, threshold: float) -> int:
        """Return into how few groups that keep the threshold the tasks can be divided."""

        @cache
        def fewest(left: Group) -> int:
            if not left:
                return 0
            first = min(left)
            rest = sorted(left - {first})
            chosen = (frozenset(others) for size in range(len(rest) + 1) for others in combinations(rest, size))
            return min(1 + fewest(left - group - {first}) for group in chosen if self.keeps(group | {first}, threshold))

        return fewest(frozenset(self.tasks))


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a strategy with one table, threshold and order of the tasks."""

    trainings: int
    networks: int
    fewest_found: bool


def read_tables(path: Path) -> list[Table]:
    """Read all tables of a file.

    Raises:
        InvalidInput: the file has another form, a figure is missing, or a group is; the line is named.
    """
    rows: dict[str, dict[Group, dict[str, float]]] = {}
    for where, row in read_rows(path, COLUMNS):
        _read_row(row, where, rows)
    return [_table(name, reductions) for name, reductions in rows.items()]


def _read_row(row: Mapping[str, str], where: str, rows: dict[str, dict[Group, dict[str, float]]]) -> None:
    table, group, task = (row[column] for column in COLUMNS[:3])
    members = group.split("+")
    if not table or not all(members) or len(set(members)) != len(members):
        raise InvalidInput.at(
            where, f"names a table, and a group of different tasks joined by +; got {table!r}, {group!r}"
        )
    if task not in members:
        raise InvalidInput.at(where, f"the task is one of its group {group!r}; got {task!r}")
    reductions = rows.setdefault(table, {}).setdefault(frozenset(members), {})
    if task in reductions:
        raise InvalidInput.at(where, f"a task of a group stands in one row; {task!r} of {group!r} has another one")
    reductions[task] = number(row, "reduction_validation", where)


def _table(name: str, reductions: Mapping[Group, Mapping[str, float]]) -> Table:
    """Return a table that knows every group of its tasks."""
    tasks = sorted(frozenset().union(*reductions))
    if not 2 <= len(tasks) <= 16 <= MAX_TASKS:
        raise InvalidInput.at(f"table {name}", f"has every group of 2 to 16 tasks; it has {len(tasks)} tasks")
    for size in range(2, len(tasks) + 1):
        for group in map(frozenset, combinations(tasks, size)):
            if missing := sorted(group - reductions.get(group, {}).keys()):
                told = f"has no figure for {', '.join(missing)} of group {'+'.join(sorted(group))}"
                raise InvalidInput.at(f"table {name}", f"every group of its tasks is listed in full; it {told}")
    return Table(name, tuple(tasks), reductions)


def networks(tree: BranchTree) -> list[tuple[str, ...]]:
    """Return the groups of tasks that share all blocks: what a tree means where there is one depth."""

    def of(node: Node) -> list[tuple[str, ...]]:
        if node.is_leaf or node.blocks[1] == tree.depth:
            return [node.tasks]
        return [group for child in node.children for group in of(child)]

    return of(tree.root)


def replay(table: Table, strategy: str, threshold: float, tasks: Sequence[str]) -> Found:
    """Drive a strategy through a table, its tasks in this order."""
    trainings, tree = settle(
        study(strategy, threshold, tasks, [TEMPLATE.depth]), lambda training: _measure(table, training)
    )
    trained = {frozenset(group) for one in trainings for group in networks(one.tree) if len(group) > 1}
    found = networks(tree)
    assert all(table.keeps(group, threshold) for group in found), "a delivered tree keeps the threshold on validation"
    return Found(len(trained), len(found), len(found) == table.fewest_networks(threshold))


def _measure(table: Table, training: Training) -> Measurement:
    """Return what the table says of a training: metrics of a baseline of 1, less what each task loses."""
    metrics: dict[str, float] = {}
    for group in networks(training.tree):
        lost = table.reductions[frozenset(group)] if len(group) > 1 else dict.fromkeys(group, 0.0)
        metrics |= {task: 1.0 - lost[task] + SLACK * (len(group) > 1) for task in group}
    return measured(metrics)


def orders(table: Table, count: int) -> Iterator[tuple[str, ...]]:
    """Yield the order of the file and further ones, drawn with a seed that the table's name gives."""
    yield table.tasks
    chance = random.Random(table.name)
    for _ in range(count - 1):
        yield tuple(chance.sample(table.tasks, len(table.tasks)))


def means(found: Sequence[Found]) -> dict[str, float]:
    """Return the figures of one strategy."""

    def mean(figure: Callable[[Found], float]) -> float:
        return round(statistics.fmean(map(figure, found)), 4)

    return {
        "trainings": mean(lambda one: one.trainings),
        "networks": mean(lambda one: one.networks),
        "fewest_found": mean(lambda one: one.fewest_found),
    }


def compare(tables: Sequence[Table], strategies: Sequence[str], count: int) -> dict[str, dict[str, float]]:
    """Return the figures of every strategy, means over tables, thresholds and ``count`` orders of the tasks."""
    return {
        strategy: means(
            [
                replay(table, strategy, threshold, order)
                for table in tables
                for threshold in THRESHOLDS
                for order in orders(table, count)
            ]
        )
        for strategy in strategies
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=__doc__)
    parser.add_argument("table", type=Path, help="CSV file of trainings of groups, or of pairs by depth")
    parser.add_argument("--orders", type=int, default=_ORDERS, help="orders of a group's tasks (default %(default)s)")
    parser.add_argument("--strategies", nargs="+", help="default: all that the form can answer")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    options = parser.parse_args(arguments)
    try:
        if is_of_pairs(options.table):
            found = replay_pairs.compare(replay_pairs.read_pairs(options.table), options.strategies or list(Strategy))
        else:
            found = compare(read_tables(options.table), options.strategies or STRATEGIES, max(1, options.orders))
    except InvalidInput as error:
        print(f"{options.table}: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(found))
    else:
        _show(found)
    return 0


def is_of_pairs(path: Path) -> bool:
    """Return whether a file has the form of pairs by depth, and not that of groups."""
    header = columns(path)
    return set(replay_pairs.COLUMNS) <= header and not set(COLUMNS) <= header


def _show(found: Mapping[str, Mapping[str, float]]) -> None:
    """Print a table of the figures: shares are those whose names end with ``found``."""
    names = list(next(iter(found.values())))
    print(f"| strategy | {' | '.join(name.replace('_', ' ') for name in names)} |")
    print("| --- " * (1 + len(names)) + "|")
    for strategy, figures in found.items():
        cells = (f"{value:.0%}" if name.endswith("found") else f"{value:.2f}" for name, value in figures.items())
        print(f"| `{strategy}` | {' | '.join(cells)} |")


if __name__ == "__main__":
    sys.exit(main())

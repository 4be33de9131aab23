"""Strategies on published tables of group trainings: how many trainings they take, and how few networks they find.

`python -m benchmarks.replay TABLE.csv [--json]` reads a table with the columns `table`, `group`, `task`,
`reduction_validation` and `reduction_test`: one row for each task of each group that was trained, tasks joined by `+`.
Every group stands for one network, so that a tree is a partition of the tasks. The strategies of the product are
driven by `decide`; each training that they ask for is looked up. What is decided is decided on validation, on the
figures as they are: baselines are taken to be always right, which leaves no noise to allow for.

Counted are trainings of groups, each once; baselines, which every strategy needs, are not. A repair that takes a block
away from a group leaves its tasks apart, because the table knows no other depth, and costs nothing. Figures are means
over tables, thresholds and orders of the tasks.
"""

import argparse
import csv
import json
import math
import random
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

from benchmarks.worlds import outcomes, settle
from taskgraft.errors import InvalidInput
from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.study.spec import MAX_TASKS, StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.template import get_template
from taskgraft.space.tree import BranchTree, Node

STRATEGIES = ("exhaustive", "groups", "trees")
THRESHOLDS = (0.02, 0.05, 0.10)
_ORDERS = 20
_TEMPLATE = "cnn8"
_COLUMNS = ("table", "group", "task", "reduction_validation", "reduction_test")
_SLACK = 1e-9
"""Taken off every reduction, so that one of exactly the threshold keeps it in spite of rounding."""

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
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput.at(str(path), f"cannot be read: {error}") from None
    reader = csv.DictReader(lines)
    if missing := [column for column in _COLUMNS if column not in (reader.fieldnames or ())]:
        raise InvalidInput.at("line 1", f"has the columns {', '.join(_COLUMNS)}; missing {', '.join(missing)}")
    rows: dict[str, dict[Group, dict[str, float]]] = {}
    for row in reader:
        _read_row(row, f"line {reader.line_num}", rows)
    if not rows:
        raise InvalidInput.at("line 2", "a table has one group or more; there is none")
    return [_table(name, reductions) for name, reductions in rows.items()]


def _read_row(row: Mapping[str, str | None], where: str, rows: dict[str, dict[Group, dict[str, float]]]) -> None:
    table, group, task = (row[column] or "" for column in _COLUMNS[:3])
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
    reductions[task] = _number(row["reduction_validation"], where)


def _number(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidInput.at(where, f"reduction_validation is a number; got {text!r}")
    return value


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
    trainings, tree = settle(_spec(strategy, threshold, tasks), lambda training: _measure(table, training))
    trained = {frozenset(group) for one in trainings for group in networks(one.tree) if len(group) > 1}
    found = networks(tree)
    assert all(table.keeps(group, threshold) for group in found), "a delivered tree keeps the threshold on validation"
    return Found(len(trained), len(found), len(found) == table.fewest_networks(threshold))


def _spec(strategy: str, threshold: float, tasks: Sequence[str]) -> StudySpec:
    told = [{"name": f"t-{place}", "dataset": "published", "target": "t"} for place in range(len(tasks))]
    depths = [get_template(_TEMPLATE).depth]
    spec = StudySpec.parse(
        {"ar_threshold": threshold, "tasks": told, "template": _TEMPLATE, "depths": depths, "strategy": strategy}
    )
    named = [task.model_copy(update={"name": name}) for task, name in zip(spec.tasks, tasks, strict=True)]
    return spec.model_copy(update={"tasks": tuple(named), "training": spec.training.lasting(1)})


def _measure(table: Table, training: Training) -> Measurement:
    """Return what the table says of a training: metrics of a baseline of 1, less what each task loses."""
    metrics: dict[str, float] = {}
    for group in networks(training.tree):
        lost = table.reductions[frozenset(group)] if len(group) > 1 else dict.fromkeys(group, 0.0)
        metrics |= {task: 1.0 - lost[task] + _SLACK * (len(group) > 1) for task in group}
    said = dict.fromkeys(training.tasks, outcomes(1.0))
    return Measurement(metrics, said, 1, 1, 1.0, "published")


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
    parser.add_argument("table", type=Path, help="CSV file of group trainings")
    parser.add_argument("--orders", type=int, default=_ORDERS, help="orders of the tasks (default %(default)s)")
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    options = parser.parse_args(arguments)
    try:
        found = compare(read_tables(options.table), options.strategies, max(1, options.orders))
    except InvalidInput as error:
        print(f"{options.table}: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(found))
        return 0
    print("| strategy | trainings | networks | finds the fewest networks |")
    print("| --- | --- | --- | --- |")
    for strategy, figures in found.items():
        print(
            f"| `{strategy}` | {figures['trainings']:.1f} | {figures['networks']:.2f} | {figures['fewest_found']:.0%} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

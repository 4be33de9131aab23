"""System `splits`: the trees of every other first split, where the delivered tree's root ends.

Source: table 4 of the source paper, which trains the three splits of four tasks in two pairs.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from taskgraft.search.comparison.protocol import Known, Model, Part, System
from taskgraft.search.comparison.refusals import too_few_tasks
from taskgraft.search.evidence.trees import components
from taskgraft.search.study.comparison import Comparison
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.cost import tree_cost
from taskgraft.space.split_trees import first_divisions, split_tree
from taskgraft.space.template import Template
from taskgraft.space.tree import BranchTree

if TYPE_CHECKING:
    import networkx as nx

MAX_SPLITS = 15
"""Rows: all splits of five tasks. Of larger sets, those whose trees have the fewest parameters are trained."""
MAX_SPLIT_TASKS = 12
"""Their 2,047 splits are all synthesized, to find the smallest trees."""


class Splits(System):
    """One row for each split in two; both parts are synthesized from how deep the study's pairs may share."""

    name = "splits"
    summary = (
        f"every other first split at the tree's root depth, parts recursed; the {MAX_SPLITS} smallest, up to "
        f"{MAX_SPLIT_TASKS} tasks"
    )

    def refusal(self, spec: StudySpec, comparison: Comparison) -> str | None:
        """Refuse fewer than three tasks, more than are compared, and a root that has all blocks."""
        if few := too_few_tasks(spec, 3):
            return few
        if len(spec.tasks) > MAX_SPLIT_TASKS:
            return f"splits of {MAX_SPLIT_TASKS} tasks at most are compared, and the study has {len(spec.tasks)}"
        if comparison.tree and comparison.tree.root.blocks[1] == comparison.tree.depth:
            return "all tasks of the tree share all blocks: nothing is split"
        return None

    def models(self, known: Known) -> Sequence[Model]:
        """Return one model for each split but the tree's own; nothing before the tree is known."""
        return () if known.comparison.tree is None else _models(known.spec, known.comparison, known.comparison.tree)

    def most_to_come(self, spec: StudySpec, comparison: Comparison) -> int:
        """Return two networks for each split while the tree is not known: it may have a root without blocks."""
        return 0 if comparison.tree else 2 * min(MAX_SPLITS, 2 ** (len(spec.tasks) - 1) - 1)


@lru_cache(maxsize=4)  # every decision asks for them, and they never change
def _models(spec: StudySpec, comparison: Comparison, tree: BranchTree) -> tuple[Model, ...]:
    others = list(_others(tree, _graph(spec, comparison), spec.encoder))
    chosen = sorted(others, key=lambda found: found[2])[:MAX_SPLITS] if len(others) > MAX_SPLITS else others
    left_out = f"; {len(others) - len(chosen)} larger ones left out" if len(others) > len(chosen) else ""
    note = f"split after block {tree.root.blocks[1]}{left_out}"
    return tuple(Model(name, tuple(map(Part.whole, components(other))), note) for name, other, _ in chosen)


def _others(tree: BranchTree, graph: "nx.Graph[str]", template: Template) -> Iterator[tuple[str, BranchTree, int]]:
    """Yield name, tree and encoder parameters of every split, each tree once; the delivered one is left out."""
    seen = {tree}
    for division in first_divisions(tree.tasks):
        other = split_tree(division, tree.root.blocks[1], graph, template)
        if other not in seen:
            seen.add(other)
            name = " ".join("{" + ",".join(part) + "}" for part in division)
            yield name, other, tree_cost(other, template).encoder_parameters


def _graph(spec: StudySpec, comparison: Comparison) -> "nx.Graph[str]":
    import networkx as nx  # noqa: PLC0415  # a tenth of a second that workers do without

    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(spec.task_names)
    for (first, second), depth in comparison.weights.items():
        graph.add_edge(first, second, weight=depth)
    return graph

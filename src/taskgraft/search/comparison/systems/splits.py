"""System `splits`: the trees of every other first split, where the delivered tree's root ends.

Source: table 4 of the source paper, which trains the three splits of four tasks in two pairs.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
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
_MAX_COMPARED = 4096
"""Splits whose sizes are compared: all of 13 tasks."""


class Splits(System):
    """One row for each split in two; both parts are synthesized from how deep the study's pairs may share."""

    name = "splits"
    summary = f"every other first split at the tree's root depth, parts recursed; at most {MAX_SPLITS}, smallest first"

    def refusal(self, spec: StudySpec, comparison: Comparison) -> str | None:
        """Refuse fewer than three tasks, and a root that has all blocks."""
        if few := too_few_tasks(spec, 3):
            return few
        if comparison.tree and comparison.tree.root.blocks[1] == comparison.tree.depth:
            return "all tasks of the tree share all blocks: nothing is split"
        return None

    def models(self, known: Known) -> Sequence[Model]:
        """Return one model for each split but the tree's own; nothing before the tree is known."""
        comparison = known.comparison
        if comparison.tree is None:
            return ()
        others = list(_others(comparison.tree, _graph(known), known.spec.encoder))
        chosen = sorted(others, key=lambda found: found[2])[:MAX_SPLITS] if len(others) > MAX_SPLITS else others
        left_out = f"; {len(others) - len(chosen)} larger ones left out" if len(others) > len(chosen) else ""
        note = f"split after block {comparison.tree.root.blocks[1]}{left_out}"
        return [Model(name, tuple(map(Part.whole, components(tree))), note) for name, tree, _ in chosen]

    def most_to_come(self, spec: StudySpec, comparison: Comparison) -> int:
        """Return two networks for each split while the tree is not known: it may have a root without blocks."""
        return 0 if comparison.tree else 2 * min(MAX_SPLITS, 2 ** (len(spec.tasks) - 1) - 1)


def _others(tree: BranchTree, graph: "nx.Graph[str]", template: Template) -> Iterator[tuple[str, BranchTree, int]]:
    """Yield name, tree and encoder parameters of every split, each tree once; the delivered one is left out."""
    seen = {tree}
    for division in islice(first_divisions(tree.tasks), _MAX_COMPARED):
        other = split_tree(division, tree.root.blocks[1], graph, template)
        if other not in seen:
            seen.add(other)
            name = " ".join("{" + ",".join(part) + "}" for part in division)
            yield name, other, tree_cost(other, template).encoder_parameters


def _graph(known: Known) -> "nx.Graph[str]":
    import networkx as nx  # noqa: PLC0415  # a tenth of a second that workers do without

    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(known.tasks)
    for (first, second), depth in known.comparison.weights.items():
        graph.add_edge(first, second, weight=depth)
    return graph

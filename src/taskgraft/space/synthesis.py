"""From a reduction matrix to the tree: the one face of all the ways to find it."""

from collections.abc import Iterator
from enum import StrEnum

import networkx as nx

from taskgraft.errors import InvalidInput
from taskgraft.space.compact import compact_tree
from taskgraft.space.cost import tree_cost
from taskgraft.space.exact import MAX_EXACT_TASKS, exact_tree
from taskgraft.space.instance import Instance, read_instance
from taskgraft.space.matrix import Decision, ReductionMatrix
from taskgraft.space.recursive import Planner
from taskgraft.space.template import Template
from taskgraft.space.tree import BranchTree


class Synthesis(StrEnum):
    """How the tree is looked for; every way keeps every pair within its compatibility."""

    RECURSIVE = "recursive"
    """The source paper's: split after split, each the best by its rule."""
    EXACT = "exact"
    """The fewest encoder parameters of all trees; for up to `MAX_EXACT_TASKS` tasks."""
    COMPACT = "compact"
    """The fewest that are known to be found: exact for few tasks, else a search that is never worse than recursive."""


def synthesize(
    matrix: ReductionMatrix,
    threshold: float,
    template: Template,
    decision: Decision = Decision.POINT,
    method: Synthesis = Synthesis.RECURSIVE,
) -> BranchTree:
    """Return the tree that shares as much of ``template`` as the pairs of ``matrix`` allow at ``threshold``.

    No pair shares more blocks than its compatibility. Recursive synthesis breaks ties by parameters, then by the larger
    part, then by the sum of AR, then by task order; exact synthesis by the sum of AR, then by task order. So another
    order of the same tasks may give another of equally good trees, and in larger sets a better or a worse one.

    Raises:
        InvalidInput: a threshold outside 0 <= Q < 1; a cell deeper than the template; too many tasks for ``method``.
    """
    if matrix.deepest > template.depth:
        raise InvalidInput.at(
            "depth", f"template {template.name!r} has {template.depth} blocks; got a cell at depth {matrix.deepest}"
        )
    return synthesize_graph(matrix.compatibility(threshold, decision), template, matrix, method)


def synthesize_graph(
    graph: "nx.Graph[str]",
    template: Template,
    matrix: ReductionMatrix | None = None,
    method: Synthesis = Synthesis.RECURSIVE,
) -> BranchTree:
    """Synthesize from a compatibility graph: nodes are tasks in order, an edge's ``weight`` is the shared depth.

    A missing edge weighs 0, a weight beyond the template's depth counts as that depth. ``matrix`` tells the AR of what
    is shared; without it that tie-break is passed over.

    Raises:
        InvalidInput: no tasks; weights that are no whole numbers of at least 0; tasks that ``matrix`` does not have;
            too many tasks for ``method``.
    """
    instance = read_instance(graph, template, matrix)
    if method is Synthesis.EXACT or (method is Synthesis.COMPACT and len(instance.tasks) <= MAX_EXACT_TASKS):
        return exact_tree(instance)
    recursive = _recursive(instance)
    if method is Synthesis.RECURSIVE:
        return recursive
    return min(recursive, compact_tree(instance), key=lambda tree: tree_cost(tree, template).encoder_parameters)


def _recursive(instance: Instance) -> BranchTree:
    planner = Planner(instance)
    return planner.tree(planner.plan(instance.everything))


def first_splits(
    graph: "nx.Graph[str]", template: Template, matrix: ReductionMatrix | None = None
) -> Iterator[BranchTree]:
    """Return the best tree below every first split in two, each tree once: what the split rule is compared with.

    All tasks share what they can, as in recursive synthesis. There are 2^(n-1) - 1 splits of n tasks.

    Raises:
        InvalidInput: no tasks; weights that are no whole numbers of at least 0; tasks that ``matrix`` does not have.
    """
    instance = read_instance(graph, template, matrix)
    planner = Planner(instance)
    seen = set()
    for right in range(2, instance.everything, 2):
        tree = planner.tree(planner.divided(instance.everything, (instance.everything ^ right, right)))
        if tree not in seen:
            seen.add(tree)
            yield tree

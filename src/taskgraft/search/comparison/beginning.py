"""How a comparison begins: what it takes from a study that has succeeded."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from taskgraft.errors import Conflict, InvalidInput
from taskgraft.search.comparison.plan import whole_trainings
from taskgraft.search.comparison.registry import check_systems
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.reduction_matrix import decisive_matrix
from taskgraft.search.evidence.trees import components
from taskgraft.search.study.comparison import MAX_SEEDS, Comparison, SearchEffort
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import State
from taskgraft.search.study.study import Study
from taskgraft.search.study.trial import Trial
from taskgraft.space.cost import tree_cost
from taskgraft.space.document import FOUND, read_tree_document
from taskgraft.space.tasks import Task
from taskgraft.space.template import Template
from taskgraft.space.tree import BranchTree


def check_request(
    spec: StudySpec, systems: Sequence[str], seeds: int | None = None, group_budget: int | None = None
) -> Comparison:
    """Return what is asked for, as far as it is known before the study has ended.

    Raises:
        InvalidInput: an unknown system, seeds outside 1 to `MAX_SEEDS`, or a budget below 1.
    """
    checked = check_systems(systems, spec)
    if seeds is not None and not 1 <= seeds <= MAX_SEEDS:
        raise InvalidInput.at("seeds", f"a whole number from 1 to {MAX_SEEDS}; got {seeds}")
    if group_budget is not None and group_budget < 1:
        raise InvalidInput.at("group_budget", f"a number of parameters, 1 or more; got {group_budget}")
    return Comparison(checked, seeds or spec.least_repeats, group_budget)


def begin_comparison(study: Study, trials: Iterable[Trial], tasks: Sequence[Task], asked: Comparison) -> Comparison:
    """Return what is compared: what is ``asked`` for, and what the study has found. ``tasks`` are those of the study.

    Raises:
        Conflict: the study has not succeeded, or is a comparison itself.
    """
    check_is_comparable(study)
    assert study.tree is not None, "a study that succeeded has its tree"
    found = {**study.tree, "root": study.tree.get(FOUND, study.tree.get("root"))}  # not what compression made of it
    tree, ended = read_tree_document(found).tree, tuple(trials)
    evidence = Evidence(study.spec, ended)
    graph = decisive_matrix(evidence).compatibility(study.spec.ar_threshold, study.spec.decision)
    return replace(
        asked,
        tree=tree,
        weights={(first, second): int(edge["weight"]) for first, second, edge in graph.edges(data=True)},
        groups=count_groups(tree, study.spec.encoder, tasks, asked.group_budget),
        effort=_effort(tree, ended, evidence.epochs),
        tasks=tuple(tasks),
    )


def check_is_comparable(study: Study) -> None:
    """Check that a study has a tree to compare.

    Raises:
        Conflict: it has not succeeded, or is a comparison itself.
    """
    if study.comparison:
        raise Conflict(f"study {study.id} is a comparison itself: compare the study {study.parent}")
    if study.state is not State.SUCCEEDED or study.tree is None:
        raise Conflict(f"study {study.id} is {study.state}: only one that is {State.SUCCEEDED} can be compared")


def count_groups(tree: BranchTree, template: Template, tasks: Sequence[Task], group_budget: int | None) -> int:
    """Return how many networks that share all blocks fit into the size of a tree, or into so many parameters."""
    size = tree_cost(tree, template, tasks)
    heads = (size.parameters or 0) - size.encoder_parameters
    room = size.encoder_parameters if group_budget is None else group_budget - heads
    return max(0, min(len(tasks), room // template.encoder_parameters))


def _effort(tree: BranchTree, trials: Sequence[Trial], epochs: int | None) -> SearchEffort:
    """Return what a search took; trainings of another length, and those that confirm the tree, are part of it."""
    measured = [trial.measurement for trial in trials if trial.measurement]
    of_tree = {*components(tree), *(BranchTree.flat([task], tree.depth, tree.depth) for task in tree.tasks)}
    whole = whole_trainings(trials, epochs)
    known = frozenset(training.key for training in whole if training.tree in of_tree or training.is_trunk)
    return SearchEffort(len(measured), sum(found.own_seconds for found in measured), known)

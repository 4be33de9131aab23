"""Trees of matrices that were measured already, and what trees weigh; torch, data sets and databases stay out of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from taskgraft.api.cli.files import read_tasks, tasks_of
from taskgraft.api.own_encoders import find_template
from taskgraft.api.study_files import read_mapping, read_text
from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.algorithms.registry import read_algorithm
from taskgraft.space.cost import independent_parameters, tree_cost
from taskgraft.space.document import TreeDocument, read_tree_document, tree_document
from taskgraft.space.matrix import ReductionMatrix
from taskgraft.space.synthesis import Synthesis, synthesize
from taskgraft.space.tasks import Task
from taskgraft.space.template import Template
from taskgraft.space.tree import BranchTree

_MAX_PAIRS_BYTES = 16 << 20
"""Every depth of every pair of the largest study, with names and figures of any length."""

Sizes = dict[str, int | None]


def tree_of_pairs(pairs: Path, threshold: float, tasks_file: Path | None, template: str, method: str) -> dict[str, Any]:
    """Return the tree form of a reduction matrix in a file.

    Raises:
        InvalidInput: a file, a threshold, a template or a method that breaks a rule.
    """
    if method not in list(Synthesis):
        raise InvalidInput.at("--method", f"is one of {', '.join(Synthesis)}; got {method!r}")
    tasks = read_tasks(tasks_file) if tasks_file else None
    names = [task.name for task in tasks] if tasks else None
    matrix = ReductionMatrix.from_csv(read_text(pairs, _MAX_PAIRS_BYTES), names)
    encoder = find_template(template, 1.0, None, pairs.parent)
    tree = synthesize(matrix, threshold, encoder, method=Synthesis(method))
    return tree_document(tree, encoder, threshold, tasks)


def sizes_of(file: Path, shared: int | None, tasks_file: Path | None) -> Sizes:
    """Return parameters and MACs of a tree, or of flat sharing of ``shared`` blocks among its tasks or a study's.

    Raises:
        InvalidInput: a file or a depth that breaks a rule.
    """
    document = read_mapping(file)
    tasks = read_tasks(tasks_file) if tasks_file else None
    if "root" in document:
        written = read_tree_document(document)
        tree = written.tree if shared is None else _flat(written.tree.tasks, shared, written.template)
        return _sizes(tree, written.template, tasks) if tasks else _sizes_as_written(tree, written, shared)
    width = document.get("width", 1.0)
    if not isinstance(width, int | float):
        raise InvalidInput.at("width", f"a number above 0 and at most 1; got {width!r:.80}")
    front_end = document.get("front_end")
    named = str(document.get("template", "cnn8"))
    template = find_template(named, float(width), front_end and str(front_end), file.parent)
    tasks = tasks or tasks_of(document, file)
    template = _as_trained(template, document.get("training"))
    return _sizes(_flat([task.name for task in tasks], shared or 0, template), template, tasks)


def _as_trained(template: Template, training: object) -> Template:
    """Return the template as the algorithm of a study's ``training`` has it; the same if none is named."""
    given = training.get("algorithm") if isinstance(training, Mapping) else None
    try:
        return template if given is None else read_algorithm(given).template(template)
    except InvalidInput as error:
        places = [".".join(filter(None, ["training.algorithm", fault.where])) for fault in error.faults]
        faults = zip(places, error.faults, strict=True)
        raise InvalidInput(Fault(place, fault.message) for place, fault in faults) from None


def _flat(names: Sequence[str], shared: int, template: Template) -> BranchTree:
    if not 0 <= shared <= template.depth:
        raise InvalidInput.at("--flat", f"{template.name} has {template.depth} blocks to share; got {shared}")
    return BranchTree.flat(names, shared, template.depth)


def _sizes(tree: BranchTree, template: Template, tasks: Sequence[Task]) -> Sizes:
    cost = tree_cost(tree, template, tasks)
    return {
        "parameters": cost.parameters,
        "encoder_parameters": cost.encoder_parameters,
        "independent_parameters": independent_parameters(
            template, [task for task in tasks if task.name in set(tree.tasks)]
        ),
        "macs_per_second": cost.macs_per_second,
    }


def _sizes_as_written(tree: BranchTree, written: TreeDocument, shared: int | None) -> Sizes:
    """Return the sizes that the document states: without the tasks, the size of the heads can't be computed."""
    stored = {None: written.parameters, 0: written.independent_parameters}
    return {
        "parameters": stored.get(shared),
        "encoder_parameters": tree_cost(tree, written.template).encoder_parameters,
        "independent_parameters": written.independent_parameters,
        "macs_per_second": None,
    }

"""What a tree costs: parameters, and multiply-accumulates (MACs) for one second of audio."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from taskgraft.errors import InvalidInput
from taskgraft.space.tasks import Task
from taskgraft.space.template import Template
from taskgraft.space.tree import BranchTree, Node


@dataclass(frozen=True, slots=True)
class Cost:
    """Size and effort of a model; what depends on the heads is None where the tasks' kinds and classes are unknown."""

    encoder_parameters: int
    """Of blocks, and of gates as far as tasks share them."""
    parameters: int | None
    macs_per_second: int | None
    """MACs of encoder, gates and heads for one second of audio; the front end is not counted."""


def tree_cost(tree: BranchTree, template: Template, tasks: Iterable[Task] | None = None) -> Cost:
    """Return what ``tree`` costs when its blocks are cut from ``template``.

    Raises:
        InvalidInput: tree and template differ in depth; a task of the tree is not among ``tasks``.
    """
    if tree.depth != template.depth:
        raise InvalidInput.at("tree", f"template {template.name!r} has {template.depth} blocks; got {tree.depth}")
    encoder = sum(_block_parameters(node, template) for node in tree.nodes())
    if tasks is None:
        return Cost(encoder, None, None)
    heads = _tasks_of(tree, tasks)
    macs = sum(_block_macs(node, template) for node in tree.nodes()) + sum(_head_macs(task, template) for task in heads)
    return Cost(encoder, encoder + sum(_head_parameters(task, template) for task in heads), macs)


def independent_parameters(template: Template, tasks: Sequence[Task]) -> int:
    """Return the parameters of one model per task: what a tree is compared with."""
    return sum(template.encoder_parameters + _head_parameters(task, template) for task in tasks)


def _tasks_of(tree: BranchTree, tasks: Iterable[Task]) -> list[Task]:
    named = {task.name: task for task in tasks}
    if missing := [name for name in tree.tasks if name not in named]:
        raise InvalidInput.at("tasks", f"every task of the tree is given; missing {missing}")
    return [named[name] for name in tree.tasks]


def _block_parameters(node: Node, template: Template) -> int:
    return sum(template.block_parameters[slice(*node.blocks)])


def _block_macs(node: Node, template: Template) -> int:
    shapes = template.shapes(template.frames)
    return sum(template.blocks[index].macs(shapes[index]) for index in range(*node.blocks))


def _head_parameters(task: Task, template: Template) -> int:
    return template.head(task).parameters(template.encoded, task.outputs) + template.gate.task_parameters()


def _head_macs(task: Task, template: Template) -> int:
    return template.head(task).macs(template.encoded, task.outputs) + template.gate.macs(template.encoded)

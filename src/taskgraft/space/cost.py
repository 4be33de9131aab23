"""What a tree costs: parameters, and multiply-accumulates (MACs) for one second of audio."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from taskgraft.errors import InvalidInput
from taskgraft.space.node_blocks import NodeBlocks
from taskgraft.space.tasks import Task
from taskgraft.space.template import Template
from taskgraft.space.tree import BranchTree


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
    if tasks is None:  # searches over trees ask for nothing else, often
        return Cost(sum(sum(template.block_parameters[slice(*node.blocks)]) for node in tree.nodes()), None, None)
    return blocks_cost(NodeBlocks.of(tree, template), tasks)


def blocks_cost(blocks: NodeBlocks, tasks: Iterable[Task]) -> Cost:
    """Return what a tree costs whose nodes have these blocks.

    Raises:
        InvalidInput: a task of the tree is not among ``tasks``.
    """
    own = _tasks_of(blocks.tree, tasks)
    return Cost(blocks.encoder_parameters, blocks.parameters(own), blocks.macs_per_second(own))


def independent_parameters(template: Template, tasks: Sequence[Task]) -> int:
    """Return the parameters of one model per task: what a tree is compared with."""
    return sum(template.encoder_parameters + _head_parameters(task, template) for task in tasks)


def _tasks_of(tree: BranchTree, tasks: Iterable[Task]) -> list[Task]:
    named = {task.name: task for task in tasks}
    if missing := [name for name in tree.tasks if name not in named]:
        raise InvalidInput.at("tasks", f"every task of the tree is given; missing {missing}")
    return [named[name] for name in tree.tasks]


def _head_parameters(task: Task, template: Template) -> int:
    return template.head(task).parameters(template.encoded, task.outputs) + template.gate.task_parameters()

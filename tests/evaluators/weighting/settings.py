"""Small trees, their losses on random features, and weightings made for them."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.weighting.protocol import Setting
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.tree import BranchTree, Node
from tests.evaluators.tones import TEMPLATE

TASKS = [Task("a"), Task("b", classes=3), Task("c", TaskKind.FRAMES), Task("d", classes=5)]
BANDS = 64
NAMES = [task.name for task in TASKS]


def leaf(name: str, start: int) -> Node:
    return Node((name,), (start, 8))


NESTED = BranchTree(
    Node(
        ("a", "b", "c", "d"),
        (0, 3),
        (
            Node(("a", "c", "d"), (3, 6), (Node(("a", "d"), (6, 8), (leaf("a", 8), leaf("d", 8))), leaf("c", 6))),
            leaf("b", 3),
        ),
    ),
    8,
)
"""Four tasks; three of them share blocks 3 to 5, and two of these blocks 6 and 7."""
PARTS = BranchTree(
    Node(
        ("a", "b", "c", "d"),
        (0, 0),
        (
            Node(("a", "b"), (0, 5), (leaf("a", 5), leaf("b", 5))),
            Node(("c", "d"), (0, 8), (leaf("c", 8), leaf("d", 8))),
        ),
    ),
    8,
)
"""Two pairs that share nothing with each other."""


def make_model(tree: BranchTree, seed: int = 0) -> TreeModel:
    torch.manual_seed(seed)
    return TreeModel(tree, TEMPLATE, [task for task in TASKS if task.name in tree.tasks]).double()


def losses_of(model: TreeModel, tasks: Sequence[str], seed: int = 0) -> dict[str, Tensor]:
    """Squares of scores, of different sizes; the graph is a fresh one."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(3, 1, BANDS, 16, dtype=torch.float64, generator=generator)
    scores = model(features, {name: torch.arange(3) for name in tasks})
    return {name: (place + 1) * scores[name].square().mean() for place, name in enumerate(tasks)}


def setting_for(model: TreeModel, epoch_steps: int = 4, seed: int = 0, scale: float | None = None) -> Setting:
    """A setting whose losses are scaled, if a scale is given."""
    tasks = [task for name in model.tree.tasks for task in TASKS if task.name == name]
    scaler = torch.amp.GradScaler("cpu", init_scale=scale or 1.0, enabled=scale is not None)
    return Setting(tasks, model, epoch_steps, seed, scaler)


def gradients(model: TreeModel) -> Mapping[str, Tensor | None]:
    return {name: None if weight.grad is None else weight.grad.clone() for name, weight in model.named_parameters()}

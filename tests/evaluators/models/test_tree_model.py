from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.space.cost import independent_parameters, tree_cost
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.tree import BranchTree, Node
from tests.evaluators.tones import TEMPLATE

TASKS = [Task("a"), Task("b", classes=3), Task("c", TaskKind.FRAMES), Task("d", classes=5)]
NAMES = [task.name for task in TASKS]
FRAMES = 16


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
TREES = {
    "independent": BranchTree.flat(NAMES, 0, 8),
    "half": BranchTree.flat(NAMES, 4, 8),
    "whole": BranchTree.flat(NAMES, 8, 8),
    "nested": NESTED,
}
ROWS = {
    "all": {name: torch.arange(7) for name in NAMES},
    "two corpora": {name: torch.arange(0, 4) if name in "ab" else torch.arange(4, 7) for name in NAMES},
    "overlapping": {
        "a": torch.tensor([0, 2, 3]),
        "b": torch.tensor([1]),
        "c": torch.tensor([2, 3, 6]),
        "d": torch.tensor([0, 6]),
    },
    "some tasks": {"b": torch.tensor([0, 5]), "d": torch.tensor([5, 6])},
}


def build(tree: BranchTree) -> TreeModel:
    torch.manual_seed(0)
    model = TreeModel(tree, TEMPLATE, TASKS)
    model(features())  # gives the batch normalisation statistics to go by
    return model.eval()


def features() -> Tensor:
    return torch.randn(7, 1, 64, FRAMES, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_each_task_answers_for_its_rows_as_if_it_were_asked_alone(tree: BranchTree, rows: Mapping[str, Tensor]) -> None:
    model = build(tree)
    with torch.inference_mode():
        everything, scores = model(features()), model(features(), rows)
        assert list(scores) == [name for name in NAMES if name in rows]
        for name, wanted in rows.items():
            torch.testing.assert_close(scores[name], everything[name][wanted], atol=1e-5, rtol=1e-4)
            alone = model(features()[wanted])[name]
            torch.testing.assert_close(scores[name], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_all_clips_that_need_a_node_go_through_it_in_one_pass(tree: BranchTree, rows: Mapping[str, Tensor]) -> None:
    model = build(tree)
    passes: dict[str, list[int]] = {place: [] for place in model.nodes}
    for place, module in model.nodes.items():
        module.register_forward_hook(lambda _, inputs, __, place=place: passes[place].append(len(inputs[0])))
    model(features(), rows)
    for place, node in zip(model.nodes, tree.nodes(), strict=True):
        needed = {int(row) for name in node.tasks if name in rows for row in rows[name]}
        assert passes[place] == ([len(needed)] if needed else [])


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_parameters_are_those_that_the_specification_counts(tree: BranchTree) -> None:
    counted = sum(parameter.numel() for parameter in TreeModel(tree, TEMPLATE, TASKS).parameters())
    assert counted == tree_cost(tree, TEMPLATE, TASKS).parameters


def test_independent_tree_has_the_parameters_of_independent_models() -> None:
    model = TreeModel(TREES["independent"], TEMPLATE, TASKS)
    assert sum(parameter.numel() for parameter in model.parameters()) == independent_parameters(TEMPLATE, TASKS)


def test_shared_blocks_are_one_and_the_same_for_their_tasks() -> None:
    model = build(TREES["whole"])
    before = model(features())
    first = next(model.nodes["0"].parameters())
    with torch.no_grad():
        first.mul_(-1.0)
    assert all(not torch.allclose(before[name], after) for name, after in model(features()).items())


def test_scores_have_one_number_per_class_or_per_time_step() -> None:
    shapes = {name: tuple(score.shape) for name, score in build(NESTED)(features()).items()}
    assert shapes == {"a": (7, 2), "b": (7, 3), "c": (7, FRAMES // TEMPLATE.time_stride, 1), "d": (7, 5)}


def test_frames_head_looks_at_the_past_only() -> None:
    head = build(NESTED).heads[NAMES.index("c")]
    encoded = torch.randn(2, *TEMPLATE.shapes(36)[-1])
    changed = encoded.clone()
    changed[..., 5:] += 1.0
    torch.testing.assert_close(head(changed)[:, :5], head(encoded)[:, :5])
    assert not torch.allclose(head(changed)[:, 5:], head(encoded)[:, 5:])


def test_clip_head_does_not_mind_the_order_of_the_steps() -> None:
    head = build(NESTED).heads[NAMES.index("a")]
    encoded = torch.randn(2, *TEMPLATE.shapes(36)[-1])
    torch.testing.assert_close(head(encoded.flip(3)), head(encoded), atol=1e-5, rtol=1e-4)


def test_other_tasks_than_the_trees_are_refused() -> None:
    with pytest.raises(InvalidInput, match="the tree holds"):
        TreeModel(NESTED, TEMPLATE, TASKS[:3])


def test_tree_of_another_depth_is_refused() -> None:
    with pytest.raises(InvalidInput, match="8 blocks; the tree has 6"):
        TreeModel(BranchTree.flat(NAMES, 3, 6), TEMPLATE, TASKS)

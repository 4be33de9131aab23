"""Masks of weights, against sorting by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.evaluators.compression.columns import column_masks, column_tree, columns_of
from taskgraft.evaluators.compression.kernel_masks import is_kernel, kernels, largest, pruned, trimmed
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.templates.registry import TEMPLATES
from taskgraft.space.tree import BranchTree

sizes = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), min_size=1, max_size=4)


@given(sizes, st.data())
def test_the_largest_of_all_stay_and_the_first_of_equal_ones(parts: list[list[int]], data: st.DataObject) -> None:
    together = [value for part in parts for value in part]
    keep = data.draw(st.integers(0, len(together)))
    mask = largest({str(place): torch.tensor(part, dtype=torch.float32) for place, part in enumerate(parts)}, keep)
    order = sorted(range(len(together)), key=lambda place: (-together[place], place))[:keep]
    assert torch.cat(list(mask.values())).nonzero().flatten().tolist() == sorted(order)


def test_more_than_there_are_can_not_stay() -> None:
    with pytest.raises(ValueError, match="there are 2 weights; can't keep 3"):
        largest({"a": torch.ones(2)}, 3)


def test_what_an_earlier_round_has_pruned_stays_pruned() -> None:
    weights = {"nodes.0.0.0.weight": torch.tensor([[0.0, 3.0], [-4.0, 0.0]])}
    assert pruned(weights, 1)["nodes.0.0.0.weight"].tolist() == [[False, False], [True, False]]


@given(st.integers(1, 3), st.data())
def test_masks_are_trimmed_together_by_the_smallest_scores(tasks: int, data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.lists(st.booleans(), min_size=8, max_size=8), min_size=tasks, max_size=tasks))
    scores = data.draw(st.permutations(range(1, 9)))
    keep = data.draw(st.integers(0, 8))
    masks = [{"a": torch.tensor(one)} for one in kept]
    found = trimmed(masks, {"a": torch.tensor(scores, dtype=torch.float32)}, keep)
    union = [place for place in range(8) if any(one[place] for one in kept)]
    stays = set(sorted(union, key=lambda place: -scores[place])[:keep])
    for before, after in zip(kept, found, strict=True):
        assert after["a"].tolist() == [kept and place in stays for place, kept in enumerate(before)]


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_template_counts_the_kernels_that_its_modules_have(name: str) -> None:
    template = TEMPLATES[name]
    with torch.device("meta"):
        model = TreeModel(
            BranchTree.flat(["a"], template.depth, template.depth), template, [Task("a", TaskKind.CLIP, 3)]
        )
    found = kernels(dict(model.named_parameters()))
    assert sum(kernel.numel() for kernel in found.values()) == template.kernels
    assert 0 < template.kernels < template.encoder_parameters


def test_nothing_but_kernels_of_blocks_is_pruned() -> None:
    model = TreeModel(BranchTree.flat(["a"], 8, 8), TEMPLATES["cnn8"], [Task("a", TaskKind.CLIP, 3)])
    left = {name for name, tensor in model.named_parameters() if not is_kernel(name, tensor)}
    assert all(name.startswith("heads.") or name.split(".")[3] == "1" for name in left)  # 1: the batch normalisation


def test_equal_masks_are_one_column() -> None:
    one, other = {"k": torch.tensor([True, False])}, {"k": torch.tensor([False, True])}
    tasks = ("a", "b", "c")
    assert column_tree(tasks, [one, one, one], 8) == BranchTree.flat(tasks, 8, 8)
    assert column_tree(tasks[:2], [one, other], 8) == BranchTree.flat(["a", "b"], 0, 8)
    mixed = column_tree(tasks, [one, other, one], 8)
    assert [column.tasks for column in columns_of(mixed)] == [("a", "c"), ("b",)]


def test_columns_that_branch_are_refused() -> None:
    with pytest.raises(ValueError, match="all blocks"):
        columns_of(BranchTree.flat(["a", "b"], 4, 8))


def test_a_task_keeps_what_its_own_model_has_left() -> None:
    name = "nodes.0.0.0.weight"
    weights = [{name: torch.tensor([[0.0, 3.0, 1.0]])}, {name: torch.tensor([[2.0, 0.0, 0.5]])}]
    assert [mask[name].tolist() for mask in column_masks(weights, 3)] == [[[False, True, True]], [[True, False, True]]]
    assert [mask[name].tolist() for mask in column_masks(weights, 2)] == [
        [[False, True, False]],
        [[True, False, False]],
    ]

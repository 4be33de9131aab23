from itertools import permutations

import pytest
import torch

from taskgraft.evaluators.assembly import assemble_model
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.training import pack_weights
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree, Node

CNN8 = get_template("cnn8")
TASKS = {
    "a": Task("a", TaskKind.CLIP, 3),
    "b": Task("b", TaskKind.FRAMES, 2),
    "c": Task("c", TaskKind.CLIP, 2),
    "d": Task("d", TaskKind.CLIP, 5),
}
INPUT = torch.randn(2, 1, 64, 40, generator=torch.Generator().manual_seed(0))


def trained(tree: BranchTree, seed: int) -> TreeModel:
    """A model with weights, and running statistics, that no other seed has."""
    torch.manual_seed(seed)
    model = TreeModel(tree, CNN8, [TASKS[name] for name in tree.tasks])
    model.train()(torch.randn(8, 1, 64, 40) * seed)
    return model.eval()


AD = BranchTree(Node(("a", "d"), (0, 5), (Node(("a",), (5, 8)), Node(("d",), (5, 8)))), 8)
B, C = (BranchTree.flat(task, 8, 8) for task in "bc")
WHOLE = BranchTree(Node(("a", "b", "c", "d"), (0, 0), (AD.root, B.root, C.root)), 8)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_each_part_answers_in_the_whole_as_it_did_alone(order: tuple[int, ...]) -> None:
    models = [trained(tree, seed) for seed, tree in enumerate((AD, B, C), start=1)]
    parts = [(models[place].tree, pack_weights(models[place])) for place in order]
    whole = assemble_model(WHOLE, CNN8, TASKS, parts)
    assert not whole.training
    with torch.inference_mode():
        together = whole(INPUT)
        for model in models:
            for task, alone in model(INPUT).items():
                assert torch.equal(together[task], alone)


@pytest.mark.parametrize("tree", [AD, B, BranchTree.flat("abcd", 6, 8)])
def test_a_tree_that_was_trained_whole_comes_back_as_it_was(tree: BranchTree) -> None:
    model = trained(tree, 1)
    again = assemble_model(tree, CNN8, TASKS, [(tree, pack_weights(model))])
    assert pack_weights(again) == pack_weights(model)


def test_parts_that_make_no_such_tree_are_refused() -> None:
    weights = {tree: pack_weights(trained(tree, 1)) for tree in (AD, B, C)}
    with pytest.raises(RuntimeError, match=r"Missing key.*nodes\.5"):
        assemble_model(WHOLE, CNN8, TASKS, [(AD, weights[AD]), (B, weights[B])])
    with pytest.raises(ValueError, match="not in list"):
        assemble_model(AD, CNN8, TASKS, [(B, weights[B])])
    with pytest.raises(RuntimeError, match="state_dict"):
        assemble_model(B, CNN8, TASKS, [(B, weights[C])])

"""Models without whole channels, against the masked ones; random trees and sizes."""

import random
from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.compression.channels import channel_mask, cut
from taskgraft.evaluators.compression.masks import Mask, apply_mask, kept_parameters
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.space.cost import blocks_cost
from taskgraft.space.narrowing import convolutions, narrowed
from taskgraft.space.node_blocks import NodeBlocks
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.template import Template
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree, Node

KINDS = {
    "a": Task("a", classes=3),
    "b": Task("b", TaskKind.FRAMES),
    "c": Task("c", classes=5),
    "d": Task("d", TaskKind.EVENTS, 2),
}
NAMED = ("attention", "pool", "mean", "mlp", "bigru", "lstm")
PLAIN = {"cnn8": 1.0, "cnn": 0.5, "crnn": 0.25, "vgg11": 0.04, "vgg11-bn": 0.04, "alexnet": 0.04, "cnn-bilstm": 0.1}


def random_tree(tasks: tuple[str, ...], depth: int, draw: random.Random) -> BranchTree:
    """Any legal tree: at each node the tasks part into two or more groups, after some blocks."""

    def node(names: tuple[str, ...], start: int) -> Node:
        if len(names) == 1:
            return Node(names, (start, depth))
        if start == depth:
            return Node(names, (start, depth), tuple(Node((name,), (depth, depth)) for name in names))
        stop = draw.randint(start if start == 0 else start + 1, depth)
        marks = [draw.randrange(2) for _ in names[1:]]
        groups = [tuple(name for name, mark in zip(names, (0, *marks), strict=True) if mark == side) for side in (0, 1)]
        groups = [group for group in groups if group] if stop < depth else [(name,) for name in names]
        groups = groups if len(groups) > 1 else [(name,) for name in names]
        return Node(names, (start, stop), tuple(node(group, stop) for group in groups))

    return BranchTree(node(tasks, 0), depth)


def build(template: Template, tree: BranchTree, tasks: list[Task], seed: int = 0) -> TreeModel:
    """A model whose batch normalisation has moved from where it starts, as in training."""
    torch.manual_seed(seed)
    model = TreeModel(tree, template, tasks)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 1.5)
    return model.eval()


def features(template: Template, clips: int = 3) -> Tensor:
    shape = template.front_end.shape(template.front_end.crop or 32)
    return torch.randn(clips, *shape, generator=torch.Generator().manual_seed(1))


def mask_of(model: TreeModel, target: int) -> Mask:
    return channel_mask(model.state_dict(), model.blocks, model.tasks, target)


def size(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def masked(model: TreeModel, mask: Mask) -> TreeModel:
    copy = TreeModel(model.tree, model.blocks.template, model.tasks, model.blocks.blocks)
    copy.load_state_dict(model.state_dict())
    apply_mask(copy, mask)
    return copy.eval()


def assert_same_answers(one: TreeModel, other: TreeModel, inputs: Tensor) -> None:
    with torch.inference_mode():
        expected, got = one(inputs), other(inputs)
    assert list(expected) == list(got)
    for name, scores in expected.items():
        torch.testing.assert_close(got[name], scores, atol=1e-5, rtol=0)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.2])
@pytest.mark.parametrize("name", PLAIN)
def test_a_cut_model_answers_as_the_masked_one(name: str, share: float) -> None:
    template = get_template(name, PLAIN[name])
    tasks = [task for task in KINDS.values() if task.kind in template.kinds]
    names = tuple(task.name for task in tasks)
    model = build(template, random_tree(names, template.depth, random.Random(3)), tasks)
    smallest = narrowed(model.blocks, dict.fromkeys(convolutions(model.blocks), 1)).parameters(model.tasks)
    target = smallest + round(share * (size(model) - smallest))
    mask = mask_of(model, target)
    smaller = cut(model, mask)
    assert size(smaller) <= target < size(model)
    assert_same_answers(masked(model, mask), smaller, features(template))


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**20), share=st.floats(0, 1.05), count=st.integers(1, 4))
def test_any_tree_is_cut_to_any_size(seed: int, share: float, count: int) -> None:
    draw, template = random.Random(seed), get_template("cnn8", 0.5)
    tasks = [replace(task, name=name) for name, task in list(KINDS.items())[:count]]
    tasks = [
        replace(task, head=draw.choice((None, *NAMED))) if task.kind is TaskKind.CLIP else task
        for task in tasks
        if task.kind in template.kinds
    ]
    model = build(template, random_tree(tuple(task.name for task in tasks), 8, draw), tasks, seed)
    convolved = convolutions(model.blocks)
    smallest = narrowed(model.blocks, dict.fromkeys(convolved, 1)).parameters(model.tasks)
    target = smallest + int(share * (size(model) - smallest))
    mask = mask_of(model, target)
    smaller = cut(model, mask)
    # The numbers of the small model are the kept ones, and the formulas count them.
    assert size(smaller) == kept_parameters(model, mask) == blocks_cost(smaller.blocks, tasks).parameters
    assert size(smaller) <= max(target, smallest)
    for name, tensor in smaller.named_parameters():
        whole = model.get_parameter(name)
        kept = whole[mask[name]] if name in mask else whole.flatten()
        torch.testing.assert_close(tensor.flatten(), kept.flatten(), rtol=0, atol=0)
    assert_same_answers(masked(model, mask), smaller, torch.randn(2, 1, 64, 12))
    # The strongest of the removed channels back: the model is too large.
    removed = removed_channels(model, mask)
    if removed:
        back = Counter(place for _, place, _ in sorted(removed)[:-1])
        channels = {place: layer.out_channels - back[place] for place, layer in convolved.items()}
        assert narrowed(model.blocks, channels).parameters(model.tasks) > target
    check_order(model, mask)


def removed_channels(model: TreeModel, mask: Mask) -> list[tuple[float, object, int]]:
    """(Mean absolute weight, place, index) of every removed channel."""
    found: list[tuple[float, object, int]] = []
    for place in convolutions(model.blocks):
        name = f"{place.name}.weight"
        means = model.get_parameter(name).detach().double().abs().mean((1, 2, 3))
        kept = mask[name].any(3).any(2).any(1) if name in mask else torch.ones(len(means), dtype=torch.bool)
        assert kept.any()
        found.extend((float(means[index]), place, index) for index in torch.nonzero(~kept).flatten().tolist())
    return found


def check_order(model: TreeModel, mask: Mask) -> None:
    """A kept channel is no weaker than any removed one, unless it is the strongest of its convolution."""
    removed = {(place, index) for _, place, index in removed_channels(model, mask)}
    strongest = max((mean for mean, _, _ in removed_channels(model, mask)), default=0.0)
    for place in convolutions(model.blocks):
        means = model.get_parameter(f"{place.name}.weight").detach().double().abs().mean((1, 2, 3)).tolist()
        kept = sorted(mean for index, mean in enumerate(means) if (place, index) not in removed)
        assert all(mean >= strongest for mean in kept[:-1])


def test_a_step_and_the_mask_again_keep_zeros() -> None:
    model = build(get_template("cnn8"), BranchTree.flat(["a", "c"], 4, 8), [KINDS["a"], KINDS["c"]])
    mask = mask_of(model, 25_000)
    pruned = masked(model, mask).train()
    optimiser = torch.optim.Adam(pruned.parameters(), 0.01)
    for _ in range(2):
        optimiser.zero_grad()
        scores = pruned(torch.randn(4, 1, 64, 16))
        torch.autograd.backward([one.square().sum() for one in scores.values()])
        optimiser.step()
        apply_mask(pruned, mask)
    assert all(not pruned.get_parameter(name)[~kept].any() for name, kept in mask.items())
    assert any(not torch.equal(one, model.get_parameter(name)) for name, one in pruned.named_parameters())
    assert_same_answers(pruned.eval(), cut(pruned, mask), torch.randn(4, 1, 64, 16))


def test_masked_and_cut_models_learn_alike() -> None:
    model = build(get_template("cnn8"), BranchTree.flat(["a", "c"], 4, 8), [KINDS["a"], KINDS["c"]])
    mask = mask_of(model, 25_000)
    pruned = masked(model, mask).train()
    smaller = cut(pruned, mask)
    assert smaller.training
    inputs = torch.randn(4, 1, 64, 16)
    for one in (pruned, smaller):
        one(inputs)["a"].square().sum().backward()
    gradients = dict(pruned.named_parameters())
    for name, parameter in smaller.named_parameters():
        if name.startswith(("nodes.0", "heads.0")):
            whole, gradient = gradients[name].grad, parameter.grad
            assert whole is not None
            assert gradient is not None
            wanted = whole[mask[name]].view_as(gradient) if name in mask else whole
            torch.testing.assert_close(gradient, wanted, atol=1e-4, rtol=1e-3)


def test_a_cut_model_is_cut_again_and_nothing_random_is_drawn() -> None:
    model = build(get_template("cnn8"), BranchTree.flat(["a", "b"], 4, 8), [KINDS["a"], KINDS["b"]])
    state = torch.get_rng_state()
    first = cut(model, mask_of(model, 30_000))
    second = cut(first, mask_of(first, 20_000))
    assert torch.equal(torch.get_rng_state(), state)
    once = cut(model, mask_of(model, 20_000))
    assert size(second) <= 20_000
    assert abs(size(second) - size(once)) < 2_000


def test_a_target_that_is_met_removes_nothing() -> None:
    model = build(get_template("cnn8"), BranchTree.flat(["a"], 0, 8), [KINDS["a"]])
    mask = mask_of(model, size(model))
    assert mask == {}
    same = cut(model, mask)
    assert all(torch.equal(one, same.state_dict()[name]) for name, one in model.state_dict().items())
    assert all(one.data_ptr() != model.get_parameter(name).data_ptr() for name, one in same.named_parameters())


def test_weak_channels_go_first_whatever_their_number_of_weights() -> None:
    model = build(get_template("cnn8"), BranchTree.flat(["a"], 0, 8), [KINDS["a"]])
    with torch.no_grad():
        model.get_parameter("nodes.0.0.0.weight")[3] = 1e-4
        model.get_parameter("nodes.0.5.0.weight")[7] = 1e-5
    mask = mask_of(model, size(model) - 600)
    assert not mask["nodes.0.0.0.weight"][3].any()
    assert not mask["nodes.0.1.0.weight"][:, 3].any()
    assert mask["nodes.0.1.0.weight"].flatten(2).any(2).sum() == 16 * 15
    assert not mask["nodes.0.5.1.weight"][7]
    assert not mask["nodes.0.6.0.weight"][:, 7].any()


def test_what_is_too_small_is_refused() -> None:
    model = build(get_template("cnn8"), BranchTree.flat(["a"], 0, 8), [KINDS["a"]])
    with pytest.raises(
        InvalidInput, match=r"^target: one channel per convolution leaves \d+ parameters of cnn8; got 2"
    ):
        mask_of(model, 2)


def test_masks_of_something_else_are_refused() -> None:
    model = build(get_template("cnn8"), BranchTree.flat(["a"], 0, 8), [KINDS["a"]])
    mask = dict(mask_of(model, 20_000))
    with pytest.raises(InvalidInput, match=r"^mask: .*nodes\.0\.6\.1\.bias does not fit"):
        cut(model, {name: one for name, one in mask.items() if name != "nodes.0.6.1.bias"})
    single = torch.ones(16, 1, 3, 3, dtype=torch.bool)
    single[0, 0, 0, 0] = False
    with pytest.raises(InvalidInput, match=r"^mask: .*nodes\.0\.0\.0\.weight"):
        cut(model, {"nodes.0.0.0.weight": single})
    with pytest.raises(InvalidInput, match="keeps a channel or more"):
        cut(model, {"nodes.0.0.0.weight": torch.zeros(16, 1, 3, 3, dtype=torch.bool)})


def test_encoders_with_shortcuts_are_refused() -> None:
    model = build(get_template("resnet-deep", 0.25), BranchTree.flat(["a"], 0, 13), [KINDS["a"]])
    with pytest.raises(InvalidInput, match="no channels can be taken out of resnet-deep"):
        mask_of(model, 1_000)
    with pytest.raises(InvalidInput, match="no channels can be taken out of resnet-deep"):
        cut(model, {})
    blocks = NodeBlocks.of(model.tree, model.blocks.template)
    assert blocks == model.blocks

"""Sizes of pruned models of every template, and counts of what can be pruned, against PyTorch's own tensors."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from taskgraft.evaluators.compression.kernel_masks import kernels, pruned
from taskgraft.evaluators.compression.masks import apply_mask
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.sizes import Sizes
from taskgraft.space.cost import tree_cost
from taskgraft.space.gates import Over, TaskGate
from taskgraft.space.pruning import fixed_parameters, kernel_weights
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.template import Template
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree

TASKS = (Task("a", TaskKind.CLIP, 3), Task("b", TaskKind.CLIP, 7))
TEMPLATES = [
    *(get_template(name) for name in ("cnn8", "cp-mobile", "cp-mobile-rnn", "crnn", "transformer-s", "resnet-deep")),
    get_template("cnn-bilstm", 0.25),
    get_template("cnn8", front_end="waveform"),
    replace(get_template("cnn8"), gate=TaskGate(Over.STEP)),
    replace(get_template("cnn8"), gate=TaskGate(Over.CHANNELS)),
]


def name_of(template: Template) -> str:
    return f"{template.name}-{template.front_end.kind}-{type(template.gate).__name__}"


def tree(template: Template, shared: int) -> BranchTree:
    return BranchTree.flat("ab", shared, template.depth)


def tensors(model: TreeModel) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("template", TEMPLATES, ids=name_of)
def test_counts_are_those_of_the_model(template: Template) -> None:
    for shared in (0, 2, template.depth):
        model = TreeModel(tree(template, shared), template, TASKS)
        trained = dict(model.named_parameters())
        own = kernels(trained)
        assert kernel_weights(model.tree, template) == sum(map(Tensor.numel, own.values()))
        fixed = sum(tensor.numel() for name, tensor in trained.items() if name not in own)
        assert fixed_parameters(model.tree, template, TASKS) == fixed


@pytest.mark.parametrize("template", TEMPLATES, ids=name_of)
def test_a_pruned_model_has_the_parameters_that_pruning_left(template: Template) -> None:
    model = TreeModel(tree(template, 2), template, TASKS)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name not in kernels({name: parameter}):
                parameter.zero_()  # what is no kernel may be 0, and still counts
    keep = kernel_weights(model.tree, template) // 3
    apply_mask(model, pruned(dict(model.named_parameters()), keep))
    sizes = Sizes.of(tensors(model), is_pruned=True)
    parameters = tree_cost(model.tree, template, TASKS).parameters or 0
    assert parameters - sizes.pruned == fixed_parameters(model.tree, template, TASKS) + keep
    own = kernels(model.state_dict())
    others = sum(tensor.nbytes for name, tensor in tensors(model).items() if name not in own)
    masks = sum(-(-kernel.numel() // 8) for kernel in own.values() if not kernel.all())
    assert sizes.packed_bytes == others + 4 * keep + masks


@pytest.mark.parametrize("template", TEMPLATES, ids=name_of)
def test_columns_have_one_set_of_kernels_and_each_the_rest(template: Template) -> None:
    """Positions and filters of front ends are each column's own, though they have several axes."""
    model = TreeModel(tree(template, 0), template, TASKS)
    torch.manual_seed(0)
    alone = [name.split(".", 2)[2] for name in kernels(dict(model.named_parameters())) if name.startswith("nodes.1.")]
    weights, union = dict(model.named_parameters()), 0
    with torch.no_grad():
        for name in alone:
            masks = [torch.rand(weights[f"nodes.{place}.{name}"].shape) < 0.4 for place in (1, 2)]
            values = torch.rand(masks[0].shape) + 0.1
            union += int((masks[0] | masks[1]).sum())
            for place, mask in zip((1, 2), masks, strict=True):
                weights[f"nodes.{place}.{name}"].copy_(values * mask)
    sizes = Sizes.of_columns(tensors(model))
    parameters = tree_cost(model.tree, template, TASKS).parameters or 0
    assert parameters - sizes.pruned == fixed_parameters(model.tree, template, TASKS) + union
    own = kernels(model.state_dict())
    others = sum(tensor.nbytes for name, tensor in tensors(model).items() if name not in own)
    assert sizes.packed_bytes == others + 4 * union + sum(-(-kernel.numel() // 8) for kernel in own.values())
    assert sizes.stored_bytes == sum(tensor.nbytes for tensor in tensors(model).values())

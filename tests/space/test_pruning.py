"""How many weights pruning leaves, and how wide a network is that is pruned: against plain sums and scans."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.space.cost import independent_parameters, tree_cost
from taskgraft.space.gates import Over, TaskGate
from taskgraft.space.narrowing import one_channel_each
from taskgraft.space.pruning import fixed_parameters, kernel_weights, weights_within, width_as_large_as_independent
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.template import Template
from taskgraft.space.templates.registry import TEMPLATES, get_template, resized
from taskgraft.space.tree import BranchTree

TASKS = tuple(Task(name, TaskKind.CLIP, classes) for name, classes in zip("abc", (2, 5, 35), strict=True))
CNN8 = get_template("cnn8")
GATED = replace(CNN8, gate=TaskGate(Over.STEP))
SMALL = ("cnn8", "cp-mobile", "crnn", "cnn-bilstm", "transformer-s", "resnet-deep")


def flat(template: Template, shared: int | None = None, tasks: int = 3) -> BranchTree:
    return BranchTree.flat("abc"[:tasks], template.depth if shared is None else shared, template.depth)


def test_kernels_of_cnn8_by_hand() -> None:
    """Twelve convolutions of 3x3, and none of their 2 x 156 scales and shifts of normalisations."""
    assert kernel_weights(flat(CNN8), CNN8) == CNN8.kernels == 24_651
    assert fixed_parameters(flat(CNN8), CNN8, TASKS) == 24_963 - 24_651 + sum(
        CNN8.head(task).parameters(CNN8.encoded, task.outputs) for task in TASKS
    )


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_blocks_that_are_not_shared_are_counted_for_each_task(name: str) -> None:
    template = TEMPLATES[name]
    apart, together = kernel_weights(flat(template, 0), template), kernel_weights(flat(template), template)
    assert (together, apart) == (template.kernels, 3 * template.kernels)
    for shared in range(1, template.depth):
        own = sum(block.kernels for block in template.blocks[shared:])
        assert kernel_weights(flat(template, shared), template) == template.kernels + 2 * own


@given(st.data(), st.sampled_from([CNN8, GATED, get_template("transformer-s")]))
def test_a_tree_with_so_many_weights_has_the_size(data: st.DataObject, template: Template) -> None:
    tree = flat(template, data.draw(st.integers(0, template.depth)))
    whole, fixed = tree_cost(tree, template, TASKS).parameters or 0, fixed_parameters(tree, template, TASKS)
    size = data.draw(st.integers(1, whole))
    if size > fixed:
        kept = weights_within(tree, template, TASKS, size)
        assert 1 <= kept <= kernel_weights(tree, template)
        assert kept + fixed == size
    else:
        with pytest.raises(InvalidInput) as refused:
            weights_within(tree, template, TASKS, size)
        (fault,) = refused.value.faults
        assert fault.where == "size"
        rule = f"heads, biases and normalisations alone have {fixed:,} parameters, and are not pruned; got {size:,}"
        assert fault.message == rule


def test_gates_are_not_pruned() -> None:
    for shared in range(9):
        plain, gated = (fixed_parameters(flat(CNN8, shared), one, TASKS) for one in (CNN8, GATED))
        more = (tree_cost(flat(CNN8, shared), GATED, TASKS).parameters or 0) - (
            tree_cost(flat(CNN8, shared), CNN8, TASKS).parameters or 0
        )
        assert gated - plain == more > 0


@pytest.mark.parametrize("tasks", [2, 3])
@pytest.mark.parametrize("template", [*map(get_template, SMALL), GATED, get_template("cnn8", 0.37)])
def test_the_width_is_the_least_of_a_scan(template: Template, tasks: int) -> None:
    own = TASKS[:tasks]
    size = independent_parameters(template, own)

    def parameters(hundredths: int) -> int:
        found = resized(template, hundredths / 100)
        return tree_cost(flat(found, tasks=tasks), found, own).parameters or 0

    scanned = next(width for width in range(round(100 * template.width), 1000) if parameters(width) >= size)
    found = width_as_large_as_independent(template, own)
    assert found == scanned / 100
    assert resized(template, found).gate == template.gate


@pytest.mark.parametrize(
    ("name", "shared", "share"), [("cnn8", 8, 0.09), ("alexnet", 6, 0.18), ("cnn-bilstm", 1, 0.95)]
)
def test_what_channels_leave_at_least(name: str, shared: int, share: float) -> None:
    """Little, unless most weights are in layers that lose no channels: LSTM cells, or heads behind a hidden layer."""
    template = get_template(name)
    tree = flat(template, shared)
    least, whole = one_channel_each(tree, template, TASKS), tree_cost(tree, template, TASKS).parameters or 0
    assert share / 2 < least / whole < share


def test_one_channel_each_of_cnn8_by_hand() -> None:
    """Of each of eight convolutions 9 weights, a scale and a shift; all but the first layer of the heads stays."""
    _, bands, frames = CNN8.encoded
    heads = sum(CNN8.head(task).parameters((1, bands, frames), task.outputs) for task in TASKS)
    assert one_channel_each(flat(CNN8), CNN8, TASKS) == 8 * (9 + 2) + heads

"""The sizes of known encoders, against what their sources print."""

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.space.cost import tree_cost
from taskgraft.space.document import read_tree_document, tree_document
from taskgraft.space.heads import BiGruHead, PoolHead
from taskgraft.space.tasks import Task
from taskgraft.space.template import Template
from taskgraft.space.templates.registry import TEMPLATES, get_template
from taskgraft.space.tree import BranchTree

POOLED = BiGruHead(128, pooled=True)
EVENTS = 10


def macs(name: str, frames: int) -> int:
    template = get_template(name)
    return sum(block.macs(shape) for block, shape in zip(template.blocks, template.shapes(frames), strict=False))


def test_cp_mobile_is_the_baseline_of_dcase_2024_task_1() -> None:
    template = get_template("cp-mobile")
    cost = tree_cost(BranchTree.flat(["scene"], 7, 7), template, [Task("scene", classes=10)])
    assert cost.parameters == 61_148
    # 65 frames: one second without frames beyond its end. 2,708 more are counted there for the normalisation.
    assert macs("cp-mobile", 65) + PoolHead().macs(template.shapes(65)[-1], 10) == 29_416_448 == 29_419_156 - 2_708


def test_the_encoder_of_scenes_and_events_has_the_published_sizes() -> None:
    template = get_template("cnn")
    scene = tree_cost(BranchTree.flat(["scene"], 8, 8), template, [Task("scene", classes=10)])
    assert (scene.parameters, template.encoder_parameters) == (60_087, 54_412)
    assert scene.macs_per_second == pytest.approx(29e6, rel=0.005)
    assert template.blocks == get_template("crnn").blocks
    encoded = template.shapes(template.frames)[-1]
    assert (encoded[0] * encoded[1], encoded[2]) == (224, 25)
    assert POOLED.parameters(encoded, EVENTS) == 573_460
    events = template.encoder_parameters + POOLED.parameters(encoded, EVENTS)
    assert events == pytest.approx(628e3, rel=0.005)
    assert macs("crnn", 100) + POOLED.macs(encoded, EVENTS) == pytest.approx(43e6, rel=0.005)
    both = (scene.parameters or 0) + POOLED.parameters(encoded, EVENTS)
    assert both == 633_547 == pytest.approx(633.5e3, rel=0.005)
    both_macs = (scene.macs_per_second or 0) + POOLED.macs(encoded, EVENTS)
    assert both_macs == pytest.approx(43.2e6, rel=0.005)


def test_cp_mobile_with_recurrence_is_within_a_tenth_of_both_published_sizes() -> None:
    """966k and 34M; the source does not say how wide its last two blocks are, and no width fits both."""
    template = get_template("cp-mobile-rnn")
    encoded = template.shapes(100)[-1]
    assert template.encoder_parameters + POOLED.parameters(encoded, EVENTS) == pytest.approx(966e3, rel=0.1)
    assert macs("cp-mobile-rnn", 100) + POOLED.macs(encoded, EVENTS) == pytest.approx(34e6, rel=0.1)


@pytest.mark.parametrize(
    ("name", "classes", "parameters"),
    [("vgg11", 4, 61_652_740), ("alexnet", 4, 17_073_348), ("cnn8", 2, 24_963 + 2_819)],
)
def test_a_single_task_has_the_published_size(name: str, classes: int, parameters: int) -> None:
    template = get_template(name)
    tree = BranchTree.flat(["emotion"], template.depth, template.depth)
    assert tree_cost(tree, template, [Task("emotion", classes=classes)]).parameters == parameters


def test_three_tasks_that_share_all_of_vgg11_with_batch_normalisation_have_the_published_size() -> None:
    template = get_template("vgg11-bn")
    tasks = [Task("emotion", classes=4), Task("speaker", classes=10), Task("gender", classes=2)]
    assert tree_cost(BranchTree.flat([task.name for task in tasks], 9, 9), template, tasks).parameters == 63_762_576
    assert template.encoder_parameters - get_template("vgg11").encoder_parameters == 5_504


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=lambda template: template.name)
def test_published_sizes_are_near(template: Template) -> None:
    for published in template.published:
        shapes = template.shapes(published.frames)
        near = 0.1 if template.name == "cp-mobile-rnn" else 0.009
        ours = published.parameters_of_ours(template.layers, shapes[-1])
        assert ours == pytest.approx(published.parameters, rel=near)
        if published.macs:
            assert published.macs_of_ours(template.layers, shapes[0]) == pytest.approx(published.macs, rel=near)
        assert (near < 0.1) or published.remark, "a deviation is explained"


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_narrow_template_has_the_same_layers_with_fewer_channels(name: str) -> None:
    full, narrow = get_template(name), get_template(name, 0.25)
    assert [[type(one) for one in block.layers] for block in narrow.blocks] == [
        [type(one) for one in block.layers] for block in full.blocks
    ]
    assert 0 < narrow.encoder_parameters < full.encoder_parameters / 3
    assert (narrow.heads, narrow.front_end, narrow.time_stride) == (full.heads, full.front_end, full.time_stride)
    assert get_template(name, 1.0) is full
    assert narrow != full
    tree = BranchTree.flat(["a"], narrow.depth, narrow.depth)
    assert read_tree_document(tree_document(tree, narrow, 0.1)).template == narrow
    assert "width" not in tree_document(tree, full, 0.1)


@pytest.mark.parametrize("width", [0.0, -1.0, 1.01, float("nan")])
def test_a_width_is_above_0_and_at_most_1(width: float) -> None:
    with pytest.raises(InvalidInput, match="a width is above 0 and at most 1"):
        get_template("cnn8", width)

"""Modules of gates: the formula, who shares what, and models that are put together from parts with gates."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from taskgraft.evaluators.assembly import assemble_model
from taskgraft.evaluators.grafting import graft_trunk
from taskgraft.evaluators.models.gates import GatedHead, TaskAttention, build_gate
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.training import pack_weights
from taskgraft.evaluators.trunk import Trunk
from taskgraft.evaluators.weighting.weights import head_parts, node_parts
from taskgraft.space.cost import tree_cost
from taskgraft.space.gates import EMBEDDING, Over, TaskGate
from taskgraft.space.layers import Shape
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.template import Template
from taskgraft.space.templates.registry import TEMPLATES
from taskgraft.space.tree import BranchTree, Node

EVERY = pytest.mark.parametrize("over", Over)
TASKS = [Task("a", classes=3), Task("b", TaskKind.FRAMES), Task("c")]
BY_NAME = {task.name: task for task in TASKS}
SHAPE: Shape = 5, 2, 7


def gated(over: Over, name: str = "cnn8") -> Template:
    return replace(TEMPLATES[name], gate=TaskGate(over))


def gate_of(over: Over, shape: Shape = SHAPE) -> TaskAttention:
    gate = build_gate(TaskGate(over), shape)
    assert isinstance(gate, TaskAttention)
    return gate


def model_of(tree: BranchTree, template: Template, seed: int = 0) -> TreeModel:
    torch.manual_seed(seed)
    model = TreeModel(tree, template, [BY_NAME[name] for name in tree.tasks])
    model.train()(features(seed + 1))  # gives the batch normalisation statistics to go by
    return model.eval()


def features(seed: int = 0) -> Tensor:
    return torch.randn(4, 1, 64, 16, generator=torch.Generator().manual_seed(seed))


@EVERY
def test_without_weights_it_lets_half_of_everything_through(over: Over) -> None:
    gate = gate_of(over)
    for weight in gate.parameters():
        nn.init.zeros_(weight)
    encoded = torch.randn(3, *SHAPE)
    assert torch.equal(gate(encoded, torch.randn(1, EMBEDDING)), encoded / 2)


@EVERY
def test_it_is_the_formula(over: Over) -> None:
    gate, encoded, embedding = gate_of(over), torch.randn(3, *SHAPE), torch.randn(1, EMBEDDING)
    channels, bands, steps = SHAPE
    with torch.no_grad():
        seen = gate(encoded, embedding)
        bias = gate.task.weight @ embedding[0]
        for clip, step in product(range(3), range(steps)):
            parts = [range(bands)] if over is Over.STEP else [[band] for band in range(bands)]
            for part in parts:
                own = torch.cat([encoded[clip, :, band, step] for band in part])
                expected = torch.sigmoid(gate.features.weight @ own + bias) * own
                found = torch.cat([seen[clip, :, band, step] for band in part])
                torch.testing.assert_close(found, expected)
    assert len(bias) == (channels * bands if over is Over.STEP else channels)


@EVERY
@pytest.mark.parametrize("shape", [SHAPE, (6, 1, 1), (3, 4, 25)])
def test_gates_are_as_their_specifications_say(over: Over, shape: Shape) -> None:
    spec = TaskGate(over)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        gate, head = gate_of(over, shape), GatedHead(nn.Identity())
        seen = gate.answer(head, torch.randn(1, *shape))
    assert seen.shape == (1, *shape)
    assert sum(weight.numel() for weight in gate.parameters()) == spec.shared_parameters(shape)
    assert sum(weight.numel() for weight in head.parameters()) == spec.task_parameters()
    assert counter.get_total_flops() == 2 * spec.macs(shape), "a product and a sum each"


@EVERY
@pytest.mark.parametrize("name", TEMPLATES)
def test_trees_have_the_parameters_that_are_counted(name: str, over: Over) -> None:
    template = gated(over, name)
    tasks = [Task("a", classes=3), Task("b"), Task("c")]
    for shared in (0, 1, template.depth):
        tree = BranchTree.flat("abc", shared, template.depth)
        with torch.device("meta"):
            model = TreeModel(tree, template, tasks)
        found = sum(weight.numel() for weight in model.parameters())
        assert found == tree_cost(tree, template, tasks).parameters


@EVERY
def test_gradients_reach_all_that_a_task_uses_and_nothing_else(over: Over) -> None:
    model = model_of(BranchTree.flat("abc", 8, 8), gated(over))
    model(features())["a"].square().sum().backward()
    used = {name for name, weight in model.named_parameters() if weight.grad is not None and weight.grad.any()}
    assert {"gates.0.features.weight", "gates.0.task.weight", "heads.0.embedding"} <= used
    assert not {name for name in used if name.startswith(("heads.1", "heads.2"))}
    assert {name for name in used if name.startswith("nodes.0")}


PAIR = Node(("a", "c"), (0, 5), (Node(("a",), (5, 8)), Node(("c",), (5, 8))))
FOREST = BranchTree(Node(("a", "b", "c"), (0, 0), (PAIR, Node(("b",), (0, 8)))), 8)


def test_models_that_share_no_block_share_no_gate() -> None:
    model = model_of(FOREST, gated(Over.STEP))
    model(features())["b"].square().sum().backward()
    grads = {name: weight.grad for name, weight in model.gates.named_parameters()}
    assert {name for name, grad in grads.items() if grad is not None} == {"4.features.weight", "4.task.weight"}
    assert {name.split(".")[0] for name in grads} == {"1", "4"}


def test_every_weight_has_its_part_by_its_tasks() -> None:
    model = model_of(FOREST, gated(Over.STEP))
    parts = [*node_parts(model), *head_parts(model)]
    weights = [weight for part in parts for weight in part.weights]
    assert {id(weight) for weight in weights} == {id(weight) for weight in model.parameters()}
    assert len(weights) == len({id(weight) for weight in weights})
    tasks = {id(weight): part.tasks for part in parts for weight in part.weights}
    named = {name: tasks[id(weight)] for name, weight in model.named_parameters()}
    assert named["gates.1.features.weight"] == ("a", "c")
    assert named["gates.4.task.weight"] == ("b",)
    assert named["heads.2.embedding"] == ("c",)


@EVERY
def test_each_part_answers_in_the_whole_as_it_did_alone(over: Over) -> None:
    template = gated(over)
    models = [model_of(BranchTree(root, 8), template, seed) for seed, root in enumerate(FOREST.root.children, start=1)]
    parts = [(model.tree, pack_weights(model)) for model in reversed(models)]
    whole = assemble_model(FOREST, template, BY_NAME, parts)
    with torch.inference_mode():
        together = whole(features())
        for model in models:
            for task, alone in model(features()).items():
                assert torch.equal(together[task], alone)


@pytest.mark.parametrize(
    "tree", [BranchTree.flat("b", 8, 8), BranchTree.flat("ca", 0, 8), BranchTree.flat("abc", 6, 8), FOREST]
)
def test_a_model_that_starts_from_a_trunk_says_what_the_trunk_says(tree: BranchTree) -> None:
    template = gated(Over.STEP)
    whole = model_of(BranchTree.flat("abc", 8, 8), template, seed=3)
    model = model_of(tree, template)
    graft_trunk(model, Trunk(whole.tree.tasks, pack_weights(whole)))
    with torch.inference_mode():
        expected, found = whole(features()), model(features())
    for task in tree.tasks:
        torch.testing.assert_close(found[task], expected[task], rtol=0, atol=1e-6)

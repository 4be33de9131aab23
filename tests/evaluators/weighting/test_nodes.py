"""Gradients node by node, against brute force with autograd."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from taskgraft.errors import TrainingFailed
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.weighting.aggregations import Drawn, Stateless, torchjd_aggregator
from taskgraft.evaluators.weighting.aggregators import Aggregator, NashMTL, PCGrad
from taskgraft.evaluators.weighting.gradnorm import GradNorm
from taskgraft.evaluators.weighting.nash import Bargains
from taskgraft.evaluators.weighting.nodes import NodeWeighting
from taskgraft.evaluators.weighting.norms import shared_blocks
from taskgraft.evaluators.weighting.plain import Sum
from taskgraft.evaluators.weighting.protocol import State
from taskgraft.evaluators.weighting.registry import WEIGHTINGS
from taskgraft.space.tree import BranchTree
from tests.evaluators.weighting.settings import NAMES, NESTED, PARTS, gradients, losses_of, make_model, setting_for

TREES = [NESTED, PARTS, BranchTree.flat(NAMES, 4, 8), BranchTree.flat(NAMES, 0, 8), BranchTree.flat(NAMES, 8, 8)]
AGGREGATORS = [name for name, kind in WEIGHTINGS.items() if issubclass(kind, Aggregator)]


@dataclass
class Recorder:
    """A rule that keeps what it is asked, and answers with a multiple of the sum."""

    times: float = 1.0
    asked: dict[int, tuple[tuple[str, ...], Tensor]] = field(default_factory=dict)

    def combine(self, node: int, tasks: tuple[str, ...], gradients: Tensor) -> Tensor:
        assert node not in self.asked
        self.asked[node] = (tasks, gradients)
        return self.times * gradients.sum(0)

    @property
    def state(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        pass


@settings(max_examples=15, deadline=None)
@given(tree=st.sampled_from(TREES), tasks=st.sets(st.sampled_from(NAMES), min_size=1), seed=st.integers(0, 3))
def test_a_node_sees_the_gradients_of_exactly_its_tasks(tree: BranchTree, tasks: set[str], seed: int) -> None:
    model, chosen = make_model(tree, seed), [name for name in tree.tasks if name in tasks]
    rule = Recorder()
    NodeWeighting(setting_for(model), rule).backward(losses_of(model, chosen, seed))
    shared = {
        place: tuple(name for name in node.tasks if name in tasks)
        for place, node in enumerate(tree.nodes())
        if node.length and len(tasks & set(node.tasks)) > 1
    }
    assert {place: names for place, (names, _) in rule.asked.items()} == shared
    for place, (names, found) in rule.asked.items():
        weights = list(model.nodes[str(place)].parameters())
        for row, name in enumerate(names):
            loss = losses_of(model, chosen, seed)[name]
            expected = torch.cat([slope.flatten() for slope in torch.autograd.grad(loss, weights)])
            assert torch.allclose(found[row], expected)


@pytest.mark.parametrize("tree", TREES, ids=["nested", "parts", "half", "independent", "whole"])
def test_only_what_tasks_share_is_aggregated(tree: BranchTree) -> None:
    model, plain = make_model(tree), make_model(tree)
    NodeWeighting(setting_for(model), Recorder(times=3)).backward(losses_of(model, NAMES))
    Sum().build(setting_for(plain)).backward(losses_of(plain, NAMES))
    found, expected, nodes = gradients(model), gradients(plain), list(tree.nodes())
    for name, slope in expected.items():
        kind, place, *_ = name.split(".")
        factor = 3 if kind == "nodes" and len(nodes[int(place)].tasks) > 1 else 1
        assert slope is not None
        ours = found[name]
        assert ours is not None
        assert torch.allclose(ours, factor * slope), name


@pytest.mark.parametrize("name", AGGREGATORS)
def test_a_step_of_one_loss_has_its_plain_gradient(name: str) -> None:
    model, plain = make_model(NESTED), make_model(NESTED)
    WEIGHTINGS[name]().build(setting_for(model)).backward(losses_of(model, ["c"]))  # type: ignore[call-arg]
    Sum().build(setting_for(plain)).backward(losses_of(plain, ["c"]))
    found, expected = gradients(model), gradients(plain)
    for weight, slope in expected.items():
        assert (found[weight] is None) == (slope is None), weight
        assert slope is None or torch.equal(slope, found[weight]), weight  # type: ignore[arg-type]


@pytest.mark.parametrize("name", AGGREGATORS)
def test_gradients_have_the_layout_of_their_weights(name: str) -> None:
    model = make_model(NESTED).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    WEIGHTINGS[name]().build(setting_for(model)).backward(losses_of(model, NAMES))  # type: ignore[call-arg]
    for weight in model.parameters():
        assert weight.grad is not None
        assert weight.grad.stride() == weight.stride()
        assert weight.grad.isfinite().all()


def test_a_loss_that_depends_on_more_than_its_path_has_its_plain_gradient_there() -> None:
    """Of a penalty on the columns of other tasks, and of a weight beside the model's."""
    beside = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
    tree = BranchTree.flat(["a", "b"], 4, 8)
    model, plain = make_model(tree), make_model(tree)

    def losses(of: TreeModel) -> dict[str, Tensor]:
        found, (one, other) = losses_of(of, ["a", "b"]), (of.nodes[place].parameters() for place in ("1", "2"))
        penalty = sum((first - second).square().sum() for first, second in zip(one, other, strict=True))
        return {"a": found["a"] + penalty + beside.square().sum(), "b": found["b"] + penalty + beside.sum()}

    setting = replace(setting_for(model), others=[beside])
    NodeWeighting(setting, Recorder()).backward(losses(model))
    assert beside.grad is not None
    assert beside.grad.tolist() == [3, 3]
    beside.grad = None
    Sum().build(setting_for(plain)).backward(losses(plain))
    found, expected = gradients(model), gradients(plain)
    for name, slope in expected.items():
        assert torch.allclose(found[name], slope), name  # type: ignore[arg-type]


def test_frozen_weights_get_no_gradient() -> None:
    model = make_model(NESTED)
    model.nodes["0"].requires_grad_(requires_grad=False)
    rule = Recorder()
    NodeWeighting(setting_for(model), rule).backward(losses_of(model, NAMES))
    assert all(weight.grad is None for weight in model.nodes["0"].parameters())
    assert 0 not in rule.asked
    norms = GradNorm().build(setting_for(model))
    model.zero_grad()
    norms.backward(losses_of(model, NAMES))
    assert norms.state["values"].tolist() == [1, 1, 1, 1]


def test_pcgrad_of_two_gradients_that_conflict() -> None:
    conflict = torch.tensor([[1.0, 0.0], [-1.0, 1.0]])
    rule = PCGrad().aggregation(setting_for(make_model(BranchTree.flat(NAMES, 4, 8))))
    assert rule.combine(0, ("a", "b"), conflict).tolist() == [0.5, 1.5]


@pytest.mark.parametrize("name", AGGREGATORS)
def test_gradients_that_agree_are_kept(name: str) -> None:
    """Of two equal gradients, every aggregator makes a multiple of them."""
    rule = WEIGHTINGS[name]()  # type: ignore[call-arg]
    assert isinstance(rule, Aggregator)
    setting = setting_for(make_model(BranchTree.flat(["a", "b"], 4, 8)))
    found = rule.aggregation(setting).combine(0, ("a", "b"), torch.tensor([[3.0, 4.0], [3.0, 4.0]]))
    assert torch.nn.functional.cosine_similarity(found, torch.tensor([3.0, 4.0]), dim=0) == pytest.approx(1, abs=1e-4)


def test_draws_follow_from_the_seed_and_leave_torchs_own_alone() -> None:
    matrix = torch.randn(3, 50, generator=torch.Generator().manual_seed(1))
    drop = torchjd_aggregator("GradDrop", {})
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one, same, other = Drawn(drop, 5), Drawn(drop, 5), Drawn(drop, 6)
    first, second = one.combine(0, (), matrix), one.combine(0, (), matrix)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(first, second)
    assert torch.equal(same.combine(0, (), matrix), first)
    assert not torch.equal(other.combine(0, (), matrix), first)
    other.restore(same.state)
    assert torch.equal(other.combine(0, (), matrix), second)


def test_bargains_begin_at_the_weights_of_their_own_node_and_tasks() -> None:
    """As TorchJD's own object for each node, step after step; another number of tasks takes nothing from it."""
    from torchjd.aggregation import NashMTL as Own

    ours, generator = Bargains(NESTED, 1.0), torch.Generator().manual_seed(2)
    own = {0: Own(4), 1: Own(3)}
    tasks = {0: NESTED.tasks, 1: ("a", "c", "d")}
    for step in range(3):
        for node, names in tasks.items():
            matrix = torch.randn(len(names), 20, generator=generator)
            if step == 2:  # a state that was saved
                kept, ours = ours.state, Bargains(NESTED, 1.0)
                ours.restore(kept)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expected = own[node](matrix)
            assert torch.equal(ours.combine(node, names, matrix), expected)
    before = ours.state
    ours.combine(2, ("a", "d"), torch.randn(2, 20, generator=generator))
    assert all(np.array_equal(before[node], ours.state[node]) for node in ("0", "1"))
    assert not np.array_equal(before["2"], ours.state["2"])


def test_losses_without_a_gradient_change_nothing() -> None:
    model = make_model(BranchTree.flat(["a", "b"], 4, 8))
    losses = {name: 0.0 * loss for name, loss in losses_of(model, ["a", "b"]).items()}
    NashMTL().build(setting_for(model)).backward(losses)
    assert all(weight.grad is not None and not weight.grad.any() for weight in model.nodes["0"].parameters())


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_a_scale_of_the_losses_scales_the_gradients_and_changes_nothing_else(name: str) -> None:
    options = {"weights": dict.fromkeys(NAMES, 2.0)} if name == "fixed" else {}
    plain, scaled = make_model(NESTED), make_model(NESTED)
    ours = WEIGHTINGS[name](**options).build(setting_for(plain))  # type: ignore[arg-type]
    theirs = WEIGHTINGS[name](**options).build(setting_for(scaled, scale=1024.0))  # type: ignore[arg-type]
    for step in range(2):
        for model, weighting in ((plain, ours), (scaled, theirs)):
            model.zero_grad()
            weighting.backward(losses_of(model, NAMES, step))
        expected, found = gradients(plain), gradients(scaled)
        for weight, slope in expected.items():
            there = found[weight]
            assert slope is not None
            assert there is not None
            assert torch.allclose(there / 1024, slope), weight


def test_gradients_that_overflow_are_left_to_the_scaler() -> None:
    model, rule = make_model(BranchTree.flat(["a", "b"], 4, 8)), Recorder()
    losses = {name: np.inf * loss for name, loss in losses_of(model, ["a", "b"]).items()}
    NodeWeighting(setting_for(model, scale=2.0), rule).backward(losses)
    assert not rule.asked
    assert not any(weight.grad is None or weight.grad.isfinite().all() for weight in model.nodes["0"].parameters())


def test_a_solver_that_fails_ends_the_training() -> None:
    class Broken(Stateless):
        def combine(self, node: int, tasks: tuple[str, ...], gradients: Tensor) -> Tensor:
            raise ValueError("no solution")

    model = make_model(BranchTree.flat(["a", "b"], 4, 8))
    weighting = NodeWeighting(setting_for(model), Broken(torchjd_aggregator("MGDA", {})))
    with pytest.raises(TrainingFailed, match="gradients of a, b can't be aggregated: no solution"):
        weighting.backward(losses_of(model, ["a", "b"]))


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (NESTED, {("a", "b", "c", "d"): ("0", 2)}),
        (PARTS, {("a", "b"): ("1", 4), ("c", "d"): ("4", 7)}),
        (BranchTree.flat(NAMES, 0, 8), {}),
    ],
    ids=["nested", "parts", "independent"],
)
def test_the_last_block_that_all_tasks_share(tree: BranchTree, expected: dict[Sequence[str], tuple[str, int]]) -> None:
    model = make_model(tree)
    wanted = {tasks: list(model.nodes[node].children())[block] for tasks, (node, block) in expected.items()}
    assert dict(shared_blocks(model)) == wanted


def test_gradnorm_measures_at_that_block() -> None:
    model = make_model(NESTED)
    weighting = GradNorm(alpha=0.0).build(setting_for(model))
    weighting.backward(losses_of(model, NAMES))
    block = list(list(model.nodes["0"].children())[2].parameters())
    norms = [
        float(torch.cat([slope.flatten() for slope in torch.autograd.grad(loss, block, retain_graph=True)]).norm())
        for loss in losses_of(model, NAMES).values()
    ]
    # Adam's first step has the length of its rate, and the sign of what is above or below the mean norm.
    signs = np.sign(np.array(norms) - np.mean(norms))
    moved = 1 - 0.025 * signs
    assert weighting.state["values"] == pytest.approx(4 * moved / moved.sum(), rel=1e-4)

"""Weightings by the values of losses, against known answers, and against autograd and torch's Adam."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from taskgraft.evaluators.weighting.dwa import EpochRatios
from taskgraft.evaluators.weighting.factors import Adam, Factors
from taskgraft.evaluators.weighting.gradnorm import Balance
from taskgraft.evaluators.weighting.proportional import Shares, SlopesOfShares
from taskgraft.evaluators.weighting.uncertainty import LogVariances, PositiveVariances

LOSSES = st.lists(st.floats(0.01, 100), min_size=1, max_size=5)


def every(tasks: int) -> NDArray[np.intp]:
    return np.arange(tasks)


def after(rule: LogVariances | PositiveVariances, loss: float, steps: int = 4000) -> float:
    """The factor of a task whose loss stays as it is."""
    for _ in range(steps):
        (factor,) = rule.weigh(every(1), np.array([loss]))
    return float(factor)


def test_the_variance_of_a_class_task_is_twice_its_loss() -> None:
    rule = LogVariances(np.ones(1), 0.01)
    assert after(rule, 2.0) == pytest.approx(1 / 4, rel=1e-3)
    assert rule.variances == pytest.approx([4.0], rel=1e-3)


def test_the_variance_of_a_value_task_is_its_loss() -> None:
    rule = LogVariances(np.array([0.5]), 0.01)
    assert after(rule, 2.0) == pytest.approx(1 / 4, rel=1e-3)
    assert rule.variances == pytest.approx([2.0], rel=1e-3)


@settings(deadline=None)
@given(loss=st.floats(0.05, 20))
def test_the_positive_variance_solves_its_equation(loss: float) -> None:
    rule = PositiveVariances(1, 0.02)
    after(rule, loss, 1500)
    assert rule.variances == pytest.approx([(loss + np.sqrt(loss**2 + 8 * loss)) / 4], rel=2e-2)


def test_the_positive_variance_of_a_loss_of_2_is_the_golden_ratio() -> None:
    rule = PositiveVariances(1, 0.01)
    assert after(rule, 2.0) == pytest.approx(1 / (2 * 1.618034), rel=1e-3)
    assert rule.variances == pytest.approx([1.618034], rel=1e-3)


@settings(deadline=None)
@given(steps=st.lists(st.lists(st.floats(0.01, 10), min_size=3, max_size=3), min_size=1, max_size=6))
@pytest.mark.parametrize("positive", [False, True])
def test_variances_are_learned_as_torch_learns_them(steps: list[list[float]], positive: bool) -> None:
    scales = np.array([1.0, 0.5, 1.0])
    rule = PositiveVariances(3, 0.1) if positive else LogVariances(scales, 0.1)
    logs = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logs], lr=0.1)
    for losses in steps:
        given = torch.tensor(losses, dtype=torch.float64, requires_grad=True)
        if positive:
            weighed = (given / (2 * logs.exp()) + (1 + logs.exp()).log()).sum()
        else:
            weighed = (torch.from_numpy(scales) * (-logs).exp() * given + logs / 2).sum()
        optimizer.zero_grad()
        weighed.backward()  # type: ignore[no-untyped-call]
        assert given.grad is not None
        assert rule.weigh(every(3), np.array(losses)) == pytest.approx(given.grad.numpy())
        optimizer.step()
    assert rule.variances == pytest.approx(logs.detach().exp().numpy())


@settings(deadline=None)
@given(steps=st.lists(st.tuples(st.sets(st.integers(0, 2), min_size=1), st.floats(-5, 5)), min_size=1, max_size=8))
def test_adam_is_torchs_for_each_number_by_itself(steps: Sequence[tuple[set[int], float]]) -> None:
    found = Adam(np.ones(3), 0.05)
    numbers = [torch.ones(1, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    optimizers = [torch.optim.Adam([number], lr=0.05) for number in numbers]
    for places, slope in steps:
        found.step(np.array(sorted(places)), np.full(len(places), slope))
        for place in places:
            numbers[place].grad = torch.tensor([slope], dtype=torch.float64)
            optimizers[place].step()
    assert found.values == pytest.approx([number.item() for number in numbers])


def test_shares_of_losses_of_1_and_3() -> None:
    losses = np.array([1.0, 3.0])
    assert Shares().weigh(every(2), losses) == pytest.approx([0.25, 0.75])
    assert (Shares().weigh(every(2), losses) * losses).sum() == 2.5
    assert SlopesOfShares().weigh(every(2), losses) == pytest.approx([-0.125, 0.875])


@settings(deadline=None)
@given(losses=LOSSES)
def test_shares_are_slopes_of_the_weighed_sum(losses: list[float]) -> None:
    for detached, rule in ((True, Shares()), (False, SlopesOfShares())):
        given = torch.tensor(losses, dtype=torch.float64, requires_grad=True)
        weights = given / given.sum()
        ((weights.detach() if detached else weights) * given).sum().backward()  # type: ignore[no-untyped-call]
        assert given.grad is not None
        assert rule.weigh(every(len(losses)), np.array(losses)) == pytest.approx(given.grad.numpy(), abs=1e-12)


def test_losses_of_0_have_equal_shares() -> None:
    assert Shares().weigh(every(2), np.zeros(2)).tolist() == [0.5, 0.5]


def test_a_loss_alone_has_the_whole_share() -> None:
    for loss in (0.1, 1 / 3, 7.3):
        assert Shares().weigh(every(1), np.array([loss])) == 1
        assert SlopesOfShares().weigh(every(1), np.array([loss])) == 1


def test_dynamic_weights_of_ratios_of_a_half_and_1() -> None:
    rule = EpochRatios(2, 2, 2.0)
    for losses in ([4.0, 1.0], [2.0, 3.0], [1.0, 2.0], [2.0, 2.0]):
        assert rule.weigh(every(2), np.array(losses)).tolist() == [1, 1]
    assert rule.weigh(every(2), np.array([9.0, 9.0])) == pytest.approx([0.87565, 1.12435], abs=5e-6)


@settings(deadline=None)
@given(
    losses=st.lists(st.lists(st.floats(0.1, 10), min_size=3, max_size=3), min_size=9, max_size=9),
    temperature=st.floats(0.5, 5),
)
def test_dynamic_weights_follow_from_the_last_two_epochs(losses: list[list[float]], temperature: float) -> None:
    rule = EpochRatios(3, 2, temperature)
    found = [rule.weigh(every(3), np.array(step)) for step in losses]
    means = [np.mean(losses[first : first + 2], axis=0) for first in range(0, 8, 2)]
    for step in range(9):
        epoch = step // 2
        powers = np.exp(means[epoch - 1] / means[epoch - 2] / temperature) if epoch > 1 else np.ones(3)
        assert found[step] == pytest.approx(3 * powers / powers.sum())


def test_a_task_that_had_no_step_in_an_epoch_is_taken_to_stand_still() -> None:
    rule = EpochRatios(3, 1, 2.0)
    rule.weigh(np.array([0, 1]), np.array([1.0, 1.0]))
    rule.weigh(np.array([0, 2]), np.array([0.5, 1.0]))
    powers = np.exp(np.array([0.5, 1.0, 1.0]) / 2)
    assert rule.weigh(every(3), np.ones(3)) == pytest.approx(3 * powers / powers.sum())


def test_norms_of_1_and_3_are_balanced_by_weights_of_3_halves_and_a_half() -> None:
    rule = Balance(2, [[0, 1]], alpha=0, learning_rate=0.002)
    for _ in range(2000):
        rule.weigh(every(2), np.ones(2), np.array([1.0, 3.0]))
    assert rule.weights == pytest.approx([1.5, 0.5], abs=5e-3)
    assert rule.weights.sum() == pytest.approx(2)


def test_a_task_that_learns_slowly_gets_a_larger_gradient() -> None:
    rule = Balance(2, [[0, 1]], alpha=1.5, learning_rate=0.002)
    rule.weigh(every(2), np.array([1.0, 1.0]), np.ones(2))
    for _ in range(3000):
        rule.weigh(every(2), np.array([0.5, 1.0]), np.ones(2))
    fast, slow = rule.weights
    rate = 0.5 / np.mean([0.5, 1.0])
    assert fast == pytest.approx(rate**1.5, abs=5e-3)  # the mean norm is 1, since weights add up to 2
    assert slow == pytest.approx(2 - fast)


@settings(deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.lists(st.floats(0.1, 5), min_size=3, max_size=3), st.lists(st.floats(0.1, 5), min_size=3, max_size=3)
        ),
        min_size=1,
        max_size=6,
    ),
    alpha=st.floats(0, 2),
)
def test_weights_are_learned_down_the_slope_of_gradnorms_loss(
    steps: list[tuple[list[float], list[float]]], alpha: float
) -> None:
    rule = Balance(3, [[0, 1, 2]], alpha, 0.01)
    weights = torch.ones(3, dtype=torch.float64, requires_grad=True)
    optimizer, first = torch.optim.Adam([weights], lr=0.01), torch.tensor(steps[0][0], dtype=torch.float64)
    for losses, norms in steps:
        assert rule.weigh(every(3), np.array(losses), np.array(norms)) == pytest.approx(weights.detach().numpy())
        rates = torch.tensor(losses, dtype=torch.float64) / first
        found = weights * torch.tensor(norms, dtype=torch.float64)
        wanted = (found.mean() * (rates / rates.mean()) ** alpha).detach()
        if (found - wanted).abs().min() < 1e-9:
            return  # the slope has a step there
        optimizer.zero_grad()
        (found - wanted).abs().sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with torch.no_grad():
            weights *= 3 / weights.sum()
    assert rule.weights == pytest.approx(weights.detach().numpy())


def test_weights_stay_above_0() -> None:
    rule = Balance(2, [[0, 1]], alpha=0, learning_rate=1.0)
    for _ in range(50):
        rule.weigh(every(2), np.ones(2), np.array([1e-3, 1e3]))
        assert (rule.weights > 0).all()
        assert rule.weights.sum() == pytest.approx(2)


def test_only_tasks_of_one_group_are_balanced_against_one_another() -> None:
    rule = Balance(4, [[0, 3]], alpha=0, learning_rate=0.1)
    for _ in range(5):
        rule.weigh(np.array([0, 1, 3]), np.ones(3), np.array([1.0, np.nan, 3.0]))
    assert rule.weights[[1, 2]].tolist() == [1, 1]
    assert rule.weights[0] > 1 > rule.weights[3]
    rule.weigh(np.array([0, 1]), np.ones(2), np.array([1.0, np.nan]))
    before = rule.weights
    rule.weigh(np.array([0]), np.ones(1), np.array([9.0]))
    assert (rule.weights == before).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: LogVariances(np.array([1.0, 0.5, 1.0]), 0.1),
        lambda: PositiveVariances(3, 0.1),
        lambda: EpochRatios(3, 2, 2.0),
        Shares,
    ],
)
@settings(deadline=None)
@given(losses=st.lists(st.lists(st.floats(0.01, 10), min_size=3, max_size=3), min_size=2, max_size=9), data=st.data())
def test_a_rule_goes_on_from_its_state(
    make: Callable[[], Factors], losses: list[list[float]], data: st.DataObject
) -> None:
    stop = data.draw(st.integers(0, len(losses) - 1))
    rule, other = make(), make()
    for step in losses[:stop]:
        rule.weigh(every(3), np.array(step))
    other.restore(rule.state)
    for step in losses[stop:]:
        assert rule.weigh(every(3), np.array(step)).tolist() == other.weigh(every(3), np.array(step)).tolist()

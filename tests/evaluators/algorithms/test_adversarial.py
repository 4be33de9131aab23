"""`adversarial`: a head behind gradient reversal learns a label that is no task."""

from dataclasses import replace

import pytest
import torch

from taskgraft.evaluators.algorithms.adversarial import Adversarial, reversal
from taskgraft.evaluators.algorithms.learner import Step
from taskgraft.evaluators.algorithms.registry import SOFT
from taskgraft.evaluators.algorithms.reversed_head import reverse
from taskgraft.evaluators.digest import training_digest
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Trainer
from taskgraft.space.tree import BranchTree
from tests.evaluators.algorithms.runs import digest, finish, schedule_of, trainer_of

PAIR = BranchTree.flat(["shape", "tone"], 6, 8)
PITCH = Adversarial("pitch")


def test_the_factor_grows_from_0_towards_1() -> None:
    assert reversal(50, 100) == pytest.approx(0.98661, abs=5e-6)
    assert reversal(0, 100) == 0
    assert 0 < reversal(1, 100) < reversal(2, 100) < reversal(100, 100) < 1


def test_the_gradient_is_minus_the_factor_times_the_plain_one() -> None:
    random = torch.Generator().manual_seed(0)
    values, weights = torch.randn(4, 3, generator=random), torch.randn(3, generator=random)
    plain, turned = (values.clone().requires_grad_() for _ in range(2))
    (plain @ weights).square().sum().backward()  # type: ignore[no-untyped-call]
    answers = reverse(turned, 0.3)
    assert torch.equal(answers, values)
    (answers @ weights).square().sum().backward()  # type: ignore[no-untyped-call]
    assert plain.grad is not None
    assert turned.grad is not None
    torch.testing.assert_close(turned.grad, -0.3 * plain.grad)


def encoder_slopes(trainer: Trainer, number: int) -> dict[str, torch.Tensor]:
    """The gradient of the encoder by the losses of one step."""
    batch = trainer._steps.batch(0)
    trainer._steps.enter(0)
    features = trainer._input(batch.features).contiguous(memory_format=torch.channels_last)
    losses = trainer._steps.losses(Step(number, batch, features))
    trainer._optimizer.zero_grad()
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert set(losses) == set(trainer._tasks)
    return {name: one.grad.clone() for name, one in trainer._learned.items() if one.grad is not None}


def test_the_encoder_is_pushed_away_and_the_head_learns(nuisance_data: StudyData) -> None:
    """At step 0 the factor is 0, so that the rest is what is reversed."""
    trainers = [trainer_of(algorithm, nuisance_data, PAIR) for algorithm in (SOFT, PITCH, PITCH)]
    plain, still, turned = (
        encoder_slopes(trainer, number) for trainer, number in zip(trainers, (0, 0, 3), strict=True)
    )
    own = [name for name in plain if name.startswith("nodes.0.")]
    for name in own:
        torch.testing.assert_close(still[name], plain[name], rtol=1e-3, atol=1e-5)
    assert any((turned[name] - plain[name]).abs().max() > 1e-4 for name in own)
    added = {name: slope for name, slope in turned.items() if name.startswith("nuisance.")}
    assert added
    assert not {name for name in plain if name.startswith("nuisance.")}
    for name, slope in added.items():
        torch.testing.assert_close(slope, still[name], rtol=1e-3, atol=1e-5)


def test_its_head_is_no_part_of_the_model(nuisance_data: StudyData) -> None:
    trainer = trainer_of(PITCH, nuisance_data, PAIR)
    before = {name: weight.detach().clone() for name, weight in trainer._steps.parameters().items()}
    measured = finish(trainer)
    assert set(measured.metrics) == {"shape", "tone"}
    assert trainer.model.state_dict().keys() == trainer_of(SOFT, nuisance_data, PAIR).model.state_dict().keys()
    after = trainer._steps.parameters()
    assert all(not torch.equal(before[name], after[name]) for name in before)
    assert digest(measured) != digest(finish(trainer_of(SOFT, nuisance_data, PAIR)))


def test_tasks_of_other_datasets_are_trained_as_by_soft(two_with_nuisance: StudyData) -> None:
    other = BranchTree.flat(["pitch"], 8, 8)
    found, expected = (finish(trainer_of(one, two_with_nuisance, other)) for one in (Adversarial("shape"), SOFT))
    assert digest(found) == digest(expected)
    both = BranchTree.flat(["pitch", "tone"], 6, 8)
    batch = trainer_of(Adversarial("shape"), two_with_nuisance, both)._steps.batch(0)
    assert batch.rows["nuisance"] is batch.rows["tone"]


def test_without_a_nuisance_nothing_is_trained(corpora: StudyData) -> None:
    with pytest.raises(ValueError, match="the data have no nuisance label pitch"):
        trainer_of(PITCH, corpora)


def test_the_digest_has_its_labels(nuisance_data: StudyData, two_with_nuisance: StudyData) -> None:
    recipe = schedule_of(PITCH).to_plain()
    plain = replace(nuisance_data, nuisance=None)
    assert training_digest(PAIR, nuisance_data, recipe, 0, {}) != training_digest(PAIR, plain, recipe, 0, {})
    assert nuisance_data.nuisance is not None
    assert two_with_nuisance.nuisance is not None

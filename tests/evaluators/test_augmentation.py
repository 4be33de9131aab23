"""What is done to the features of a training batch."""

from dataclasses import replace

import pytest
import torch

from taskgraft.evaluators.augmentation import mask_axes_, mix_clips_, mix_styles_
from taskgraft.evaluators.batches import Batch
from taskgraft.evaluators.recipe import MaskWidth
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Schedule, Trainer
from taskgraft.space.tree import BranchTree
from tests.evaluators.test_training import SHORT, digest, train

TREE = BranchTree.flat(["pitch", "shape", "tone"], 8, 8)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_masks_of_a_fixed_width_cover_just_their_share() -> None:
    features = torch.ones(50, 1, 64, 100)
    mask_axes_(features, 0.15, seeded(), MaskWidth.FIXED)
    hidden = features[:, 0] == 0
    assert set(hidden.all(2).sum(1).tolist()) == {9}
    assert set(hidden.all(1).sum(1).tolist()) == {15}
    drawn = torch.ones(50, 1, 64, 100)
    mask_axes_(drawn, 0.15, seeded())
    assert (drawn == 0).float().mean() < hidden.float().mean()


def test_clips_are_mixed_within_their_dataset_and_so_are_their_targets() -> None:
    one, two = torch.arange(0, 6), torch.arange(6, 10)
    features = torch.arange(10.0).reshape(10, 1, 1, 1).repeat(1, 1, 4, 5)
    batch = Batch(features, {"a": one, "b": one, "c": two}, {}, torch.ones(10, 5, dtype=torch.bool))
    mixed = mix_clips_(features, batch, 0.2, seeded(3))
    assert 0 <= mixed.share <= 1
    assert torch.equal(mixed.partners["a"], mixed.partners["b"])
    assert sorted(mixed.partners["c"].tolist()) == [0, 1, 2, 3]
    expected = torch.cat(
        [mixed.share * rows + (1 - mixed.share) * rows[mixed.partners[task]] for task, rows in (("a", one), ("c", two))]
    )
    torch.testing.assert_close(features[:, 0, 0, 0], expected)


def test_shares_of_mixup_are_those_of_beta() -> None:
    """Beta(0.2, 0.2) has mean 1/2 and variance 1 / (4 (2 x 0.2 + 1))."""
    generator, features = seeded(), torch.zeros(2, 1, 1, 1)
    batch = Batch(features, {"a": torch.arange(2)}, {}, torch.ones(2, 1, dtype=torch.bool))
    shares = torch.tensor([mix_clips_(features, batch, 0.2, generator).share for _ in range(4_000)])
    assert shares.mean().item() == pytest.approx(0.5, abs=0.03)
    assert shares.var().item() == pytest.approx(1 / (4 * 1.4), abs=0.01)


def test_styles_are_mixed_between_clips_and_what_is_left_stays() -> None:
    features = torch.randn(8, 1, 6, 200, generator=seeded(1)) * torch.arange(1.0, 9).reshape(8, 1, 1, 1)
    before = features.clone()
    mix_styles_(features, 1.0, seeded(2))
    assert not torch.allclose(features, before)
    spread = [one.std(3) for one in (before, features)]
    assert (spread[1] <= spread[0].amax(0) + 1e-4).all()
    assert (spread[1] >= spread[0].amin(0) - 1e-4).all()
    shape = [(one - one.mean(3, keepdim=True)) / one.std(3, keepdim=True) for one in (before, features)]
    torch.testing.assert_close(*shape, atol=1e-3, rtol=1e-3)
    mix_styles_(untouched := before.clone(), 0.0, seeded(2))
    assert torch.equal(untouched, before)


@pytest.mark.parametrize(
    "schedule",
    [replace(SHORT, masking_width=MaskWidth.FIXED), replace(SHORT, mixup=0.2), replace(SHORT, mixstyle=0.5)],
    ids=["fixed", "mixup", "mixstyle"],
)
def test_a_training_with_it_goes_on_from_its_state_bit_for_bit(tone_data: StudyData, schedule: Schedule) -> None:
    whole = train(TREE, tone_data, schedule)
    assert digest(whole) != digest(train(TREE, tone_data, SHORT))
    assert digest(whole) == digest(train(TREE, tone_data, schedule))
    cut, resumed = (Trainer(TREE, tone_data, schedule, seed=0) for _ in range(2))
    cut.advance()
    resumed.go_on_from(cut.pack_state("stamp"), "stamp")
    while not resumed.finished:
        resumed.advance()
    assert digest(resumed.measurement("here")) == digest(whole)

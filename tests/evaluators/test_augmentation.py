"""What is done to the features of a training batch."""

from dataclasses import replace

import pytest
import torch

from taskgraft.evaluators.augmentation import mask_axes_, mix_clips_, mix_styles_
from taskgraft.evaluators.batches import Batch
from taskgraft.evaluators.recipe import MaskWidth
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Schedule, Trainer
from taskgraft.evaluators.training_tensors import state_shapes
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


def test_without_bands_only_frames_are_masked_and_by_the_same_draws() -> None:
    both, frames = torch.ones(20, 1, 64, 100), torch.ones(20, 1, 64, 100)
    mask_axes_(both, 0.3, seeded())
    mask_axes_(frames, 0.3, seeded(), has_bands=False)
    hidden = frames[:, 0] == 0
    assert torch.equal(hidden.all(1), hidden.any(1))
    assert torch.equal(hidden.all(1), (both[:, 0] == 0).all(1))


def test_styles_are_mixed_by_the_published_formula() -> None:
    """Frequency mixstyle as the baseline of DCASE 2024, task 1, has it: statistics over channels and frames."""
    features = torch.randn(6, 1, 5, 50, generator=seeded(1), dtype=torch.float64) * 3 + 1
    found, drawn = features.clone(), seeded(4)
    mix_styles_(found, 1.0, seeded(4))
    torch.rand((), generator=drawn)
    gammas = torch._standard_gamma(torch.full((2, 6), 0.3, dtype=torch.float64), generator=drawn)
    shares, partner = (gammas[0] / gammas.sum(0)).float(), torch.randperm(6, generator=drawn)
    for clip, share in enumerate(shares.tolist()):
        for band in range(5):
            own, other = features[clip, 0, band], features[partner[clip], 0, band]
            deviations = [float((one.var() + 1e-6) ** 0.5) for one in (own, other)]
            mean = share * own.mean() + (1 - share) * other.mean()
            deviation = share * deviations[0] + (1 - share) * deviations[1]
            expected = (own - own.mean()) / deviations[0] * deviation + mean
            torch.testing.assert_close(found[clip, 0, band], expected)


def test_styles_of_a_batch_are_mixed_with_the_chance_that_was_asked_for() -> None:
    generator, mixed = seeded(), 0
    for _ in range(1_000):
        features = torch.arange(8.0).reshape(2, 1, 1, 4)
        mix_styles_(features, 0.4, generator)
        mixed += not torch.equal(features, torch.arange(8.0).reshape(2, 1, 1, 4))
    assert mixed / 1_000 == pytest.approx(0.4 / 2, abs=0.05), "half of all orders of two clips leave them their own"


EVERYTHING = replace(
    SHORT, masking=0.3, masking_width=MaskWidth.FIXED, mixup=0.2, mixstyle=0.4, noise=(0.0, 20.0), shift=0.2
)


@pytest.mark.parametrize(
    "schedule",
    [
        replace(SHORT, masking_width=MaskWidth.FIXED),
        replace(SHORT, mixup=0.2),
        replace(SHORT, mixstyle=0.5),
        replace(SHORT, noise=(0.0, 20.0)),
        replace(SHORT, shift=0.1),
        EVERYTHING,
    ],
    ids=["fixed", "mixup", "mixstyle", "noise", "shift", "everything"],
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


def test_what_is_off_draws_nothing(tone_data: StudyData) -> None:
    """Each generator stands where it stands without that augmentation."""

    def positions(schedule: Schedule) -> tuple[bytes, object]:
        trainer = Trainer(TREE, tone_data, schedule, seed=0)
        trainer.advance()
        state = trainer.pack_state("stamp")
        shapes = state_shapes(trainer.model, trainer._learned, schedule.optimisation.kind, seeded(), 1, state.facts())
        return bytes(state.tensors(shapes)["masking"]), state.facts().shuffling

    plain, shifted, noisy = (
        positions(one) for one in (SHORT, replace(SHORT, shift=0.1), replace(SHORT, noise=(0.0, 20.0)))
    )
    assert plain[0] == shifted[0] != noisy[0]
    assert plain[1] == noisy[1] != shifted[1]

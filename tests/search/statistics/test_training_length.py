"""Gains of longer trainings, and seeds against clips, on numbers made by hand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.search.statistics.repeats import Repeats
from taskgraft.search.statistics.training_length import (
    DOUBLINGS,
    FEWEST_STEPS,
    FIRST_EPOCHS,
    Gain,
    SeedSpreads,
    is_doubling_worth,
    training_lengths,
)
from tests.search.worlds import outcomes

CLIPS = 500


def summary(*accuracies: float, clips: int = CLIPS, shift: int = 0) -> Repeats:
    """Trainings whose errors are on the same clips; the last one's are elsewhere with a ``shift``."""
    said = [outcomes(accuracy, clips) for accuracy in accuracies[:-1]]
    return Repeats.of("accuracy", [*said, outcomes(accuracies[-1], clips, shift)])


@given(st.integers(1, 10_000))
def test_lengths_are_doublings_and_the_first_is_the_shortest_of_enough_steps(steps_per_epoch: int) -> None:
    lengths = training_lengths(steps_per_epoch)
    assert len(lengths) == 1 + DOUBLINGS
    assert all(twice == 2 * once for once, twice in pairwise(lengths))
    assert lengths[0] * steps_per_epoch >= FEWEST_STEPS
    assert lengths[0] == FIRST_EPOCHS or lengths[0] // 2 * steps_per_epoch < FEWEST_STEPS
    assert lengths[0] % FIRST_EPOCHS == 0
    assert lengths[-1] <= 10_000, "no study could say so many"


def test_the_error_of_a_gain_is_that_of_the_clips_on_which_the_trainings_differ() -> None:
    same = Gain.of(summary(0.9), summary(0.9))
    apart = Gain.of(summary(0.9), summary(0.9, shift=25))
    assert same.share == apart.share == 0
    assert same.error < 0.005
    differing = 2 * 25 / CLIPS
    assert apart.error == pytest.approx(np.sqrt(differing / CLIPS) / 0.9, rel=0.05)


def test_a_gain_counts_when_it_is_above_its_worth_and_above_its_error() -> None:
    assert is_doubling_worth([Gain(0.02, 0.01)], 0.01)
    assert not is_doubling_worth([Gain(0.009, 0.001)], 0.01)
    assert not is_doubling_worth([Gain(0.02, 0.03)], 0.01)
    assert not is_doubling_worth([Gain(-0.5, 0.01)], 0.0)
    assert is_doubling_worth([Gain(-0.5, 0.01), Gain(0.5, 0.01)], 0.01)


def test_of_many_tasks_one_has_to_gain_more_to_stand_out() -> None:
    assert is_doubling_worth([Gain(0.012, 0.01)], 0.01)
    assert not is_doubling_worth([Gain(0.012, 0.01), *[Gain(0.0, 0.01)] * 5], 0.01)


def test_a_task_without_any_right_answer_gains_nothing() -> None:
    assert Gain.of(summary(0.0), summary(0.0)).share == 0


def test_seeds_that_agree_on_every_clip_exceed_nothing() -> None:
    for clips in (4, 12, CLIPS):
        spreads = SeedSpreads.of({"a": summary(0.75, 0.75, clips=clips)})
        assert not spreads.exceed(0.0)


def test_seeds_that_differ_on_clips_alone_exceed_nothing() -> None:
    spreads = SeedSpreads.of({"a": summary(0.9, 0.9, shift=40), "b": summary(0.8, 0.808, shift=40)})
    assert not spreads.exceed(0.01)
    assert spreads.by_task["a"].clips > 0.01
    assert spreads.worst is None


def test_seeds_that_differ_by_more_than_clips_explain_are_named() -> None:
    spreads = SeedSpreads.of({"a": summary(0.9, 0.9), "b": summary(0.9, 0.7), "c": summary(0.9)})
    assert spreads.exceed(0.01)
    assert spreads.worst == "b"
    assert spreads.by_task.keys() == {"a", "b"}
    worst = spreads.by_task["b"]
    assert worst.seeds == pytest.approx(np.std([0.9, 0.7], ddof=1) / 0.8)
    assert worst.clips < worst.seeds
    assert not spreads.exceed(0.5)


def test_without_a_second_seed_nothing_is_known() -> None:
    for repeats in ({}, {"a": summary(0.9)}):
        assert not SeedSpreads.of(repeats).exceed(0.0)
        assert SeedSpreads.of(repeats).worst is None

import subprocess
import sys
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.evaluators.datasets.splits import Split, complete_splits, make_splits

groups = st.lists(st.text(max_size=4), min_size=3, max_size=60).filter(lambda names: len(set(names)) >= 3)


@given(groups)
def test_groups_are_whole_and_every_split_has_one(names: list[str]) -> None:
    held = dict(zip(names, make_splits(names), strict=True))
    assert [held[name] for name in names] == list(make_splits(names))
    assert set(held.values()) == set(Split)


@given(groups, st.randoms(use_true_random=False))
def test_order_and_group_sizes_make_no_difference(names: list[str], random: Random) -> None:
    before = dict(zip(names, make_splits(names), strict=True))
    shuffled = [*names, names[0]]
    random.shuffle(shuffled)
    assert dict(zip(shuffled, make_splits(shuffled), strict=True)) == before


def test_shares_are_70_15_15() -> None:
    counts = Counter(make_splits([f"clip-{place}.wav" for place in range(10_000)]))
    assert counts[Split.TRAIN] == pytest.approx(7_000, abs=200)
    assert counts[Split.VALIDATION] == pytest.approx(1_500, abs=200)
    assert counts[Split.TEST] == pytest.approx(1_500, abs=200)


def test_clips_keep_their_split_when_others_are_added() -> None:
    names = [f"clip-{place}.wav" for place in range(100)]
    assert make_splits(names) == make_splits([*names, *(f"new-{place}.wav" for place in range(50))])[:100]


def test_few_groups_are_dealt_out_with_most_in_train() -> None:
    for count in range(3, 8):
        splits = Counter(make_splits([f"speaker {place}" for place in range(count)]))
        assert set(splits) == set(Split)


@pytest.mark.parametrize("names", [[], ["a"], ["a", "b", "a", "b"]])
def test_fewer_than_three_groups_can_not_be_split(names: list[str]) -> None:
    with pytest.raises(ValueError, match=f"at least 3 groups; got {len(set(names))}"):
        make_splits(names)


@given(st.lists(st.sampled_from(Split), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_only_splits_that_are_missing_are_drawn(official: list[Split], random: Random) -> None:
    groups = [f"{split}-{random.randrange(8)}" for split in official]
    try:
        completed = complete_splits(official, groups)
    except ValueError:
        return  # too few groups
    if Split.TRAIN in official and len(set(official)) > 1:
        assert set(completed) == set(Split)
    assert all(now in (before, *(set(Split) - set(official))) for before, now in zip(official, completed, strict=True))
    assert len(set(zip(groups, completed, strict=True))) == len(set(groups))


def test_a_drawn_validation_has_the_share_of_made_splits() -> None:
    official = [Split.TRAIN] * 8_500 + [Split.TEST] * 1_500
    counts = Counter(complete_splits(official, [f"place-{number}" for number in range(10_000)]))
    assert counts[Split.TEST] == 1_500
    assert counts[Split.VALIDATION] == pytest.approx(1_500, abs=150)


def test_a_drawn_test_is_half_of_validation() -> None:
    official = [Split.TRAIN] * 10 + [Split.VALIDATION] * 1_000
    counts = Counter(complete_splits(official, [f"video-{number}" for number in range(1_010)]))
    assert counts[Split.TRAIN] == 10
    assert counts[Split.TEST] == pytest.approx(500, abs=60)


def test_train_alone_is_divided_as_a_manifest_without_splits_is() -> None:
    names = [f"speaker {place}" for place in range(20)]
    assert complete_splits([Split.TRAIN] * 20, names) == make_splits(names)


def test_one_group_can_not_be_drawn_from() -> None:
    with pytest.raises(ValueError, match="drawing validation from train needs at least 2 groups; got 1"):
        complete_splits([Split.TRAIN, Split.TRAIN, Split.TEST], ["ann", "ann", "ben"])


def test_another_process_makes_the_same_splits() -> None:
    """Python salts ``hash`` in every process; the splits must not depend on it."""
    names = [f"speaker-{place}" for place in range(40)]
    code = f"from taskgraft.evaluators.datasets.splits import make_splits\nprint(','.join(make_splits({names!r})))"
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert answers == {",".join(make_splits(names))}

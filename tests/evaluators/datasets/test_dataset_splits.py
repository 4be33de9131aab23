import subprocess
import sys
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.evaluators.datasets.splits import Split, make_splits

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

"""The identity of trainings: what tells two of them apart, and the keys by which ledgers keep them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.branches import branch_trees
from tests.search.prunings import prunings

TREE = BranchTree.flat("ab", 6, 8)
LENGTHS = st.none() | st.integers(1, 10_000)
RECIPES = st.none() | st.text(min_size=1, max_size=8) | st.sampled_from(["probe", "trunk", "recipe", "20"])
MODELS = st.builds(
    Training,
    branch_trees(3),
    st.integers(0, 120),
    st.booleans(),
    LENGTHS,
    recipe=RECIPES,
    pruning=st.none() | prunings(),
)
TRUNKS = st.builds(
    Training, branch_trees(3), st.integers(0, 120), epochs=LENGTHS, is_trunk=st.just(True), recipe=RECIPES
)
TRAININGS = MODELS | TRUNKS


@given(TRAININGS)
def test_a_key_has_everything_that_tells_trainings_apart(training: Training) -> None:
    assert Training.from_key(training.key) == training


@given(TRAININGS, TRAININGS)
def test_two_trainings_share_a_key_exactly_when_they_are_equal(one: Training, other: Training) -> None:
    assert (one.key == other.key) is (one == other)


def test_keys_of_studies_that_say_their_epochs_are_what_they_were() -> None:
    """Ledgers and checkpoints of earlier versions have them."""
    root = '{"tasks":["a"],"blocks":[0,8],"children":[]}'
    alone = BranchTree.flat("a", 8, 8)
    assert Training(alone).key == f"[{root},8,0]"
    assert Training(alone, 3, is_probe=True).key == f'[{root},8,3,"probe"]'
    assert Training(alone, 3, is_probe=True, epochs=20).key == f'[{root},8,3,"probe",20]'
    assert Training(alone, epochs=20).key == f"[{root},8,0,20]"
    assert Training(alone, recipe="seed-emotion").key == f'[{root},8,0,{{"recipe":"seed-emotion"}}]'


def test_no_trunk_is_a_probe() -> None:
    with pytest.raises(ValueError, match="no probe"):
        Training(TREE, is_probe=True, is_trunk=True)

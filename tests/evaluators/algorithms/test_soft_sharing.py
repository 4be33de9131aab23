"""`soft-sharing`: penalties on the weights of blocks that stand side by side."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.evaluators.algorithms.penalties import columns, l2, orthogonal
from taskgraft.evaluators.algorithms.registry import SOFT
from taskgraft.evaluators.algorithms.soft_sharing import SoftSharing
from taskgraft.evaluators.study_data import StudyData
from taskgraft.space.tree import BranchTree
from tests.evaluators.algorithms.runs import NAMES, WHOLE, digest, finish, trainer_of

APART = BranchTree.flat(NAMES, 0, 8)


def test_the_penalty_of_two_numbers() -> None:
    numbers = [{"a": torch.tensor(1.0), "b": torch.tensor(3.0)}]
    assert sum(float(one) for one in l2(numbers).values()) == 2.0
    matrices = [{"a": torch.tensor([[1.0]]), "b": torch.tensor([[3.0]])}]
    assert sum(float(one) for one in orthogonal(matrices).values()) == 9.0


@given(seed=st.integers(0, 1000), tasks=st.integers(2, 4))
def test_penalties_are_those_of_the_formulas(seed: int, tasks: int) -> None:
    random = torch.Generator().manual_seed(seed)
    weights = [
        {str(task): torch.randn(shape, generator=random, dtype=torch.float64) for task in range(tasks)}
        for shape in ((3, 2, 2), (4,))
    ]
    mean = [sum(column.values()) / tasks for column in weights]
    expected = sum(((one - mean[place]) ** 2).sum() for place, column in enumerate(weights) for one in column.values())
    torch.testing.assert_close(sum(l2(weights).values()), expected)
    matrices = [weight.reshape(3, -1) for weight in weights[0].values()]
    overlaps = [
        torch.linalg.matrix_norm(one.T @ other) ** 2 for place, one in enumerate(matrices) for other in matrices[:place]
    ]
    torch.testing.assert_close(sum(orthogonal(weights).values()), torch.stack(overlaps).sum())


def test_blocks_that_all_share_have_no_penalty(corpora: StudyData) -> None:
    trees = [BranchTree.flat(NAMES, shared, 8) for shared in (0, 6, 8)]
    weights = [columns(trainer_of(SOFT, corpora, tree).model) for tree in trees]
    assert [len(found) for found in weights] == [8 * 3, 2 * 3, 0]
    assert all(set(column) == set(NAMES) for column in weights[0])


def test_without_strength_tasks_are_independent(corpora: StudyData) -> None:
    found = digest(finish(trainer_of(SoftSharing(strength=0.0), corpora, APART)))
    assert found == digest(finish(trainer_of(SOFT, corpora, APART)))


@pytest.mark.parametrize("form", ["l2", "orthogonal"])
def test_a_tree_that_shares_all_blocks_is_trained_as_by_soft(form: str, corpora: StudyData) -> None:
    """This once failed: no task has a penalty there."""
    found, expected = (digest(finish(trainer_of(one, corpora, WHOLE))) for one in (SoftSharing(form), SOFT))
    assert found == expected


@pytest.mark.parametrize("form", ["l2", "orthogonal"])
def test_strength_does_what_the_form_says(form: str, corpora: StudyData) -> None:
    penalty = {"l2": l2, "orthogonal": orthogonal}[form]
    left = []
    for strength in (0.0, 0.1):
        trainer = trainer_of(SoftSharing(form, strength), corpora, APART)
        finish(trainer)
        left.append(sum(one.item() for one in penalty(columns(trainer.model)).values()))
    assert left[1] < 0.9 * left[0]

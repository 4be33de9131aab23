"""How far a model's answers are from a teacher's, for every kind of task."""

import math

import pytest
import torch
from torch import Tensor

from taskgraft.evaluators.kinds.events import pooled
from taskgraft.evaluators.kinds.registry import KINDS
from taskgraft.evaluators.study_data import StudyData
from taskgraft.space.tasks import TaskKind
from tests.evaluators.kinds.chimes import TASKS, load_chimes, write_chimes

SHAPES = {
    TaskKind.CLIP: (5, 3),
    TaskKind.FRAMES: (5, 4, 1),
    TaskKind.EVENTS: (5, 4, 2),
    TaskKind.TAGS: (5, 2),
    TaskKind.VALUE: (5, 1),
}
ALL_INSIDE = torch.ones(5, 4, dtype=torch.bool)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    root = tmp_path_factory.mktemp("chimes")
    return load_chimes(write_chimes(root / "corpus"), list(TaskKind), root / "cache")


def scores_of(kind: TaskKind) -> tuple[Tensor, Tensor]:
    scores, taught = 3 * torch.randn(2, *SHAPES[kind], generator=torch.Generator().manual_seed(1))
    return scores, taught


def divergence(
    data: StudyData, kind: TaskKind, scores: Tensor, taught: Tensor, temperature: float, inside: Tensor = ALL_INSIDE
) -> Tensor:
    return KINDS[kind].divergence(data.tasks[TASKS[kind][0]], scores, taught, temperature, inside)


def entropies(scores: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """The Kullback-Leibler divergence of answers by yes or no, from its definition."""
    mine, theirs = ((one.double() / temperature).sigmoid() for one in (scores, taught))
    return theirs * (theirs / mine).log() + (1 - theirs) * ((1 - theirs) / (1 - mine)).log()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("kind", TaskKind)
def test_a_model_that_says_what_its_teacher_says_is_at_0(data: StudyData, kind: TaskKind, temperature: float) -> None:
    scores, other = scores_of(kind)
    scores.requires_grad_()
    found = divergence(data, kind, scores, scores.detach(), temperature)
    found.backward()  # type: ignore[no-untyped-call]
    assert found.item() == 0
    assert scores.grad is not None
    assert scores.grad.abs().max() < 1e-6
    assert divergence(data, kind, other, scores.detach(), temperature) > 0


def test_classes_are_compared_by_softened_probabilities(data: StudyData) -> None:
    """Hinton's form: T^2 KL(softmax(teacher / T), softmax(model / T))."""
    scores, taught = torch.tensor([[0.0, 0.0]]), torch.tensor([[2 * math.log(3), 0.0]])
    by_hand = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert divergence(data, TaskKind.CLIP, scores, taught, 2.0).item() == pytest.approx(4 * by_hand)
    assert divergence(data, TaskKind.CLIP, scores, taught / 2, 1.0).item() == pytest.approx(by_hand)


def test_the_gradient_of_classes_is_that_of_matching_scores_when_the_temperature_is_high(data: StudyData) -> None:
    """Hinton 2015, equation 4: (z - v) / N of scores without a mean, for each clip."""
    scores, taught = (one - one.mean(1, keepdim=True) for one in scores_of(TaskKind.CLIP))
    scores.requires_grad_()
    divergence(data, TaskKind.CLIP, scores, taught, 1000.0).backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(scores.grad, (scores - taught).detach() / 3 / len(scores), rtol=0.01, atol=1e-3)


@pytest.mark.parametrize("kind", [TaskKind.FRAMES, TaskKind.TAGS])
def test_answers_by_yes_or_no_are_compared_one_by_one(data: StudyData, kind: TaskKind) -> None:
    scores, taught = scores_of(kind)
    expected = 4 * entropies(scores, taught, 2.0).mean()
    assert divergence(data, kind, scores, taught, 2.0).item() == pytest.approx(expected.item(), rel=1e-5)


def test_events_are_compared_by_time_steps_and_by_whole_clips(data: StudyData) -> None:
    scores, taught = scores_of(TaskKind.EVENTS)
    mine, theirs = (pooled(one, 2).double().logit() for one in (scores, taught))
    expected = 4 * (entropies(scores, taught, 2.0).mean() + entropies(mine, theirs, 2.0).mean())
    assert divergence(data, TaskKind.EVENTS, scores, taught, 2.0).item() == pytest.approx(expected.item(), rel=1e-4)


def test_heads_that_weigh_their_steps_have_their_weights_in_whole_clips_only(data: StudyData) -> None:
    (scores, taught), (weights, others) = scores_of(TaskKind.EVENTS), torch.zeros(2, 5, 4, 2)
    whole = torch.cat([scores, weights], 2), torch.cat([taught, others], 2)
    mine, theirs = (pooled(one, 2).double().logit() for one in whole)
    expected = 4 * (entropies(scores, taught, 2.0).mean() + entropies(mine, theirs, 2.0).mean())
    assert divergence(data, TaskKind.EVENTS, *whole, 2.0).item() == pytest.approx(expected.item(), rel=1e-4)


def test_values_are_compared_by_squares_at_any_temperature(data: StudyData) -> None:
    scores, taught = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [4.0]])
    found = [divergence(data, TaskKind.VALUE, scores, taught, temperature).item() for temperature in (0.5, 2.0)]
    assert found == [2.5, 2.5]


@pytest.mark.parametrize("kind", [TaskKind.FRAMES, TaskKind.EVENTS])
def test_silence_around_a_clip_teaches_no_time_step(data: StudyData, kind: TaskKind) -> None:
    scores, taught = scores_of(kind)
    inside = torch.zeros(5, 4, dtype=torch.bool)
    inside[:, 1] = inside[0, 2] = True
    whole = divergence(data, kind, scores, taught, 2.0, torch.zeros_like(inside))
    counted = 4 * entropies(scores, taught, 2.0)[inside].mean()
    found = divergence(data, kind, scores, taught, 2.0, inside) - whole
    assert found.item() == pytest.approx(counted.item(), rel=1e-4)
    assert (whole > 0) == (kind is TaskKind.EVENTS)

"""`cross-soft` and `cross-hard`: every task answers about the data of the others, beside a teacher."""

import math

import pytest
import torch
from torch import nn

from taskgraft.evaluators.algorithms.cross import CrossHard, CrossSoft
from taskgraft.evaluators.algorithms.learner import Step
from taskgraft.evaluators.algorithms.registry import SOFT
from taskgraft.evaluators.algorithms.teacher import Teacher, kept_share, ramp
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Trainer
from tests.evaluators.algorithms.runs import ALL, changed, digest, finish, step, tensors_of, trainer_of


class Scalar(nn.Module):
    """A weight, and a running statistic."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))


def test_the_teacher_is_the_moving_average() -> None:
    student = Scalar()
    teacher = Teacher(student)  # type: ignore[arg-type]
    for number, value in enumerate((1.0, 2.0, 3.0)):
        student.load_state_dict({"weight": torch.tensor(value), "mean": torch.tensor(-value), "count": torch.tensor(7)})
        teacher.follow(number)
    found = teacher.model.state_dict()
    assert found["weight"].item() == pytest.approx(2.0)
    assert found["mean"].item() == pytest.approx(-2.0)
    assert found["count"].item() == 7
    assert [kept_share(number) for number in (0, 1, 10**6)] == [0.0, 0.5, 0.999]


def test_the_weight_of_the_teacher_grows_over_a_quarter_of_the_steps() -> None:
    assert ramp(0, 100) == pytest.approx(math.exp(-5))
    assert ramp(12, 100) < ramp(13, 100) < ramp(25, 100) == ramp(99, 100) == 1.0


def first_step(trainer: Trainer) -> Step:
    trainer.model.train()
    batch = trainer._steps.batch(0)
    return Step(0, batch, trainer._input(batch.features).contiguous(memory_format=torch.channels_last))


def test_each_pair_of_task_and_data_has_a_term(corpora: StudyData) -> None:
    trainer = trainer_of(CrossSoft(weight=2.0), corpora)
    now = first_step(trainer)
    losses = trainer._steps.losses(now)
    trainer.model.train()
    scores = {task: found.float() for task, found in trainer._steps._learner.ask(now.features, None).items()}
    taught = {task: found.float() for task, found in trainer.model.eval()(now.features).items()}
    rows, difference = now.batch.rows, trainer._steps._learner.difference
    own = trainer._steps._learner.losses({task: scores[task][rows[task]] for task in rows}, now)
    for task in ALL.tasks:
        pairs = [difference(task, scores[task][rows[b]], taught[task][rows[b]]) for b in ALL.tasks if b != task]
        expected = own[task] + 2 * ramp(0, trainer._course.planned) * torch.stack(pairs).sum()
        torch.testing.assert_close(losses[task], expected, rtol=1e-2, atol=1e-4)
    assert digest(finish(trainer_of(CrossSoft(weight=0.0), corpora))) != digest(finish(trainer_of(SOFT, corpora)))


def test_difference_is_the_mean_square_of_probabilities(corpora: StudyData) -> None:
    learner = trainer_of(CrossSoft(), corpora)._steps._learner
    one, other = torch.randn(2, 5, 2, generator=torch.Generator().manual_seed(0))
    expected = (one.softmax(1) - other.softmax(1)).square().mean()
    torch.testing.assert_close(learner.difference("pitch", one, other), expected)
    one, other = torch.randn(2, 5, 9, 1, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        learner.difference("tone", one, other), (one.sigmoid() - other.sigmoid()).square().mean()
    )


def test_in_a_hard_step_the_others_answer_about_its_data(corpora: StudyData) -> None:
    trainer = trainer_of(CrossHard(), corpora)
    before = tensors_of(trainer)
    step(trainer)
    assert changed(before, tensors_of(trainer)) == set(_parts(trainer))
    losses = trainer._steps.losses(first_step(trainer))
    assert set(losses) == set(ALL.tasks)


def _parts(trainer: Trainer) -> list[str]:
    return sorted({".".join(name.split(".")[:2]) for name in trainer.model.state_dict()})


def test_a_state_holds_the_teacher(corpora: StudyData) -> None:
    trainer = trainer_of(CrossSoft(), corpora)
    trainer.advance()
    kept = {name for name in trainer._state_tensors() if name.startswith("algorithm.teacher.")}
    assert len(kept) == len(trainer.model.state_dict())

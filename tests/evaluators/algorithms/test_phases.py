"""`freeze` and `serial`: one task after the other."""

import numpy as np
import pytest
import torch

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.freeze import Freeze
from taskgraft.evaluators.algorithms.registry import SOFT
from taskgraft.evaluators.algorithms.serial import Serial
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.optimisation.rates import RateName
from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.stopping import Stopping
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Trainer
from tests.evaluators.algorithms.runs import (
    ALL,
    ALONE,
    NAMES,
    WHOLE,
    changed,
    finish,
    schedule_of,
    step,
    tensors_of,
    trainer_of,
)

ORDER = ("tone", "pitch", "shape")


def to_the_end_of_phase(trainer: Trainer) -> None:
    phase = trainer._course.phase(trainer._step)
    while not trainer.finished and trainer._course.phase(trainer._step) == phase:
        trainer.advance()


def test_after_the_first_phase_blocks_statistics_and_heads_stay_as_they_are(corpora: StudyData) -> None:
    trainer = trainer_of(Freeze(ORDER), corpora, WHOLE)
    for task in ORDER:
        before, metrics = tensors_of(trainer), dict(trainer._curve[-1]) if trainer._curve else {}
        to_the_end_of_phase(trainer)
        first = task == ORDER[0]
        nodes = {"nodes.0"} if first else set()
        assert changed(before, tensors_of(trainer)) == {*nodes, f"heads.{NAMES.index(task)}"}
        for done in ORDER[: ORDER.index(task)]:
            assert trainer._curve[-1][done] == metrics[done]
    assert trainer.finished


def test_blocks_that_no_earlier_task_has_are_trained(corpora: StudyData) -> None:
    trainer = trainer_of(Freeze(ORDER), corpora, ALL)
    to_the_end_of_phase(trainer)
    before = tensors_of(trainer)
    to_the_end_of_phase(trainer)
    assert changed(before, tensors_of(trainer)) == {"nodes.1", "heads.0"}


def test_serial_is_freeze_without_the_freeze(corpora: StudyData) -> None:
    trainer, frozen = (trainer_of(one, corpora, WHOLE) for one in (Serial(ORDER), Freeze(ORDER)))
    to_the_end_of_phase(trainer)
    to_the_end_of_phase(frozen)
    before = tensors_of(trainer)
    assert not changed(before, tensors_of(frozen))
    to_the_end_of_phase(trainer)
    assert changed(before, tensors_of(trainer)) == {"nodes.0", "heads.0"}


def test_each_phase_takes_the_steps_and_the_rates_of_the_study(corpora: StudyData) -> None:
    alone, trainer = trainer_of(SOFT, corpora, ALONE), trainer_of(Freeze(ORDER), corpora, ALL)
    rates = []
    while not trainer.finished:
        rates.append(trainer._optimizer.param_groups[0]["lr"])
        step(trainer)
    planned = alone._total
    assert len(rates) == 3 * planned
    assert rates[:planned] == rates[planned : 2 * planned] == rates[2 * planned :]


def test_the_first_phase_is_the_training_of_its_task_alone(corpora: StudyData) -> None:
    """Only initial weights differ, which are drawn for all heads."""
    alone, trainer = trainer_of(SOFT, corpora, ALONE), trainer_of(Freeze(("pitch", "shape", "tone")), corpora, WHOLE)
    for name, weight in alone.model.named_parameters():
        weight.data.copy_(dict(trainer.model.named_parameters())[name].data)
    finish(alone)
    to_the_end_of_phase(trainer)
    for name, tensor in alone.model.state_dict().items():
        assert torch.equal(tensor, trainer.model.state_dict()[name]), name


@pytest.mark.parametrize("algorithm", [Freeze(ORDER), Serial(ORDER)])
def test_only_checkpoints_of_the_last_phase_are_the_result(algorithm: Algorithm, corpora: StudyData) -> None:
    measured = finish(trainer_of(algorithm, corpora, WHOLE, dict.fromkeys(NAMES, 0.9)))
    assert measured.best_step > measured.steps * 2 / 3
    assert not measured.earlier
    steps = [point["step"] for point in measured.curve]
    assert {measured.steps // 3, measured.steps * 2 // 3, measured.steps} <= set(steps)
    assert steps == sorted(set(steps))


def test_nothing_ends_it_early(corpora: StudyData) -> None:
    curves = dict.fromkeys(NAMES, ({"step": 1.0},))
    with pytest.raises(InvalidInput, match="takes all steps of all its phases"):
        Trainer(ALL, corpora, schedule_of(Freeze(ORDER)), 0, dict.fromkeys(NAMES, 1.0), Stopping(0.1, True, curves))
    with pytest.raises(InvalidInput, match="takes all steps of all its phases"):
        Trainer(ALL, corpora, schedule_of(Freeze(ORDER)), 0, is_open=True)
    patient = Schedule(3, 8, Optimisation(schedule=RateName.CONSTANT, patience=1), algorithm=Serial(ORDER))
    with pytest.raises(InvalidInput, match="takes all steps of all its phases"):
        Trainer(ALL, corpora, patient, 0)


def test_frozen_weights_do_not_decay(corpora: StudyData) -> None:
    schedule = Schedule(2, 16, Optimisation(1e-2, weight_decay=1.0), algorithm=Freeze(ORDER))
    trainer = Trainer(WHOLE, corpora, schedule, 0)
    to_the_end_of_phase(trainer)
    before = tensors_of(trainer)
    finish(trainer)
    assert "nodes.0" not in changed(before, tensors_of(trainer))
    assert np.isfinite(trainer._curve[-1]["shape"])

"""Trainings on devices: what is the same on all of them, and what a device that is not there says."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch

from taskgraft.errors import Unavailable
from taskgraft.evaluators.batches import Batch
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.precision import Precision, has_bfloat16
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Schedule, Trainer
from taskgraft.space.tree import BranchTree

ALL = BranchTree.flat(["pitch", "shape", "tone"], 6, 8)
SCHEDULE = Schedule(25, 8, Optimisation(3e-3))
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason=f"torch {torch.__version__} finds no GPU here")
needs_no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="torch finds a GPU here")


def finish(trainer: Trainer) -> Mapping[str, float]:
    while not trainer.finished:
        trainer.advance()
    return trainer.measurement("here").metrics


def test_the_processor_multiplies_in_bfloat16_if_it_can() -> None:
    precision = Precision.on("cpu")
    assert precision.device.type == "cpu"
    assert (precision.multiplies_in is torch.bfloat16) is has_bfloat16()
    with precision.autocast():
        assert torch.is_autocast_enabled("cpu") is has_bfloat16()
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype is precision.multiplies_in
    assert not precision.scaler().is_enabled()


def test_only_the_loss_of_float16_is_scaled() -> None:
    for kind, scales in ((torch.float16, True), (torch.bfloat16, False), (torch.float32, False)):
        precision = replace(Precision.on("cpu"), multiplies_in=kind)
        assert precision.scaler().is_enabled() is scales
        with precision.autocast():
            assert torch.is_autocast_enabled("cpu") is (kind is not torch.float32)


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16])
def test_a_training_goes_on_bit_for_bit_in_every_arithmetic(
    tone_data: StudyData, kind: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What GPUs without bfloat16 do, on the processor: the scale of the loss is a part of the state, too."""
    precision = replace(Precision.on("cpu"), multiplies_in=kind)
    monkeypatch.setattr(Precision, "on", lambda device: precision)
    short = Schedule(3, 8, Optimisation(3e-3))
    whole, first, second = (Trainer(ALL, tone_data, short, 0) for _ in range(3))
    whole_metrics = finish(whole)
    first.advance()
    state = first.pack_state("s")
    assert bool(state.facts().scaling) is (kind is torch.float16)
    second.go_on_from(state, "s")
    assert finish(second) == whole_metrics
    assert second.measurement("here").weights == whole.measurement("here").weights


@needs_no_gpu
def test_a_gpu_that_is_not_there_is_told(tone_data: StudyData) -> None:
    with pytest.raises(Unavailable, match=r"training\.device: cuda is not there; torch .* finds no GPU"):
        Trainer(ALL, tone_data, SCHEDULE, 0, device="cuda")


def test_tasks_of_one_corpus_share_their_rows_on_every_device(tone_data: StudyData) -> None:
    rows = torch.arange(3)
    by_task = {"a": rows, "b": rows, "c": torch.arange(3, 6)}
    batch = Batch(torch.zeros(6, 1, 4, 4), by_task, {"a": torch.zeros(3)}, torch.ones(6, 4, dtype=torch.bool))
    assert batch.on(torch.device("cpu")) is batch
    moved = batch.on(torch.device("meta"))
    tensors = [moved.features, moved.inside, *moved.rows.values(), *moved.targets.values()]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert moved.rows["a"] is moved.rows["b"] is not moved.rows["c"]


def test_a_normalisation_that_is_moved_leaves_the_data_where_they_are(tone_data: StudyData) -> None:
    normalisation = tone_data.normalisation
    assert normalisation.on(torch.device("cpu")) is normalisation
    assert normalisation.on(torch.device("meta")).mean.device.type == "meta"
    assert normalisation.mean.device.type == "cpu"


@needs_gpu
def test_tones_are_learned_on_a_gpu(tone_data: StudyData) -> None:
    trainer = Trainer(ALL, tone_data, SCHEDULE, 0, device="cuda", with_affinities=True)
    assert {weight.device.type for weight in trainer.model.parameters()} == {"cuda"}
    assert finish(trainer)["pitch"] == 1.0
    measured = trainer.measurement("here")
    assert measured.weights
    assert measured.affinities


@needs_gpu
def test_both_devices_start_from_the_same_weights_and_see_the_same_batches(tone_data: StudyData) -> None:
    on_gpu, on_cpu = (Trainer(ALL, tone_data, SCHEDULE, 0, device=device) for device in ("cuda", "cpu"))
    for one, other in zip(on_gpu.model.parameters(), on_cpu.model.parameters(), strict=True):
        assert torch.equal(one.cpu(), other)
    for trainer in (on_gpu, on_cpu):
        trainer.advance()
    states = [trainer.pack_state("").facts() for trainer in (on_gpu, on_cpu)]
    assert states[0].shuffling == states[1].shuffling


@needs_gpu
def test_a_training_on_a_gpu_goes_on_from_its_state(tone_data: StudyData) -> None:
    first = Trainer(ALL, tone_data, SCHEDULE, 0, device="cuda")
    first.advance()
    second = Trainer(ALL, tone_data, SCHEDULE, 0, device="cuda")
    second.go_on_from(first.pack_state("s"), "s")
    assert second.fraction == first.fraction
    assert finish(second)["pitch"] == 1.0

import hashlib
import pickle
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from taskgraft.errors import TrainingFailed
from taskgraft.evaluators.augmentation import mask_axes_
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.evaluation import evaluate
from taskgraft.evaluators.features import Normalisation
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.metrics import measure
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Schedule, Trainer, unpack_weights
from taskgraft.space.tree import BranchTree
from tests.evaluators.tones import load_tones, write_tones

ALL = BranchTree.flat(["pitch", "shape", "tone"], 6, 8)
SHORT = Schedule(2, 16, Optimisation(1e-3))
LONG = Schedule(25, 8, Optimisation(3e-3))


def train(
    tree: BranchTree,
    data: StudyData,
    schedule: Schedule = SHORT,
    seed: int = 0,
    references: Mapping[str, float] | None = None,
) -> Measurement:
    trainer = Trainer(tree, data, schedule, seed, references)
    while not trainer.finished:
        trainer.advance()
    return trainer.measurement("here")


def digest(measured: Measurement) -> str:
    assert measured.weights
    return hashlib.sha256(measured.weights).hexdigest()


def test_equal_arguments_give_equal_weights_bit_for_bit(tone_data: StudyData) -> None:
    first = train(ALL, tone_data)
    torch.rand(7)
    assert digest(train(ALL, tone_data)) == digest(first)
    assert digest(train(ALL, tone_data, seed=1)) != digest(first)


def test_another_process_gives_the_same_weights(tone_data: StudyData, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(pickle.dumps(tone_data))
    code = (
        "import pickle, sys\n"
        "from tests.evaluators.test_training import ALL, digest, train\n"
        "print(digest(train(ALL, pickle.load(open(sys.argv[1], 'rb')))))\n"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code, str(tmp_path / "data")]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    assert finished.stdout.strip() == digest(train(ALL, tone_data))


def test_trainings_do_not_disturb_each_other(tone_data: StudyData) -> None:
    one, other = Trainer(ALL, tone_data, SHORT, 0), Trainer(ALL, tone_data, SHORT, 1)
    while not one.finished:
        one.advance()
        other.advance()
    assert digest(one.measurement("here")) == digest(train(ALL, tone_data))


def test_torchs_own_random_numbers_stay_as_they_were(tone_data: StudyData) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(ALL, tone_data)
    assert torch.equal(torch.rand(3), expected)


def test_tones_are_learned_in_seconds(tone_data: StudyData) -> None:
    measured = train(ALL, tone_data, LONG)
    assert measured.metrics["pitch"] == 1.0
    assert measured.metrics["shape"] >= 0.85
    assert measured.metrics["tone"] >= 0.9


def test_two_corpora_with_missing_labels_are_learned_in_one_tree(tmp_path: Path) -> None:
    manifests = {
        "one": write_tones(tmp_path / "one"),
        "two": write_tones(tmp_path / "two", seed=1, unlabelled="shape"),
    }
    tasks = [("pitch", "one", "pitch"), ("shape", "two", "shape"), ("tone", "two", "tone")]
    data = load_tones(manifests, tasks, tmp_path / "cache")
    measured = train(ALL, data, LONG)
    assert measured.metrics["pitch"] == 1.0
    assert min(measured.metrics.values()) >= 0.75
    assert len(measured.outcomes["shape"].clips) == 4


def test_measurement_is_that_of_the_weights_that_come_with_it(tone_data: StudyData) -> None:
    measured = train(ALL, tone_data)
    assert measured.weights
    model = TreeModel(ALL, tone_data.template, [task.task for task in tone_data.tasks.values()])
    outcomes = evaluate(unpack_weights(model, measured.weights), tone_data, Split.VALIDATION)
    for name, own in outcomes.items():
        assert own.classes.predicted.tolist() == measured.outcomes[name].classes.predicted.tolist()
        assert measure(own) == measured.metrics[name]


def test_best_checkpoint_has_the_best_mean_metric(tone_data: StudyData) -> None:
    measured = train(ALL, tone_data, Schedule(6, 16, Optimisation(1e-3)))
    means = {point["step"]: np.mean([point[name] for name in ALL.tasks]) for point in measured.curve}
    assert means[measured.best_step] == max(means.values())
    assert measured.steps == max(means) == 12


def test_with_references_the_best_checkpoint_keeps_most_of_the_worst_task(tone_data: StudyData) -> None:
    references = {"pitch": 1.0, "shape": 0.5, "tone": 0.9}
    measured = train(ALL, tone_data, Schedule(6, 16, Optimisation(1e-3)), references=references)
    kept = {
        point["step"]: min(point[name] / reference for name, reference in references.items())
        for point in measured.curve
    }
    assert kept[measured.best_step] == max(kept.values())


def test_fraction_runs_to_one(tone_data: StudyData) -> None:
    trainer, fractions = Trainer(ALL, tone_data, Schedule(4, 16, Optimisation(1e-3)), 0), []
    while not trainer.finished:
        trainer.advance()
        fractions.append(trainer.fraction)
    assert fractions == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize(
    "schedule",
    [Schedule(16, 8, Optimisation(1e-3)), Schedule(25, 8, Optimisation(1e-3)), Schedule(47, 16, Optimisation(1e-3))],
)
def test_a_training_is_evaluated_at_most_fifteen_times_the_last_time_at_its_end(
    tone_data: StudyData, schedule: Schedule
) -> None:
    curve = train(BranchTree.flat(["pitch"], 8, 8), tone_data, schedule).curve
    steps = [point["step"] for point in curve]
    assert 10 <= len(curve) <= 15
    assert steps[-1] == schedule.steps(tone_data.epoch_clips)
    assert len(set(np.diff(steps, prepend=0)[:-1])) == 1


@pytest.mark.parametrize(("clips", "steps"), [(64, 10), (65, 20), (1, 10)])
def test_an_epoch_is_one_pass_over_the_clips(clips: int, steps: int) -> None:
    assert Schedule(10, 64, Optimisation(1e-3)).steps(clips) == steps


def test_training_that_diverges_says_so(tone_data: StudyData) -> None:
    broken = Normalisation(np.full(64, np.nan, np.float32), np.ones(64, np.float32))
    with pytest.raises(TrainingFailed, match="loss of pitch, shape, tone is nan at step 0"):
        train(ALL, replace(tone_data, normalisation=broken))


def test_masks_hide_one_stretch_of_each_axis_and_no_more_than_their_share() -> None:
    features = torch.ones(500, 1, 64, 100)
    mask_axes_(features, 0.15, torch.Generator().manual_seed(0))
    masked = features[:, 0]
    bands, times = (masked.sum(2) == 0), (masked.sum(1) == 0)
    assert bands.sum(1).max() == 9
    assert times.sum(1).max() == 15
    assert len(set(times.sum(1).tolist())) == 16
    for hidden in (bands, times):
        edges = torch.diff(hidden.int(), prepend=torch.zeros(500, 1, dtype=torch.int)).eq(1).sum(1)
        assert edges.max() == 1
        assert hidden.any(0).all()
    kept = masked[~bands[:, :, None] & ~times[:, None, :]]
    assert torch.all(kept == 1)

"""Tags and values: what they refuse, what they learn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.manifest import read_corpus
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING
from taskgraft.evaluators.evaluation import evaluate
from taskgraft.evaluators.export import check_parity, model_files
from taskgraft.evaluators.kinds.registry import task_targets
from taskgraft.evaluators.kinds.value import ValueLabels
from taskgraft.evaluators.kinds.weights import presence_weights
from taskgraft.evaluators.kinds.yes_or_no import log_odds, mean_cross_entropy, mean_cross_entropy_of, probabilities_of
from taskgraft.evaluators.metrics import measure
from taskgraft.evaluators.models.device_model import DeviceModel
from taskgraft.evaluators.open_training import OpenTraining
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.training import Trainer
from taskgraft.space.tasks import TaskKind
from taskgraft.space.tree import BranchTree
from tests.evaluators.kinds.chimes import EVENTS, load_chimes, write_chimes


@pytest.mark.slow
def test_tags_and_values_are_learned_together(tmp_path: Path) -> None:
    data = load_chimes(write_chimes(tmp_path / "corpus", 96), [TaskKind.TAGS, TaskKind.VALUE], tmp_path / "cache")
    trainer = Trainer(BranchTree.flat(["tags", "loudness"], 8, 8), data, Schedule(25, 16, Optimisation(5e-3)), seed=0)
    while not trainer.finished:
        trainer.advance()
    said = evaluate(trainer.model, data, Split.TEST)
    assert measure(said["tags"], "accuracy") > 0.9
    assert measure(said["tags"], "macro_f1") > 0.9
    values = said["loudness"].tables["values"]
    assert 2 < values.predicted.min() <= values.predicted.max() < 12  # in the unit of the labels, 2 to 10


@pytest.mark.slow
@pytest.mark.parametrize("unit", [1.0, 1e6])
def test_forms_of_a_model_agree_whatever_the_unit_of_its_values(tmp_path: Path, unit: float) -> None:
    """Single precision rounds numbers of a million to a sixteenth."""
    data = load_chimes(write_chimes(tmp_path / "corpus"), [TaskKind.VALUE], tmp_path / "cache")
    labels = data.tasks["loudness"].targets
    assert isinstance(labels, ValueLabels)
    labels = replace(labels, middle=labels.middle * unit, spread=labels.spread * unit)
    data = replace(data, tasks={"loudness": replace(data.tasks["loudness"], targets=labels)})
    trainer = Trainer(BranchTree.flat(["loudness"], 8, 8), data, Schedule(20, 16, Optimisation(5e-3)), seed=0)
    while not trainer.finished:
        trainer.advance()
    device = DeviceModel(trainer.model, data).eval()
    for name, content in model_files(device).items():
        (tmp_path / name).write_bytes(content)
    sound = np.random.default_rng(0).normal(0, 0.1, (5, device.samples)).astype(np.float32)
    assert 0 < max(check_parity(tmp_path, device, sound)["max_abs_difference"].values()) < 1e-5


def test_the_checkpoint_of_an_error_is_the_one_with_the_lowest(tmp_path: Path) -> None:
    """Of a baseline, of a model with references, and of one whose references are known afterwards."""
    corpus = write_chimes(tmp_path / "corpus")
    data = load_chimes(corpus, [TaskKind.VALUE], tmp_path / "cache", metric="mean_absolute_error")
    schedule, references = Schedule(8, 16, Optimisation(5e-3)), {"loudness": 3.0}
    trainers = [
        Trainer(BranchTree.flat(["loudness"], 8, 8), data, schedule, seed=0),
        Trainer(BranchTree.flat(["loudness"], 8, 8), data, schedule, seed=0, references=references),
        Trainer(BranchTree.flat(["loudness"], 8, 8), data, schedule, seed=0, is_open=True),
    ]
    opened = OpenTraining({"loudness"})
    for trainer in trainers:
        while not trainer.finished:
            trainer.advance()
            if look := trainer.look("here"):
                opened.add(look)
    alone, compared = (trainer.measurement("here") for trainer in trainers[:2])
    errors = [point["loudness"] for point in alone.curve]
    assert len(set(errors)) > 2
    assert alone.metrics["loudness"] == compared.metrics["loudness"] == min(errors)
    resolved = opened.resolve(references, None)
    assert resolved is not None
    assert (resolved.best_step, resolved.weights) == (compared.best_step, compared.weights)


def test_weighted_cross_entropy_leaves_out_what_has_no_label() -> None:
    scores, targets = torch.tensor([[0.5, -1.0], [2.0, 0.0]]), torch.tensor([[1, MISSING], [0, 1]], dtype=torch.int8)
    weights = np.array([[1.0, 3.0], [1.0, 2.0]], np.float32)
    losses = torch.nn.functional.softplus(torch.tensor([-0.5, 2.0, 0.0]))  # of a yes, a no and a yes
    expected = (torch.tensor([3.0, 1.0, 2.0]) * losses).sum() / 6
    torch.testing.assert_close(mean_cross_entropy(scores, targets, weights), expected)
    torch.testing.assert_close(mean_cross_entropy_of(scores.sigmoid(), targets, weights), expected)


def test_presence_counts_as_much_as_absence() -> None:
    answers = np.array([[1, 0], [0, 0], [0, 1], [0, MISSING]], np.int8)
    np.testing.assert_allclose(presence_weights(answers), [[4 / 6, 2.0], [3 / 4, 3 / 2]])


def test_odds_and_probabilities_are_each_others_inverse() -> None:
    probabilities = np.array([1e-6, 0.2, 0.5, 0.999])
    np.testing.assert_allclose(probabilities_of(log_odds(probabilities)), probabilities)
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()


@pytest.mark.parametrize(
    ("kind", "target", "old", "new", "message"),
    [
        (TaskKind.TAGS, EVENTS, ",yes,", ",perhaps,", "the column 'low' of a tag says yes or no"),
        (TaskKind.TAGS, EVENTS, ",yes,", ",no,", "the split train has no clip with a yes"),
        (TaskKind.TAGS, ("low", "meow"), "", "", "no label column 'meow'"),
        (TaskKind.TAGS, (), "", "", "one name or more"),
        (TaskKind.CLIP, EVENTS, "", "", "a clip task has one target"),
        (TaskKind.FRAMES, EVENTS, "", "", "a frames task has one target"),
        (TaskKind.VALUE, "first", "", "", "a value task takes numbers"),
        (TaskKind.VALUE, "loudness", ".", "e99999999.", "a value task takes numbers"),
        (TaskKind.VALUE, EVENTS, "", "", "a value task has one target"),
    ],
)
def test_what_cannot_be_learned_is_refused(
    kind: TaskKind, target: str | tuple[str, ...], old: str, new: str, message: str, tmp_path: Path
) -> None:
    manifest = write_chimes(tmp_path / "corpus")
    if old:
        head, *lines = manifest.read_text().splitlines()
        lines = [line[: line.index(".wav") + 4] + line[line.index(".wav") + 4 :].replace(old, new) for line in lines]
        manifest.write_text("\n".join([head, *lines]))
    with pytest.raises(InvalidInput, match=message):
        task_targets(read_corpus(manifest, "chimes"), target, kind)


def test_values_that_never_change_are_refused(tmp_path: Path) -> None:
    manifest = write_chimes(tmp_path / "corpus")
    head, *lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join([head, *(line[: line.rindex(",")] + ",5" for line in lines)]))
    with pytest.raises(InvalidInput, match="the numbers of the split train are all the same"):
        task_targets(read_corpus(manifest, "chimes"), "loudness", TaskKind.VALUE)

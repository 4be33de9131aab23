"""The plain program reads, trains and measures what Taskgraft does, by its own means."""

import numpy as np
import pytest
import torch
from benchmarks.plain import PlainStudy, evaluate, read_plain_study
from benchmarks.plain_data import EndlessShuffle, TrainingClips, WholeClips

from taskgraft.evaluators.batches import evaluation_batches
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING
from taskgraft.evaluators.evaluation import evaluate as evaluate_ours
from taskgraft.evaluators.features import Normalisation
from taskgraft.evaluators.metrics import measure
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.study_data import StudyData, load_study_data
from taskgraft.search.study.preparation import prepare
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.evaluators.tones import write_tones

TASKS = ("pitch", "shape", "tone")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[PlainStudy, StudyData, StudySpec]:
    """One study as both programs read it: two corpora of two rates, crops shorter than the clips."""
    root = tmp_path_factory.mktemp("tones")
    write_tones(root / "one", unlabelled="pitch")
    write_tones(root / "two", seed=1, rate=11_025)
    tasks = [
        {"name": "pitch", "dataset": "one/manifest.csv", "target": "pitch"},
        {"name": "shape", "dataset": "two/manifest.csv", "target": "shape"},
        {"name": "tone", "dataset": "two/manifest.csv", "target": "tone", "kind": "frames"},
    ]
    training = {"epochs": 2, "batch_size": 8, "clip_seconds": 0.4, "class_weights": "balanced"}
    spec = StudySpec.parse({"ar_threshold": 0.1, "tasks": tasks, "training": training})
    prepared = prepare(spec, data_dir=root, base=root)
    template = get_template("cnn8")
    data = load_study_data(
        prepared.corpora,
        prepared.fingerprints(),
        prepared.labelled,
        template,
        root / "features",
        0.4,
        class_weights=spec.training.class_weights,
    )
    return read_plain_study(prepared), data, spec


Both = tuple[PlainStudy, StudyData, StudySpec]


def test_both_take_the_same_steps_on_crops_of_the_same_length(both: Both) -> None:
    plain, data, spec = both
    assert plain.crop == data.crop
    schedule = spec.training.schedule_for()
    assert plain.steps == schedule.steps(data.epoch_clips)


def test_both_normalise_and_weigh_alike(both: Both) -> None:
    plain, data, _ = both
    bands = slice(0, 45)  # up to 4 kHz: above, one corpus holds nothing but what the resampling filter leaves
    mean, deviation = data.normalisation.mean.flatten().numpy(), data.normalisation.deviation.flatten().numpy()
    assert plain.mean[bands] == pytest.approx(mean[bands], abs=0.02)
    assert plain.deviation[bands] == pytest.approx(deviation[bands], abs=0.02)
    for name in TASKS:
        assert plain.tasks[name].class_weights == pytest.approx(data.tasks[name].class_weights, rel=0.01)


def test_both_see_the_same_features_and_labels(both: Both) -> None:
    """Of 16 kHz recordings, which need no resampling: windows of whole clips, one after the other."""
    plain, data, _ = both
    clips = WholeClips(plain.recordings["one/manifest.csv"], plain.labels_of("one/manifest.csv", TASKS),
                       plain.template, plain.crop, Split.VALIDATION)  # fmt: skip
    batch, numbers, fresh = next(evaluation_batches(data, [data.tasks["pitch"]], Split.VALIDATION))
    windows = [clips[place] for place in range(len(clips))]
    assert torch.cat([one.clips for one in windows]).tolist() == numbers.tolist()
    assert torch.cat([one.targets["pitch"] for one in windows]).tolist() == batch.targets["pitch"].tolist()
    assert torch.equal(torch.cat([one.fresh for one in windows]), fresh)
    ours = batch.features.numpy()
    assert torch.cat([one.features for one in windows]).numpy() == pytest.approx(ours, abs=0.02)  # kept as float16


def test_both_judge_a_model_alike(both: Both) -> None:
    plain, data, _ = both
    torch.manual_seed(0)
    model = TreeModel(BranchTree.flat(TASKS, 4, 8), plain.template, [plain.tasks[name].task for name in TASKS])
    normalise = Normalisation(plain.mean, plain.deviation)
    found = evaluate(model, normalise, plain, TASKS, Split.VALIDATION)
    ours = {name: measure(one) for name, one in evaluate_ours(model, data, Split.VALIDATION).items()}
    assert found == pytest.approx(ours, abs=0.15)  # another resampling filter; 8 clips
    assert found["pitch"] == ours["pitch"]


def test_a_training_crop_holds_the_part_of_the_clip_that_its_labels_speak_of(both: Both) -> None:
    plain, _, _ = both
    corpus = "two/manifest.csv"
    labels = plain.labels_of(corpus, TASKS)
    clips = TrainingClips(plain.recordings[corpus], labels, plain.template, plain.crop)
    torch.manual_seed(1)
    agree, count = 0, 0
    for place in range(len(clips)):
        features, targets = clips[place]
        assert features.shape == (1, plain.template.front_end.rows, plain.crop)
        loud = (features[0].amax(0) > -2)[:: plain.template.time_stride]  # a tone stands far above the noise
        told = targets["tone"] != MISSING
        agree += int((loud[told] == targets["tone"][told].bool()).sum())
        count += int(told.sum())
    assert agree / count > 0.85


def test_every_clip_comes_once_in_each_pass() -> None:
    order = iter(EndlessShuffle(5, torch.Generator().manual_seed(0)))
    passes = np.array([[next(order) for _ in range(5)] for _ in range(3)])
    assert (np.sort(passes, axis=1) == np.arange(5)).all()
    assert len({tuple(one) for one in passes.tolist()}) == 3

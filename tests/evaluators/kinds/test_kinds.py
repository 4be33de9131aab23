"""What every kind of task promises."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from taskgraft.evaluators.batches import TrainBatches
from taskgraft.evaluators.datasets.check import check_tables
from taskgraft.evaluators.datasets.manifest import read_corpus
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING
from taskgraft.evaluators.evaluation import evaluate
from taskgraft.evaluators.kinds.protocol import Outline
from taskgraft.evaluators.kinds.registry import KINDS
from taskgraft.evaluators.kinds.steps import Timing
from taskgraft.evaluators.kinds.task_labels import TaskLabels
from taskgraft.evaluators.metrics import METRICS, measure, metrics_of
from taskgraft.evaluators.models.device_model import DeviceModel
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.windows import cut_windows
from taskgraft.space.tasks import TaskKind
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.evaluators.kinds.chimes import TASKS, labelled, load_chimes, write_chimes

WEAK, UNLABELLED = range(12, 16), range(18, 20)


@pytest.fixture(scope="module")
def chimes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chimes(tmp_path_factory.mktemp("chimes") / "corpus", weak=WEAK, unlabelled=UNLABELLED)


@pytest.fixture(scope="module")
def data(chimes: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    return load_chimes(chimes, list(TaskKind), tmp_path_factory.mktemp("cache"))


def flat_model(data: StudyData) -> TreeModel:
    depth = data.template.depth
    tasks = [task.task for task in data.tasks.values()]
    torch.manual_seed(0)
    return TreeModel(BranchTree.flat([task.name for task in tasks], depth, depth), data.template, tasks).eval()


def test_every_kind_has_a_module_a_task_here_and_a_metric() -> None:
    assert set(KINDS) == set(TASKS) == set(TaskKind)
    assert all(metrics_of(kind) for kind in TaskKind)


@pytest.mark.parametrize("kind", TaskKind)
def test_a_loss_is_0_without_labels_and_moves_the_scores_with_them(data: StudyData, kind: TaskKind) -> None:
    task = data.tasks[TASKS[kind][0]]
    batch = next(TrainBatches(data, [task], 16, np.random.default_rng(0)))
    scores = flat_model(data)(data.input_module()(batch.features), batch.rows)[task.task.name]
    scores = scores.detach().requires_grad_()
    targets = batch.targets[task.task.name]
    loss = KINDS[kind].loss(task, scores, targets)
    (slope,) = torch.autograd.grad(loss, scores)
    assert loss.item() > 0
    assert slope.abs().sum() > 0
    nothing = torch.full_like(targets, MISSING if targets.dtype != torch.float32 else torch.nan)
    silent = KINDS[kind].loss(task, scores, nothing)
    assert silent.item() == 0
    assert not torch.autograd.grad(silent, scores)[0].any()


@pytest.mark.parametrize("kind", TaskKind)
def test_each_metric_of_a_kind_can_be_read_from_what_a_model_says(chimes: Path, kind: TaskKind, tmp_path: Path) -> None:
    for metric in metrics_of(kind):
        data = load_chimes(chimes, [kind], tmp_path / metric, metric=metric)
        said = evaluate(flat_model(data), data, Split.VALIDATION)[TASKS[kind][0]]
        assert METRICS[metric].is_in(said)
        assert np.isfinite(measure(said, metric))
        assert set(said.clips.tolist()) <= set(data.tasks[TASKS[kind][0]].clips[Split.VALIDATION].tolist())


@pytest.mark.parametrize("kind", TaskKind)
def test_a_report_shows_what_reading_finds(chimes: Path, kind: TaskKind) -> None:
    task = labelled(read_corpus(chimes, "chimes"), kind)
    outline = KINDS[kind].outline("chimes", TASKS[kind][1], check_tables(chimes))
    splits = np.array(read_corpus(chimes).splits)
    known = {split: int(task.targets.labelled[splits == split].sum()) for split in Split}
    assert outline == Outline(task.task.classes, known)
    counted = {split: sum(counts.values()) for split, counts in task.targets.class_counts.items()}
    usable = {split: int(task.targets.learnable[splits == split].sum()) for split in Split}
    assert counted == usable | {split: known[split] for split in (Split.VALIDATION, Split.TEST)}


def test_an_exported_model_gives_outputs_of_the_shape_that_its_labels_say(data: StudyData) -> None:
    device = DeviceModel(flat_model(data), data).eval()
    outputs = dict(zip(data.tasks, device(torch.zeros(3, device.samples)), strict=True))
    for kind, (name, target) in TASKS.items():
        labels = KINDS[kind].task_labels(data.tasks[name].labels, target)
        assert KINDS[kind].fault(labels) is None
        assert outputs[name].shape == (3, *KINDS[kind].output_shape(labels, data.crop // data.template.time_stride))
        assert KINDS[kind].describe(labels)


@pytest.mark.parametrize("kind", TaskKind)
def test_answers_about_windows_are_those_of_the_evaluation(chimes: Path, kind: TaskKind, tmp_path: Path) -> None:
    """Clips of a second are read in windows of 0.4 s by both, and both take the same for the answer."""
    data = load_chimes(chimes, [kind], tmp_path, clip_seconds=0.4)
    name, target = TASKS[kind]
    model = flat_model(data)
    pack, template = data.packs["chimes"], data.template
    clip = int(data.tasks[name].clips[Split.TEST][0])
    windows = cut_windows(pack.lengths[[clip]], data.crop, template.time_stride)
    assert len(windows.starts) > 2
    rows = windows.starts[:, None] + np.arange(data.crop)
    rows = np.where(rows < pack.lengths[clip], pack.starts[clip] + rows, 0)
    features = torch.from_numpy(np.asarray(pack.frames()[rows], np.float32)).transpose(1, 2).unsqueeze(1)
    with torch.inference_mode():
        scores = model(data.input_module()(features))[name]
        outputs = KINDS[kind].activate(data.tasks[name], scores).numpy()
    per_second = template.front_end.frames_per_second
    seconds = float(pack.lengths[clip] / per_second)
    timing = Timing(windows, template.time_stride, template.time_stride / per_second, seconds)
    answer = KINDS[kind].decode(KINDS[kind].task_labels(data.tasks[name].labels, target), outputs, timing)
    assert "\n" not in KINDS[kind].summary(answer)
    (table, *_) = evaluate(model, data, Split.TEST)[name].tables.values()
    mine = table.clips == clip
    if kind is TaskKind.CLIP:
        assert data.tasks[name].labels[int(table.predicted[mine][0])] == answer["label"]
    elif kind is TaskKind.VALUE:
        assert answer["value"] == pytest.approx(float(table.predicted[mine][0]), rel=1e-5)
    elif kind is TaskKind.TAGS:
        said = {data.tasks[name].labels[label] for label in table.labels[mine & (table.predicted == 1)].tolist()}
        assert set(answer["tags"]) == said
    elif kind is TaskKind.FRAMES:
        present = table.counts[mine & (table.predicted == 1)].sum() / table.counts[mine].sum()
        assert answer["share"] == pytest.approx(float(present), abs=0.05)  # a step more or less at the end of the clip
    else:
        assert len(answer["regions"]) == table.counts[mine & (table.predicted == 1)].sum()


@pytest.mark.parametrize(
    ("kind", "labels", "event"),
    [
        ("clip", ["a"], None),
        ("clip", ["a", "b"], "c"),
        ("frames", ["a", "b"], None),
        ("frames", ["a"], "b"),
        ("events", [], None),
        ("events", ["a"], "b"),
        ("tags", [], None),
        ("value", [], None),
        ("value", ["a", "b"], None),
    ],
)
def test_labels_of_another_kind_are_named(kind: TaskKind, labels: list[str], event: str | None) -> None:
    assert KINDS[TaskKind(kind)].fault(TaskLabels(kind=TaskKind(kind), labels=tuple(labels), event=event))


def test_templates_without_a_time_axis_answer_kinds_about_clips_only() -> None:
    assert get_template("vgg11").kinds == (TaskKind.CLIP, TaskKind.TAGS, TaskKind.VALUE)
    assert get_template("crnn").kinds == tuple(TaskKind)


@pytest.mark.parametrize(
    ("kind", "answer", "line"),
    [
        (TaskKind.CLIP, {"label": "cat", "probability": 0.25}, "cat (25.00 %)"),
        (TaskKind.FRAMES, {"regions": []}, "nowhere"),
        (TaskKind.FRAMES, {"regions": [{"onset": 0, "offset": 1.5, "event": "low"}]}, "0.00-1.50 s"),
        (TaskKind.EVENTS, {"regions": []}, "none"),
        (
            TaskKind.EVENTS,
            {"regions": [{"onset": 0, "offset": 1.5, "event": "low"}] * 2},
            "low 0.00-1.50 s, low 0.00-1.50 s",
        ),
        (TaskKind.TAGS, {"tags": []}, "none"),
        (TaskKind.TAGS, {"tags": ["low", "high"]}, "low, high"),
        (TaskKind.VALUE, {"value": 30.46638298034668}, "30.4664"),
    ],
)
def test_people_read_an_answer_in_a_line(kind: TaskKind, answer: dict[str, Any], line: str) -> None:
    assert KINDS[kind].summary(answer) == line

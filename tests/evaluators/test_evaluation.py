from dataclasses import replace

import numpy as np
import pytest
import torch

from taskgraft.evaluators.batches import evaluation_batches
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING
from taskgraft.evaluators.evaluation import evaluate
from taskgraft.evaluators.metrics import measure
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.outcomes import BINS, SCORES
from taskgraft.evaluators.study_data import StudyData
from taskgraft.space.tree import BranchTree
from tests.evaluators.tones import label_values, load_tones, write_tones

TASKS = ["pitch", "tone", "shape"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    """Clips of two to five windows, in two corpora, some without labels."""
    root = tmp_path_factory.mktemp("evaluation")
    manifests = {"one": write_tones(root / "one"), "two": write_tones(root / "two", seed=1, unlabelled="shape")}
    tasks = [("pitch", "one", "pitch"), ("tone", "one", "tone"), ("shape", "two", "shape")]
    return load_tones(manifests, tasks, root / "cache", clip_seconds=0.16)


@pytest.fixture(scope="module")
def model(data: StudyData) -> TreeModel:
    torch.manual_seed(3)
    model = TreeModel(BranchTree.flat(TASKS, 4, 8), data.template, [data.tasks[name].task for name in TASKS])
    model(torch.randn(16, 1, 64, data.crop))
    model.eval()
    features = [batch.features for batch, _, _ in evaluation_batches(data, list(data.tasks.values()), Split.TRAIN)]
    with torch.no_grad():  # a model of which one window is surer than several others that disagree with it
        scores = model(data.normalisation(torch.cat(features)))
        for name in ("pitch", "shape"):
            classify = model.heads[TASKS.index(name)].get_submodule("classify")
            assert isinstance(classify, torch.nn.Linear)
            margins = scores[name][:, 0] - scores[name][:, 1]
            classify.bias[0] -= margins.median()
            classify.bias.mul_(5 / margins.std())
            classify.weight.mul_(5 / margins.std())
    return model


def window(data: StudyData, corpus: str, clip: int, start: int) -> torch.Tensor:
    """Normalised features [1, 1, f, t] of one window, silence behind the clip's end."""
    pack = data.packs[corpus]
    rows = pack.frames()[pack.starts[clip] :][: pack.lengths[clip]][start : start + data.crop]
    silence = np.repeat(pack.frames()[:1], data.crop - len(rows), axis=0)
    features = torch.from_numpy(np.concatenate([rows, silence]).astype(np.float32))
    return torch.as_tensor(data.normalisation(features.T[None, None]))


def starts(data: StudyData, corpus: str, clip: int) -> list[int]:
    length, stride = int(data.packs[corpus].lengths[clip]), data.template.time_stride
    last = -(-max(length - data.crop, 0) // stride) * stride
    return [*range(0, last, data.crop), last]


@pytest.mark.parametrize(("name", "corpus"), [("pitch", "one"), ("shape", "two")])
def test_a_clip_is_what_its_windows_find_likeliest_together(
    data: StudyData, model: TreeModel, name: str, corpus: str
) -> None:
    outcomes = evaluate(model, data, Split.TRAIN)[name]
    assert outcomes.classes.clips.tolist() == data.tasks[name].clips[Split.TRAIN].tolist()
    assert outcomes.classes.truth.tolist() == label_values(data, name)[outcomes.classes.clips].tolist()
    assert outcomes.classes.counts.tolist() == [1] * len(outcomes.classes.clips)
    votes = []
    with torch.inference_mode():
        for clip, predicted in zip(outcomes.classes.clips.tolist(), outcomes.classes.predicted.tolist(), strict=True):
            windows = [model(window(data, corpus, clip, start))[name] for start in starts(data, corpus, clip)]
            likelihood = torch.log_softmax(torch.cat(windows), 1).sum(0)
            assert predicted == int(likelihood.argmax())
            votes.append(int(torch.softmax(torch.cat(windows), 1).sum(0).argmax()) == predicted)
    assert not all(votes)


def test_frames_are_counted_once_each_by_truth_and_answer(data: StudyData, model: TreeModel) -> None:
    outcomes = evaluate(model, data, Split.TEST)["tone"]
    task, pack, stride = data.tasks["tone"], data.packs["one"], data.template.time_stride
    expected: dict[tuple[int, int, int], int] = {}
    with torch.inference_mode():
        for clip in task.clips[Split.TEST].tolist():
            said: dict[int, int] = {}
            for start in starts(data, "one", clip):
                score = model(window(data, "one", clip, start))["tone"][0]
                for step, present in enumerate((score[:, 0] > 0).tolist()):
                    said.setdefault(start + step * stride, int(present))
            for frame in range(0, int(pack.lengths[clip]), stride):
                truth = int(label_values(data, task.task.name)[pack.starts[clip] + frame])
                assert truth != MISSING
                key = (clip, truth, said[frame])
                expected[key] = expected.get(key, 0) + 1
    rows = zip(
        outcomes.classes.clips.tolist(),
        outcomes.classes.truth.tolist(),
        outcomes.classes.predicted.tolist(),
        strict=True,
    )
    assert dict(zip(rows, outcomes.classes.counts.tolist(), strict=True)) == expected


def test_the_corpus_of_tones_has_clips_of_several_windows(data: StudyData) -> None:
    assert {len(starts(data, "one", clip)) for clip in range(48)} >= {3, 4}


def test_scores_of_time_steps_are_kept_if_the_metric_needs_them(data: StudyData, model: TreeModel) -> None:
    plain = evaluate(model, data, Split.TEST)["tone"]
    scored = replace(data, tasks={**data.tasks, "tone": replace(data.tasks["tone"], metric="roc_auc")})
    said = evaluate(model, scored, Split.TEST)["tone"]
    assert list(plain.tables) == ["classes"]
    assert said.to_plain_array().tolist() == plain.to_plain_array().tolist()
    scores = said.tables[SCORES]
    for clip in said.clips:
        steps, bins = said.classes.clips == clip, scores.clips == clip
        for truth in (0, 1):
            present = said.classes.counts[steps & (said.classes.truth == truth) & (said.classes.predicted == 1)].sum()
            high = bins & (scores.truth == truth) & (scores.predicted >= BINS / 2)
            assert scores.counts[high].sum() == pytest.approx(present, abs=1)  # a score of 0 lies on the border
    assert 0 <= measure(said, "roc_auc") <= 1

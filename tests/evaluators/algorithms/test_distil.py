"""`distil`: baselines teach the model of their tasks."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.algorithms.distil import Distil
from taskgraft.evaluators.algorithms.learner import Step
from taskgraft.evaluators.algorithms.registry import SOFT
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING
from taskgraft.evaluators.grafting import FlatModel, graft
from taskgraft.evaluators.kinds.clip import ClipLabels
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.precision import Precision
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.teachers import Teachers
from taskgraft.evaluators.training import Trainer, pack_weights
from taskgraft.space.tree import BranchTree
from tests.evaluators.algorithms.runs import ALL, ALONE, NAMES, digest, finish, schedule_of, teachers_of, trainer_of

APART = BranchTree.flat(NAMES, 0, 8)
"""Three models of one task each, side by side."""


@pytest.fixture(scope="module")
def trained(corpora: StudyData) -> Teachers:
    """Baselines of all tasks."""
    weights = {}
    for task in NAMES:
        weights[task] = finish(trainer_of(SOFT, corpora, BranchTree.flat([task], 8, 8), epochs=2)).weights or b""
    return Teachers(weights)


def trainer(
    data: StudyData, teachers: Teachers | None, algorithm: Distil | None = None, tree: BranchTree = ALL
) -> Trainer:
    return Trainer(tree, data, schedule_of(algorithm or Distil()), 3, teachers=teachers)


def first_step(one: Trainer) -> Step:
    batch = one._steps.batch(0)
    return Step(0, batch, one._input(batch.features).contiguous(memory_format=torch.channels_last))


def gradients(one: Trainer, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    one.model.zero_grad(set_to_none=True)
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    return {name: weight.grad for name, weight in one.model.named_parameters() if weight.grad is not None}


def test_a_model_that_is_its_teachers_has_only_its_part_of_the_plain_gradient(
    corpora: StudyData, trained: Teachers
) -> None:
    one = trainer(corpora, trained, Distil(share=0.25), APART)
    graft(one.model, lambda tasks: FlatModel.unpacked(tasks, trained.weights[tasks[0]]))
    one.model.eval()  # as the teachers: otherwise batch normalisation and dropout differ
    learner = replace(one._steps._learner, precision=Precision(torch.device("cpu"), torch.float32))
    one._steps._learner, now = learner, first_step(one)
    plain = learner.losses(learner.ask(now.features, now.batch.rows), now)
    expected = {name: 0.75 * slope for name, slope in gradients(one, plain).items()}
    losses = one._steps.losses(now)
    for task in NAMES:
        torch.testing.assert_close(losses[task], 0.75 * plain[task])
    found = gradients(one, losses)
    assert found.keys() == expected.keys()
    for name, slope in found.items():
        torch.testing.assert_close(slope, expected[name], rtol=1e-4, atol=1e-6)


def test_the_loss_is_the_share_of_both_parts(corpora: StudyData, trained: Teachers) -> None:
    one = trainer(corpora, trained, Distil(temperature=3.0, share=0.25))
    one.model.train()
    now = first_step(one)
    losses = one._steps.losses(now)
    learner = one._steps._learner
    scores = learner.ask(now.features, now.batch.rows)
    own = learner.losses(scores, now)
    for task, baseline in one._steps._baselines.items():  # type: ignore[attr-defined]
        rows = now.batch.rows[task]
        taught = learner.ask(now.features, {task: rows}, baseline)[task]
        far = learner.divergence(task, scores[task], taught, 3.0, now, rows)
        assert far > 0
        torch.testing.assert_close(losses[task], 0.75 * own[task] + 0.25 * far, rtol=1e-3, atol=1e-5)


def test_a_share_of_0_is_plain_training_without_teachers(corpora: StudyData) -> None:
    algorithm = Distil(share=0)
    assert not algorithm.taught(ALL.tasks)
    found, plain = (finish(trainer_of(one, corpora)) for one in (algorithm, SOFT))
    assert digest(found) == digest(plain)
    assert found.curve == plain.curve


def test_everything_that_is_told_has_its_effect(corpora: StudyData, trained: Teachers) -> None:
    algorithms = [Distil(), Distil(share=1), Distil(temperature=4), Distil(others=True)]
    digests = {digest(finish(trainer(corpora, trained, one))) for one in algorithms}
    digests.add(digest(finish(trainer(corpora, teachers_of(Distil(), corpora, ALL)))))
    digests.add(digest(finish(trainer_of(SOFT, corpora))))
    assert len(digests) == 6


def test_teachers_stay_as_they_are_and_are_no_part_of_a_state(corpora: StudyData, trained: Teachers) -> None:
    one = trainer(corpora, trained)
    one.advance()
    for task, baseline in one._steps._baselines.items():  # type: ignore[attr-defined]
        assert pack_weights(baseline) == trained.weights[task]
        assert not baseline.training
        assert not any(weight.requires_grad for weight in baseline.parameters())
    assert not [name for name in one._state_tensors() if name.startswith("algorithm.")]


def without_labels(task: TaskData) -> TaskData:
    """The same task, none of whose clips has a label; they are drawn for another task of their dataset."""
    assert isinstance(task.targets, ClipLabels)
    labels = ClipLabels(np.full_like(task.targets.values, MISSING))
    return replace(task, targets=labels)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_clips_without_a_label_of_the_task_teach_it(corpora: StudyData, trained: Teachers, share: float) -> None:
    data = replace(corpora, tasks={**corpora.tasks, "shape": without_labels(corpora.tasks["shape"])})
    one = trainer(data, trained, Distil(share=share))
    one.model.train()
    now = first_step(one)
    assert (now.batch.targets["shape"] == MISSING).all()
    losses = one._steps.losses(now)
    own = {"shape": losses["shape"]}
    assert losses["shape"] > 0
    head = NAMES.index("shape")
    assert any(
        name.startswith(f"heads.{head}.") and slope.abs().sum() > 0 for name, slope in gradients(one, own).items()
    )


def test_clips_that_only_another_task_has_labels_of_are_drawn(corpora: StudyData) -> None:
    shape, tone = corpora.tasks["shape"], corpora.tasks["tone"]
    only = np.setdiff1d(tone.clips[Split.TRAIN], shape.clips[Split.TRAIN])
    assert len(only)
    pool = Distil().pools(list(corpora.tasks.values()), 7)["two"]
    assert set(only) <= set(pool.clips.tolist())


@pytest.mark.parametrize("others", [False, True])
def test_baselines_answer_about_other_datasets_if_they_are_asked_to(
    others: bool, corpora: StudyData, trained: Teachers
) -> None:
    one = trainer(corpora, trained, Distil(share=1, others=others))
    one.model.eval()  # otherwise batch normalisation makes one clip's answers hang on all others
    now = first_step(one)
    features = now.features.clone().requires_grad_()
    losses = one._steps.losses(replace(now, features=features))
    losses["pitch"].backward()  # type: ignore[no-untyped-call]
    assert features.grad is not None
    moved = (features.grad.abs().sum((1, 2, 3)) > 0).nonzero()[:, 0]
    everything = torch.arange(len(features))
    assert moved.equal(everything if others else now.batch.rows["pitch"])


def test_of_one_dataset_there_are_no_others(tone_data: StudyData) -> None:
    tree = BranchTree.flat(NAMES, 6, 8)
    teachers = teachers_of(Distil(), tone_data, tree)
    found = {digest(finish(trainer(tone_data, teachers, Distil(others=others), tree))) for others in (False, True)}
    assert len(found) == 1


def test_a_missing_teacher_is_refused(corpora: StudyData, trained: Teachers) -> None:
    with pytest.raises(InvalidInput, match="teachers: algorithm distil needs the baseline of pitch, shape, tone"):
        trainer(corpora, None)
    some = Teachers({task: trained.weights[task] for task in ("pitch", "tone")})
    with pytest.raises(InvalidInput, match=r"needs the baseline of shape$"):
        trainer(corpora, some)
    assert trainer(corpora, None, tree=ALONE)


def test_equal_teachers_have_equal_digests() -> None:
    one, other = Teachers({"a": b"1", "b": b"2"}), Teachers({"b": b"2", "a": b"1"})
    assert one.digest == other.digest
    changed = [{"a": b"2", "b": b"1"}, {"a": b"1"}, {"a": b"1", "b": b"3"}, {"a": b"1", "c": b"2"}]
    assert len({one.digest, *(Teachers(weights).digest for weights in changed)}) == 5
    assert "1" not in repr(Teachers({"a": b"1"}))


def test_what_teaches_nothing_is_soft() -> None:
    assert Distil().among(["a"]) == SOFT == Distil(share=0).among(["a", "b"])
    assert Distil().among(["a", "b"]) == Distil()

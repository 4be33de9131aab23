"""`hard`: one task a step, and nothing else changes."""

import torch

from taskgraft.evaluators.algorithms.hard import Hard
from taskgraft.evaluators.algorithms.statistics import Moments
from taskgraft.evaluators.study_data import StudyData
from tests.evaluators.algorithms.runs import NAMES, changed, step, tensors_of, trainer_of


def test_a_step_changes_the_path_of_its_task_only(corpora: StudyData) -> None:
    trainer = trainer_of(Hard(), corpora)
    for number in range(2 * len(NAMES)):
        before = tensors_of(trainer)
        step(trainer)
        active = number % len(NAMES)
        assert changed(before, tensors_of(trainer)) == {"nodes.0", f"nodes.{active + 1}", f"heads.{active}"}


def test_a_step_has_the_data_of_its_task_only(corpora: StudyData) -> None:
    trainer = trainer_of(Hard(), corpora)
    for number in range(2 * len(NAMES)):
        batch = trainer._steps.batch(number)
        assert set(batch.rows) == set(batch.targets) == {NAMES[number % len(NAMES)]}
        assert len(batch.features) == 7
    shape = trainer._batches.pools["shape"]
    assert shape.clips.tolist() == corpora.tasks["shape"].clips["train"].tolist()  # type: ignore[index]


def test_statistics_of_idle_tasks_do_not_drift(corpora: StudyData) -> None:
    trainer = trainer_of(Hard(), corpora)
    step(trainer, 3)
    before = {name: tensor.clone() for name, tensor in trainer._steps.tensors().items()}
    step(trainer)
    after = trainer._steps.tensors()
    tasks = {name.split(".")[2] for name in before if not torch.equal(before[name], after[name])}
    assert tasks == {"0"}


def test_merged_statistics_are_those_of_all_data_together() -> None:
    parts = (
        torch.randn(3, 50, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 2.0, 3.0])[:, None, None]
    )
    parts += torch.arange(3.0)[:, None, None]
    merged = Moments.merged([Moments(part.mean(0), part.var(0, correction=0)) for part in parts])
    together = parts.reshape(-1, 4)
    torch.testing.assert_close(merged.mean, together.mean(0))
    torch.testing.assert_close(merged.variance, together.var(0, correction=0))


def test_the_model_is_evaluated_with_the_statistics_of_all_tasks(corpora: StudyData) -> None:
    trainer = trainer_of(Hard(), corpora)
    step(trainer, 4)
    kept = trainer._steps.tensors()
    mean = torch.stack([kept[f"statistics.0.{task}.mean"] for task in range(3)]).mean(0)
    norm = next(module for module in trainer.model.modules() if isinstance(module, torch.nn.BatchNorm2d))
    assert norm.running_mean is not None
    torch.testing.assert_close(norm.running_mean, mean)

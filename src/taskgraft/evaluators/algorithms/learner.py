"""What the steps of an algorithm work with: the model under way, its tasks, and where batches come from.

Notation: ``n`` clips, ``f`` bands, ``t`` frames.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from taskgraft.evaluators.augmentation import Mixed
from taskgraft.evaluators.batches import Batch, TrainBatches
from taskgraft.evaluators.kinds.registry import KINDS
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.losses import task_losses
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.precision import Precision
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.teachers import Teachers


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step: its number from 0, its batch on the device, and the features [n, 1, f, t] that the model sees."""

    number: int
    batch: Batch
    features: Tensor
    mixed: Mixed | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Learner:
    """A model, its tasks, and its batches; ``planned`` are the steps of the recipe, and of each phase.

    ``teachers`` are the baselines that the algorithm asks for (`Algorithm.taught`).
    """

    data: StudyData
    model: TreeModel
    tasks: Mapping[str, TaskData]
    batches: TrainBatches
    precision: Precision
    planned: int
    seed: int
    teachers: Teachers | None = None

    @property
    def names(self) -> Sequence[str]:
        """The tasks, in the order of the tree."""
        return self.model.tree.tasks

    def ask(
        self, features: Tensor, rows: Mapping[str, Tensor] | None, model: TreeModel | None = None
    ) -> dict[str, Tensor]:
        """Return the scores of the model, or of another one, as `TreeModel.forward`."""
        with self.precision.autocast():
            scores: dict[str, Tensor] = (model or self.model)(features, rows)
        return scores

    @property
    def _answerable(self) -> Mapping[str, TaskData]:
        """All that scores can be about: the tasks, and the nuisance if there is one."""
        nuisance = self.data.nuisance
        return self.tasks if nuisance is None else {**self.tasks, nuisance.task.name: nuisance}

    def losses(self, scores: Mapping[str, Tensor], step: Step) -> dict[str, Tensor]:
        """Return the loss of each task that has scores; those of clips that were mixed are mixed alike."""
        targets, mixed = step.batch.targets, step.mixed
        losses = task_losses(self._answerable, scores, targets)
        if mixed is None:
            return losses
        others = {task: targets[task][places.to(targets[task].device)] for task, places in mixed.partners.items()}
        swapped = task_losses(self._answerable, scores, others)
        return {task: mixed.share * loss + (1 - mixed.share) * swapped[task] for task, loss in losses.items()}

    def divergence(
        self, task: str, scores: Tensor, taught: Tensor, temperature: float, step: Step, rows: Tensor | None
    ) -> Tensor:
        """Return how far a model's answers to a task are from a teacher's, given the scores of both.

        ``rows`` are the clips of the step that these are about; None for all.
        """
        data, inside = self.tasks[task], step.batch.inside if rows is None else step.batch.inside[rows]
        inside = inside[:, :: self.data.template.time_stride]  # as labels are picked (`assemble`)
        return KINDS[data.task.kind].divergence(data, scores.float(), taught.float(), temperature, inside)

    def difference(self, task: str, one: Tensor, other: Tensor) -> Tensor:
        """Return the mean square difference of two models' answers to a task, given their scores.

        The answers of heads that say something about time steps and about whole clips count both.
        """
        data = self.tasks[task]
        kind = KINDS[data.task.kind]
        pairs = zip(kind.answers(data, one.float()), kind.answers(data, other.float()), strict=True)
        return torch.stack([(mine - theirs).square().mean() for mine, theirs in pairs]).sum()

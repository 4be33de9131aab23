"""``clip``: one label for the whole clip, from a label column.

Notation: ``n`` clips, ``w`` windows of clips, ``k`` classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.manifest import Corpus
from taskgraft.evaluators.datasets.report import CheckReport
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING, ClassCounts, count_labels, label_faults
from taskgraft.evaluators.kinds.names import one_target, refuse_faults, require_column
from taskgraft.evaluators.kinds.protocol import Clips, Floats, Outline, Said, Target
from taskgraft.evaluators.kinds.steps import Timing
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.kinds.task_labels import TaskLabels
from taskgraft.evaluators.optimisation.class_weights import balanced_weights
from taskgraft.evaluators.outcomes import Outcomes
from taskgraft.space.tasks import TaskKind
from taskgraft.space.template import Template

if TYPE_CHECKING:
    from torch import Tensor

    from taskgraft.evaluators.features import FeaturePack

_TINY = 1e-30
"""Keeps the logarithm of a probability that was rounded to 0 finite."""
_LISTED_LABELS = 12


@dataclass(frozen=True, slots=True, eq=False)
class ClipTargets:
    """One label for each clip."""

    label_set: tuple[str, ...]
    """Sorted; all of them occur in train."""
    values: NDArray[np.int64]
    """Place in ``label_set``, or `MISSING`; shape [clips]."""
    class_counts: ClassCounts
    """Clips per split and label."""

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which clips have a label, shape [clips]."""
        return np.not_equal(self.values, MISSING)

    @property
    def learnable(self) -> NDArray[np.bool_]:
        """Which clips have a label, shape [clips]."""
        return self.labelled


@dataclass(frozen=True, slots=True, eq=False)
class ClipLabels:
    """Classes of all clips [clips]; `MISSING` if there is no label."""

    values: NDArray[np.int16]

    def pick(self, clips: NDArray[np.int32], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the classes of clips [n]."""
        return self.values[clips].astype(np.int64)

    def parts(self) -> tuple[NDArray[Any], ...]:
        """Return the classes."""
        return (self.values,)


class ClipKind:
    """Tasks with one label for the whole clip: a head that tells classes apart."""

    usage = 'print(name, task["labels"][output[0].argmax()], output[0].max())  # [clips, labels]'

    def outline(self, dataset: str, target: Target, report: CheckReport) -> Outline:
        """Return the classes of a label column."""
        column = one_target(TaskKind.CLIP, target)
        require_column(dataset, column, report.labels, report.events)
        found = report.labels[column]
        refuse_faults(dataset, {column: found.faults})
        return Outline(found.classes, found.labelled)

    def read(self, corpus: Corpus, target: Target) -> ClipTargets:
        """Return the labels of a column of the manifest."""
        column = one_target(TaskKind.CLIP, target)
        require_column(corpus.name, column, corpus.labels, corpus.segments)
        cells = corpus.labels[column]
        counts = count_labels(cells, corpus.splits)
        refuse_faults(corpus.name, {column: label_faults(counts)})
        label_set = tuple(sorted(counts[Split.TRAIN]))
        places = {label: place for place, label in enumerate(label_set)} | {"": MISSING}
        return ClipTargets(label_set, np.fromiter((places[cell] for cell in cells), np.int64, len(cells)), counts)

    def arrays(self, targets: ClipTargets, pack: "FeaturePack", template: Template) -> ClipLabels:
        """Return the classes of all clips."""
        return ClipLabels(targets.values.astype(np.int16))

    def balanced_weights(self, labels: ClipLabels, classes: int, train: Clips, pack: "FeaturePack") -> Floats:
        """Return the weight of each class [k]."""
        return balanced_weights(labels.values[train], classes)

    def even_weights(self, classes: int) -> Floats:
        """Return 1 for each class [k]."""
        return np.ones(classes, np.float32)

    def loss(self, task: TaskData, scores: "Tensor", targets: "Tensor") -> "Tensor":
        """Return the weighted cross-entropy of ``scores`` [n, k] and ``targets`` [n]."""
        import torch  # noqa: PLC0415  # whoever checks a study or runs a bundle does without it

        if not bool((targets != MISSING).any()):
            return scores.sum() * 0.0
        weights = torch.tensor(task.class_weights, device=scores.device)
        return torch.nn.functional.cross_entropy(scores, targets, weights, ignore_index=MISSING)

    def outcomes(self, task: TaskData, said: Said) -> Outcomes:
        """Return the class of each labelled clip that its windows find likeliest together; scores [w, k]."""
        labelled = said.targets != MISSING
        clips, first, place = np.unique(said.windows[labelled], return_index=True, return_inverse=True)
        likelihood = np.zeros((len(clips), said.scores.shape[1]))
        np.add.at(likelihood, place, said.scores.log_softmax(1).numpy()[labelled])
        truth = said.targets[labelled][first].astype(np.int32)
        return Outcomes.of_classes(clips, truth, likelihood.argmax(1).astype(np.int32), np.ones(len(clips), np.int32))

    def activate(self, task: TaskData, scores: "Tensor") -> "Tensor":
        """Return the probability of each class [n, k]."""
        return scores.softmax(dim=1)

    def answers(self, task: TaskData, scores: "Tensor") -> "tuple[Tensor, ...]":
        """Return the probabilities."""
        return (self.activate(task, scores),)

    def divergence(
        self, task: TaskData, scores: "Tensor", taught: "Tensor", temperature: float, inside: "Tensor"
    ) -> "Tensor":
        """Return the mean Kullback-Leibler divergence over clips, of ``scores`` [n, k]."""
        import torch  # noqa: PLC0415

        mine, theirs = ((one / temperature).log_softmax(1) for one in (scores, taught))
        found = torch.nn.functional.kl_div(mine, theirs, reduction="batchmean", log_target=True)
        return temperature**2 * found

    def task_labels(self, labels: Sequence[str], target: Target) -> TaskLabels:
        """Return the classes."""
        return TaskLabels(kind=TaskKind.CLIP, labels=tuple(labels), event=None)

    def fault(self, labels: TaskLabels) -> str | None:
        """Return why these are no classes."""
        return None if len(labels.labels) > 1 and labels.event is None else "a clip task has 2 labels or more, no event"

    def output_shape(self, labels: TaskLabels, steps: int) -> tuple[int, ...]:
        """Return [k]."""
        return (len(labels.labels),)

    def decode(self, labels: TaskLabels, outputs: Floats, timing: Timing) -> dict[str, Any]:
        """Return the likeliest label, by the geometric mean of the windows' probabilities [w, k]."""
        likelihood = np.log(np.maximum(outputs.astype(np.float64), _TINY)).mean(axis=0)  # [k]
        joint = np.exp(likelihood - likelihood.max())
        joint /= joint.sum()
        best = int(joint.argmax())
        return {
            "label": labels.labels[best],
            "probability": float(joint[best]),
            "probabilities": dict(zip(labels.labels, joint.tolist(), strict=True)),
        }

    def summary(self, answer: Mapping[str, Any]) -> str:
        """Return the likeliest label and its probability."""
        return f"{answer['label']} ({100 * answer['probability']:.2f} %)"

    def describe(self, labels: TaskLabels) -> str:
        """Return the classes."""
        more = len(labels.labels) - _LISTED_LABELS
        return f"one of {', '.join(labels.labels[:_LISTED_LABELS])}" + (f" and {more} more" if more > 0 else "")

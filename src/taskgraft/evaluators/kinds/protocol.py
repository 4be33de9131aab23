"""What every kind of task says: how its labels are read, learned, measured and answered.

Notation: ``n`` clips, ``w`` windows of clips, ``s`` time steps, ``k`` classes, events or tags.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.manifest import Corpus
from taskgraft.evaluators.datasets.report import CheckReport
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import ClassCounts
from taskgraft.evaluators.kinds.steps import Timing
from taskgraft.evaluators.kinds.task_data import LabelArrays, TaskData
from taskgraft.evaluators.kinds.task_labels import TaskLabels
from taskgraft.evaluators.outcomes import Outcomes
from taskgraft.space.template import Template

if TYPE_CHECKING:  # whoever checks a study or runs a bundle does without torch
    from torch import Tensor

    from taskgraft.evaluators.features import FeaturePack

Target = str | tuple[str, ...]
"""What a task is about, by name: a label column or an event, or several of them."""
Floats = NDArray[np.float32]
Clips = NDArray[np.int32]
"""Places of clips in their manifest."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A task as the report of its dataset shows it: its classes, and the clips of each split that have a label."""

    classes: int
    clips: Mapping[Split, int]


class Targets(Protocol):
    """The labels of a task, clip by clip, as its dataset says them."""

    @property
    def label_set(self) -> tuple[str, ...]:
        """What the outputs of its head stand for."""

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Clips that answers can be measured on, [clips]."""

    @property
    def learnable(self) -> NDArray[np.bool_]:
        """Clips that something can be learned from, [clips]."""

    @property
    def class_counts(self) -> ClassCounts:
        """Clips of each split, by what is known about them; they add up to the clips with a label."""


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What a model said about the windows of a split, in order of clips and time, beside the labels.

    ``targets`` are those of batches. ``fresh`` [w, s] are time steps that no earlier window of the clip has.
    """

    windows: NDArray[np.int32]
    """The clip of each window [w]."""
    scores: "Tensor"
    targets: NDArray[Any]
    fresh: NDArray[np.bool_]
    step_seconds: float


class Kind(Protocol):
    """One kind of task. Reading and answering need no torch."""

    def outline(self, dataset: str, target: Target, report: CheckReport) -> Outline:
        """Return what a dataset's report shows of a task.

        Raises:
            InvalidInput: at ``target``: there is no such label, or nothing can be learned from it or measured on it.
        """

    def read(self, corpus: Corpus, target: Target) -> Targets:
        """Return the labels of a task.

        Raises:
            InvalidInput: as `outline`.
        """

    def arrays(self, targets: Any, pack: "FeaturePack", template: Template) -> LabelArrays:
        """Return the labels in the form that batches pick from; ``targets`` are what `read` returned."""

    def balanced_weights(self, labels: Any, classes: int, train: Clips, pack: "FeaturePack") -> Floats:
        """Return weights that make every class count the same in the loss, by the labels of the ``train`` clips.

        ``labels`` are what `arrays` returned.
        """

    def even_weights(self, classes: int) -> Floats:
        """Return weights that make every label count the same in the loss."""

    def loss(self, task: TaskData, scores: "Tensor", targets: "Tensor") -> "Tensor":
        """Return the mean loss over what has a label; 0 if nothing has. ``scores`` are those of the head."""

    def outcomes(self, task: TaskData, said: Said) -> Outcomes:
        """Return what a model said about the labelled clips of a split."""

    def activate(self, task: TaskData, scores: "Tensor") -> "Tensor":
        """Return the output of an exported model for a head's scores."""

    def answers(self, task: TaskData, scores: "Tensor") -> "tuple[Tensor, ...]":
        """Return what two models are compared by, given a head's scores; their scale is that of probabilities."""

    def divergence(
        self, task: TaskData, scores: "Tensor", taught: "Tensor", temperature: float, inside: "Tensor"
    ) -> "Tensor":
        """Return how far a model's answers are from a teacher's, given the scores of both; 0 if they are the same.

        Both are softened by a ``temperature``, whose square the result is multiplied by, so that gradients do not
        vanish with it (Hinton 2015). ``inside`` [n, s] are the time steps that lie in their clips.
        """

    def task_labels(self, labels: Sequence[str], target: Target) -> TaskLabels:
        """Return what an exported model's output means."""

    def fault(self, labels: TaskLabels) -> str | None:
        """Return why these are no labels of this kind; None if they are."""

    def output_shape(self, labels: TaskLabels, steps: int) -> tuple[int, ...]:
        """Return the shape of an exported model's output for one window."""

    def decode(self, labels: TaskLabels, outputs: Floats, timing: Timing) -> dict[str, Any]:
        """Return the answer about a recording, of an exported model's outputs for its windows."""

    def summary(self, answer: Mapping[str, Any]) -> str:
        """Return an answer that `decode` gave as a line for people."""

    def describe(self, labels: TaskLabels) -> str:
        """Return what it answers, for the model card."""

    @property
    def usage(self) -> str:
        """A line of Python for the model card that prints the answer ``output[0]`` of the task ``name``.

        ``form`` and ``task`` are what the bundle says of the model and of the task.
        """

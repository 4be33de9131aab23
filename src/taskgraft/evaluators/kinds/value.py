"""``value``: a number for the whole clip, from a label column of numbers.

Notation: ``n`` clips, ``w`` windows of clips.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.manifest import Corpus
from taskgraft.evaluators.datasets.report import CheckReport
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import ClassCounts, named
from taskgraft.evaluators.kinds.names import one_target, refuse_faults, require_column
from taskgraft.evaluators.kinds.protocol import Clips, Floats, Outline, Said, Target
from taskgraft.evaluators.kinds.steps import Timing
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.kinds.task_labels import TaskLabels
from taskgraft.evaluators.outcomes import VALUES, Outcomes, Table
from taskgraft.space.tasks import TaskKind
from taskgraft.space.template import Template

if TYPE_CHECKING:
    from torch import Tensor

    from taskgraft.evaluators.features import FeaturePack

_LARGEST = 1e9
"""Numbers beyond it lose their digits in single precision."""


@dataclass(frozen=True, slots=True, eq=False)
class ValueTargets:
    """One number for each clip."""

    label_set: tuple[str]
    """What the number is: the name of its column."""
    values: NDArray[np.float64]
    """Not a number if there is no label; shape [clips]."""
    middle: float
    """Mean of the labels of train."""
    spread: float
    """Standard deviation of the labels of train."""
    class_counts: ClassCounts
    """Clips of each split with a label."""

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which clips have a label, shape [clips]."""
        return ~np.isnan(self.values)

    @property
    def learnable(self) -> NDArray[np.bool_]:
        """Which clips have a label, shape [clips]."""
        return self.labelled


@dataclass(frozen=True, slots=True, eq=False)
class ValueLabels:
    """The numbers of all clips [clips], not a number without a label, and what the head's output is scaled by."""

    values: NDArray[np.float32]
    middle: float
    spread: float

    def pick(self, clips: NDArray[np.int32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the numbers of clips [n]."""
        return self.values[clips]

    def parts(self) -> tuple[NDArray[Any], ...]:
        """Return numbers and scale."""
        return self.values, np.array([self.middle, self.spread])

    def to_unit(self, scores: Any) -> Any:
        """Return a head's scores [..., 1] as numbers [...]."""
        return scores[..., 0] * self.spread + self.middle


class ValueKind:
    """Tasks with a number for the whole clip: a head with one output, which is scaled as the labels of train are."""

    usage = "print(name, output[0])  # [clips]"

    def outline(self, dataset: str, target: Target, report: CheckReport) -> Outline:
        """Return the clips that have a number; whether all are numbers is seen when they are read."""
        column = one_target(TaskKind.VALUE, target)
        require_column(dataset, column, report.labels, report.events)
        found = report.labels[column]
        words = [word for counts in found.counts.values() for word in counts]
        faults = [*_word_faults(words), *_few({split: found.labelled[split] for split in Split})]
        refuse_faults(dataset, {column: faults})
        return Outline(1, found.labelled)

    def read(self, corpus: Corpus, target: Target) -> ValueTargets:
        """Return the numbers of a column of the manifest."""
        column = one_target(TaskKind.VALUE, target)
        require_column(corpus.name, column, corpus.labels, corpus.segments)
        cells = corpus.labels[column]
        refuse_faults(corpus.name, {column: _word_faults(cells)})
        values = np.array([float(cell) if cell else math.nan for cell in cells])
        splits = np.array(corpus.splits, np.str_)
        labelled = {split: values[(splits == split.value) & ~np.isnan(values)] for split in Split}
        refuse_faults(corpus.name, {column: _few({split: len(found) for split, found in labelled.items()})})
        same = [split for split, found in labelled.items() if not np.ptp(found)]
        refuse_faults(corpus.name, {column: [f"the numbers of the split {split} are all the same" for split in same]})
        counts = {split: {"labelled": len(found)} for split, found in labelled.items()}
        train = labelled[Split.TRAIN]
        return ValueTargets((column,), values, float(train.mean()), float(train.std()), counts)

    def arrays(self, targets: ValueTargets, pack: "FeaturePack", template: Template) -> ValueLabels:
        """Return the numbers of all clips."""
        return ValueLabels(targets.values.astype(np.float32), targets.middle, targets.spread)

    def balanced_weights(self, labels: ValueLabels, classes: int, train: Clips, pack: "FeaturePack") -> Floats:
        """Return 1: there are no classes [1]."""
        return self.even_weights(classes)

    def even_weights(self, classes: int) -> Floats:
        """Return 1 [1]."""
        return np.ones(1, np.float32)

    def loss(self, task: TaskData, scores: "Tensor", targets: "Tensor") -> "Tensor":
        """Return the mean square error of ``scores`` [n, 1] and ``targets`` [n], in deviations of train."""
        labels = _labels_of(task)
        known = ~targets.isnan()
        if not bool(known.any()):
            return scores.sum() * 0.0
        wanted = (targets[known] - labels.middle) / labels.spread
        return (scores[known, 0] - wanted).square().mean()

    def outcomes(self, task: TaskData, said: Said) -> Outcomes:
        """Return the number of each labelled clip: the mean over its windows; scores [w, 1]."""
        labelled = ~np.isnan(said.targets)
        clips, first, place = np.unique(said.windows[labelled], return_index=True, return_inverse=True)
        numbers = _labels_of(task).to_unit(said.scores.double()).numpy()[labelled]
        predicted = np.bincount(place, numbers) / np.bincount(place)
        truth = said.targets[labelled][first]
        return Outcomes({VALUES: Table.of(clips, np.zeros(len(clips)), truth, predicted, np.ones(len(clips)))})

    def activate(self, task: TaskData, scores: "Tensor") -> "Tensor":
        """Return the numbers [n]."""
        numbers: Tensor = _labels_of(task).to_unit(scores)
        return numbers

    def answers(self, task: TaskData, scores: "Tensor") -> "tuple[Tensor, ...]":
        """Return the numbers [n, 1] in deviations of train, so that the unit does not matter."""
        return (scores,)

    def divergence(
        self, task: TaskData, scores: "Tensor", taught: "Tensor", temperature: float, inside: "Tensor"
    ) -> "Tensor":
        """Return the mean square difference of ``scores`` [n, 1], in deviations of train; temperature has no part."""
        return (scores - taught).square().mean()

    def task_labels(self, labels: Sequence[str], target: Target) -> TaskLabels:
        """Return what the number is."""
        return TaskLabels(kind=TaskKind.VALUE, labels=tuple(labels), event=None)

    def fault(self, labels: TaskLabels) -> str | None:
        """Return why this is no number."""
        return None if len(labels.labels) == 1 and labels.event is None else "a value task has 1 label, no event"

    def output_shape(self, labels: TaskLabels, steps: int) -> tuple[int, ...]:
        """Return []."""
        return ()

    def decode(self, labels: TaskLabels, outputs: Floats, timing: Timing) -> dict[str, Any]:
        """Return the mean of the windows' numbers [w]."""
        return {"value": float(outputs.astype(np.float64).mean())}

    def summary(self, answer: Mapping[str, Any]) -> str:
        """Return the number."""
        return f"{answer['value']:.6g}"

    def describe(self, labels: TaskLabels) -> str:
        """Return what the number is."""
        return f"a number: {labels.labels[0]}"


def _labels_of(task: TaskData) -> ValueLabels:
    assert isinstance(task.targets, ValueLabels)
    return task.targets


def _is_number(cell: str) -> bool:
    try:
        return abs(float(cell)) <= _LARGEST
    except ValueError:
        return False


def _word_faults(cells: Iterable[str]) -> list[str]:
    if others := sorted({cell for cell in cells if cell and not _is_number(cell)}):
        return [f"a value task takes numbers, at most {_LARGEST:g} in size; the column has {named(others)}"]
    return []


def _few(labelled: Mapping[Split, int]) -> list[str]:
    few = {split: clips for split, clips in labelled.items() if clips < 2}
    return [f"the split {split} has {clips} clips with a number; 2 or more are needed" for split, clips in few.items()]

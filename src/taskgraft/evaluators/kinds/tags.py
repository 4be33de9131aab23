"""``tags``: several labels for the whole clip, each of which applies or does not, from columns that say yes or no.

Notation: ``n`` clips, ``w`` windows of clips, ``k`` tags.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.binary import RULE, other_words, to_answers
from taskgraft.evaluators.datasets.manifest import Corpus
from taskgraft.evaluators.datasets.report import CheckReport, LabelReport
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING, ClassCounts
from taskgraft.evaluators.kinds.names import all_targets, refuse_faults, require_column
from taskgraft.evaluators.kinds.protocol import Clips, Floats, Outline, Said, Target
from taskgraft.evaluators.kinds.steps import Timing
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.kinds.task_labels import TaskLabels
from taskgraft.evaluators.kinds.weights import presence_weights
from taskgraft.evaluators.kinds.yes_or_no import log_odds, mean_cross_entropy, mean_divergence, probabilities_of
from taskgraft.evaluators.metrics import METRICS, score_bins
from taskgraft.evaluators.outcomes import SCORES, TAGS, Outcomes, Table
from taskgraft.space.tasks import TaskKind
from taskgraft.space.template import Template

if TYPE_CHECKING:
    from torch import Tensor

    from taskgraft.evaluators.features import FeaturePack


@dataclass(frozen=True, slots=True, eq=False)
class TagTargets:
    """For each clip and tag whether it applies."""

    label_set: tuple[str, ...]
    values: NDArray[np.int8]
    """1, 0 or `MISSING`; shape [clips, k]."""
    class_counts: ClassCounts
    """Clips of each split with a label of any tag."""

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which clips have a label of any tag, shape [clips]."""
        labelled: NDArray[np.bool_] = (self.values != MISSING).any(axis=1)
        return labelled

    @property
    def learnable(self) -> NDArray[np.bool_]:
        """Which clips have a label of any tag, shape [clips]."""
        return self.labelled


@dataclass(frozen=True, slots=True, eq=False)
class TagLabels:
    """1 if a tag applies, 0 if not, `MISSING` if nobody says; of all clips [clips, k]."""

    values: NDArray[np.int8]

    def pick(self, clips: NDArray[np.int32], rows: NDArray[np.int64]) -> NDArray[np.int8]:
        """Return the tags of clips [n, k]."""
        return self.values[clips]

    def parts(self) -> tuple[NDArray[Any], ...]:
        """Return all tags."""
        return (self.values,)


class TagsKind:
    """Tasks with several labels for the whole clip: a head with a yes or no for each."""

    usage = 'print(name, [tag for tag, p in zip(task["labels"], output[0]) if p > 0.5])  # [clips, labels]'

    def outline(self, dataset: str, target: Target, report: CheckReport) -> Outline:
        """Return the tags and their clips, as far as a report says them."""
        tags = all_targets(target)
        for tag in tags:
            require_column(dataset, tag, report.labels, report.events)
        refuse_faults(dataset, {tag: _reported_faults(tag, report.labels[tag]) for tag in tags})
        clips = {split: max(report.labels[tag].labelled[split] for tag in tags) for split in Split}
        return Outline(len(tags), clips)

    def read(self, corpus: Corpus, target: Target) -> TagTargets:
        """Return the tags, of a column of the manifest each."""
        tags = all_targets(target)
        for tag in tags:
            require_column(corpus.name, tag, corpus.labels, corpus.segments)
        refuse_faults(corpus.name, {tag: _faults(tag, _counts(corpus.labels[tag], corpus.splits)) for tag in tags})
        values = np.stack([to_answers(corpus.labels[tag]) for tag in tags], axis=1)
        known = (values != MISSING).any(axis=1)
        splits = np.array(corpus.splits, np.str_)
        counts = {split: {"labelled": int((known & (splits == split.value)).sum())} for split in Split}
        return TagTargets(tags, values, counts)

    def arrays(self, targets: TagTargets, pack: "FeaturePack", template: Template) -> TagLabels:
        """Return the tags of all clips."""
        return TagLabels(targets.values)

    def balanced_weights(self, labels: TagLabels, classes: int, train: Clips, pack: "FeaturePack") -> Floats:
        """Return the weights of absence and presence of each tag [k, 2]."""
        return presence_weights(labels.values[train])

    def even_weights(self, classes: int) -> Floats:
        """Return 1 for absence and presence of each tag [k, 2]."""
        return np.ones((classes, 2), np.float32)

    def loss(self, task: TaskData, scores: "Tensor", targets: "Tensor") -> "Tensor":
        """Return the weighted binary cross-entropy of ``scores`` [n, k] and ``targets`` [n, k]."""
        return mean_cross_entropy(scores, targets, task.class_weights)

    def outcomes(self, task: TaskData, said: Said) -> Outcomes:
        """Return yes or no for each labelled clip and tag: the mean of the windows' scores [w, k] decides."""
        clips, first, place = np.unique(said.windows, return_index=True, return_inverse=True)
        odds = np.zeros((len(clips), said.scores.shape[1]))
        np.add.at(odds, place, said.scores.numpy())
        odds /= np.bincount(place)[:, None]
        truth = said.targets[first]
        row, label = np.nonzero(truth != MISSING)
        known, answers, ones = truth[row, label], odds[row, label], np.ones(len(row))
        tables = {TAGS: Table.of(clips[row], label, known, answers > 0, ones)}
        if not METRICS[task.metric].is_in(Outcomes(tables)):
            tables[SCORES] = Table.of(clips[row], label, known, score_bins(probabilities_of(answers)), ones)
        return Outcomes(tables)

    def activate(self, task: TaskData, scores: "Tensor") -> "Tensor":
        """Return the probability of each tag [n, k]."""
        return scores.sigmoid()

    def answers(self, task: TaskData, scores: "Tensor") -> "tuple[Tensor, ...]":
        """Return the probabilities."""
        return (self.activate(task, scores),)

    def divergence(
        self, task: TaskData, scores: "Tensor", taught: "Tensor", temperature: float, inside: "Tensor"
    ) -> "Tensor":
        """Return the mean Kullback-Leibler divergence over clips and tags, of ``scores`` [n, k]."""
        return mean_divergence(scores, taught, temperature)

    def task_labels(self, labels: Sequence[str], target: Target) -> TaskLabels:
        """Return the tags."""
        return TaskLabels(kind=TaskKind.TAGS, labels=tuple(labels), event=None)

    def fault(self, labels: TaskLabels) -> str | None:
        """Return why these are no tags."""
        return None if labels.labels and labels.event is None else "a tags task has 1 label or more, no event"

    def output_shape(self, labels: TaskLabels, steps: int) -> tuple[int, ...]:
        """Return [k]."""
        return (len(labels.labels),)

    def decode(self, labels: TaskLabels, outputs: Floats, timing: Timing) -> dict[str, Any]:
        """Return the tags that are more likely than not, by the mean log-odds of the windows' outputs [w, k]."""
        probabilities = probabilities_of(log_odds(outputs).mean(axis=0))
        found = dict(zip(labels.labels, probabilities.tolist(), strict=True))
        return {"tags": [tag for tag, probability in found.items() if probability > 0.5], "probabilities": found}

    def summary(self, answer: Mapping[str, Any]) -> str:
        """Return the tags that apply."""
        return ", ".join(answer["tags"]) or "none"

    def describe(self, labels: TaskLabels) -> str:
        """Return the tags."""
        return f"which of these apply: {', '.join(labels.labels)}"


def _counts(cells: Sequence[str], splits: Iterable[Split]) -> dict[Split, dict[str, int]]:
    counts: dict[Split, dict[str, int]] = {split: {} for split in Split}
    for cell, split in zip(cells, splits, strict=True):
        if cell:
            counts[split][cell] = counts[split].get(cell, 0) + 1
    return counts


def _reported_faults(tag: str, column: LabelReport) -> list[str]:
    if not column.counts:
        return [f"the column {tag!r} of a tag says {RULE}; it has {column.distinct:,} different words"]
    return _faults(tag, column.counts)


def _faults(tag: str, counts: ClassCounts) -> list[str]:
    """Return why a column with these words can't be a tag."""
    if others := other_words(word for found in counts.values() for word in found):
        return [f"the column {tag!r} of a tag says {RULE}; it has {others}"]
    faults = []
    for split in Split:
        answers = to_answers(list(counts[split]))
        if not (answers == 1).any() or not (answers == 0).any():
            faults.append(f"the split {split} has no clip with a yes, or none with a no, in the column {tag!r}")
    return faults

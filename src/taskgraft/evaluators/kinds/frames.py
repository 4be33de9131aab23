"""``frames``: one event, and for every time step whether it is there, from ``segments.csv``.

Notation: ``n`` clips, ``w`` windows of clips, ``s`` time steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.manifest import Corpus
from taskgraft.evaluators.datasets.report import CheckReport
from taskgraft.evaluators.datasets.segments import Region
from taskgraft.evaluators.datasets.targets import FRAME_LABELS, MISSING, ClassCounts, count_event_clips, event_faults
from taskgraft.evaluators.kinds.names import one_target, refuse_faults, require_event
from taskgraft.evaluators.kinds.protocol import Clips, Floats, Outline, Said, Target
from taskgraft.evaluators.kinds.rows import frame_rows, rows_of
from taskgraft.evaluators.kinds.steps import Timing
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.kinds.task_labels import TaskLabels
from taskgraft.evaluators.kinds.yes_or_no import mean_divergence
from taskgraft.evaluators.metrics import METRICS, score_bins
from taskgraft.evaluators.optimisation.class_weights import balanced_weights
from taskgraft.evaluators.outcomes import BINS, SCORES, Outcomes, Table
from taskgraft.space.tasks import TaskKind
from taskgraft.space.template import Template

if TYPE_CHECKING:
    from torch import Tensor

    from taskgraft.evaluators.features import FeaturePack


@dataclass(frozen=True, slots=True, eq=False)
class FrameTargets:
    """One event's presence over time."""

    regions: tuple[tuple[Region, ...], ...]
    """For each clip where the event sounds, in seconds; empty for a clip that is not ``labelled``."""
    labelled: NDArray[np.bool_]
    """Which clips are annotated, shape [clips]; in these the event is absent outside its regions."""
    class_counts: ClassCounts
    """Annotated clips per split in which the event sounds (``present``) or never does (``absent``)."""
    label_set: tuple[str, ...] = FRAME_LABELS

    @property
    def learnable(self) -> NDArray[np.bool_]:
        """Which clips are annotated, shape [clips]."""
        return self.labelled


@dataclass(frozen=True, slots=True, eq=False)
class FrameLabels:
    """1 if the event is there, 0 if it is not, `MISSING` if nobody says, for each row of the feature pack [rows]."""

    rows: NDArray[np.int16]

    def pick(self, clips: NDArray[np.int32], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the labels of time steps [n, s]."""
        return self.rows[rows].astype(np.int64)

    def parts(self) -> tuple[NDArray[Any], ...]:
        """Return the labels of all rows."""
        return (self.rows,)


class FramesKind:
    """Tasks with one label for every time step: a head that says when its event is there."""

    usage = 'print(name, (output[0] > 0.5).nonzero()[0] * form["time_step_seconds"])  # [clips, time steps]'

    def outline(self, dataset: str, target: Target, report: CheckReport) -> Outline:
        """Return the annotated clips of an event."""
        event = one_target(TaskKind.FRAMES, target)
        require_event(dataset, event, report.events, report.labels)
        found = report.events[event]
        refuse_faults(dataset, {event: found.faults})
        return Outline(len(FRAME_LABELS), found.annotated)

    def read(self, corpus: Corpus, target: Target) -> FrameTargets:
        """Return when an event sounds."""
        event = one_target(TaskKind.FRAMES, target)
        require_event(corpus.name, event, corpus.segments, corpus.labels)
        found = corpus.segments[event]
        labelled = np.zeros(len(corpus), np.bool_)
        labelled[list(corpus.annotated)] = True
        counts = count_event_clips(found, corpus.annotated, corpus.splits)
        refuse_faults(corpus.name, {event: event_faults(counts)})
        return FrameTargets(tuple(found.get(clip, ()) for clip in range(len(corpus))), labelled, counts)

    def arrays(self, targets: FrameTargets, pack: "FeaturePack", template: Template) -> FrameLabels:
        """Return the labels of all rows: 1 if a frame's centre lies in a region, 0 elsewhere in annotated clips."""
        per_second = template.front_end.frames_per_second
        return FrameLabels(frame_rows(targets.regions, targets.labelled, pack, per_second).astype(np.int16))

    def balanced_weights(self, labels: FrameLabels, classes: int, train: Clips, pack: "FeaturePack") -> Floats:
        """Return the weight of absence and of presence [2]."""
        return balanced_weights(labels.rows[rows_of(train, pack)], classes)

    def even_weights(self, classes: int) -> Floats:
        """Return 1 for absence and for presence [2]."""
        return np.ones(classes, np.float32)

    def loss(self, task: TaskData, scores: "Tensor", targets: "Tensor") -> "Tensor":
        """Return the weighted binary cross-entropy of ``scores`` [n, s, 1] and ``targets`` [n, s]."""
        import torch  # noqa: PLC0415  # whoever checks a study or runs a bundle does without it

        if not bool((targets != MISSING).any()):
            return scores.sum() * 0.0
        weights = torch.tensor(task.class_weights, device=scores.device)
        weight = torch.where(targets == MISSING, 0.0, weights[targets.clamp_min(0)])
        truth = targets.clamp_min(0).float()
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            scores.squeeze(-1), truth, weight, reduction="sum"
        )
        return losses / weight.sum()

    def outcomes(self, task: TaskData, said: Said) -> Outcomes:
        """Return, for each clip, how many time steps were right and wrong; scores [w, s, 1].

        If the task's metric needs them, with the probabilities.
        """
        counted = (said.targets != MISSING) & said.fresh
        clips = np.broadcast_to(said.windows[:, None], counted.shape)[counted].astype(np.int64)
        answers = 2 * said.targets[counted] + (said.scores.squeeze(-1) > 0).numpy()[counted]
        keys, counts = np.unique(4 * clips + answers, return_counts=True)
        truth, predicted = (keys % 4) // 2, keys % 2
        found = Outcomes.of_classes(*(part.astype(np.int32) for part in (keys // 4, truth, predicted, counts)))
        if METRICS[task.metric].is_in(found):
            return found
        probabilities = said.scores.squeeze(-1).sigmoid().numpy()[counted]
        return Outcomes({**found.tables, SCORES: _score_table(clips, said.targets[counted], probabilities)})

    def activate(self, task: TaskData, scores: "Tensor") -> "Tensor":
        """Return the probability that the event is there [n, s]."""
        return scores.squeeze(-1).sigmoid()

    def answers(self, task: TaskData, scores: "Tensor") -> "tuple[Tensor, ...]":
        """Return the probabilities."""
        return (self.activate(task, scores),)

    def divergence(
        self, task: TaskData, scores: "Tensor", taught: "Tensor", temperature: float, inside: "Tensor"
    ) -> "Tensor":
        """Return the mean Kullback-Leibler divergence over the time steps of clips, of ``scores`` [n, s, 1]."""
        return mean_divergence(scores, taught, temperature, inside)

    def task_labels(self, labels: Sequence[str], target: Target) -> TaskLabels:
        """Return the event."""
        return TaskLabels(kind=TaskKind.FRAMES, labels=tuple(labels), event=one_target(TaskKind.FRAMES, target))

    def fault(self, labels: TaskLabels) -> str | None:
        """Return why these are no labels of an event."""
        return None if len(labels.labels) == 2 and labels.event else "a frames task has 2 labels, and names its event"

    def output_shape(self, labels: TaskLabels, steps: int) -> tuple[int, ...]:
        """Return [s]."""
        return (steps,)

    def decode(self, labels: TaskLabels, outputs: Floats, timing: Timing) -> dict[str, Any]:
        """Return the regions in which the event is more likely than not, of ``outputs`` [w, s]."""
        detected = timing.join(outputs) > 0.5
        regions = [{"onset": on, "offset": off, "event": str(labels.event)} for on, off in timing.regions(detected)]
        return {"regions": regions, "share": float(detected.mean())}

    def summary(self, answer: Mapping[str, Any]) -> str:
        """Return the regions."""
        regions = (f"{region['onset']:.2f}-{region['offset']:.2f} s" for region in answer["regions"])
        return ", ".join(regions) or "nowhere"

    def describe(self, labels: TaskLabels) -> str:
        """Return the event."""
        return f"when there is {labels.event}"


def _score_table(clips: NDArray[np.int64], truth: NDArray[np.int64], probabilities: Floats) -> Table:
    """Return how often each bin of probabilities was given to steps of a clip with and without the event."""
    keys, counts = np.unique((2 * clips + truth) * BINS + score_bins(probabilities), return_counts=True)
    steps, bins = np.divmod(keys, BINS)
    return Table.of(steps // 2, np.zeros_like(keys), steps % 2, bins, counts)

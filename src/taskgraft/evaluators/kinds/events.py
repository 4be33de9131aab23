"""``events``: several events, each with its onsets and offsets.

Strong labels are the segments of ``segments.csv``. A clip that these do not mention may have weak ones: columns of the
manifest that say whether an event sounds anywhere in it. A clip may have neither.

Notation: ``n`` clips, ``w`` windows of clips, ``s`` time steps, ``t`` time steps of a whole clip, ``k`` events.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.datasets.manifest import Corpus
from taskgraft.evaluators.datasets.report import CheckReport
from taskgraft.evaluators.datasets.segments import Region
from taskgraft.evaluators.datasets.targets import MISSING
from taskgraft.evaluators.kinds.event_targets import EventTargets, outline_events, read_events
from taskgraft.evaluators.kinds.protocol import Clips, Floats, Outline, Said, Target
from taskgraft.evaluators.kinds.rows import frame_rows, rows_of
from taskgraft.evaluators.kinds.steps import Timing, regions_of
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.kinds.task_labels import TaskLabels
from taskgraft.evaluators.kinds.weights import presence_weights
from taskgraft.evaluators.kinds.yes_or_no import mean_cross_entropy, mean_cross_entropy_of, mean_divergence
from taskgraft.evaluators.outcomes import EVENTS, SEGMENTS, Outcomes
from taskgraft.space.tasks import TaskKind
from taskgraft.space.template import Template

if TYPE_CHECKING:
    from torch import Tensor

    from taskgraft.evaluators.event_matching import Event
    from taskgraft.evaluators.features import FeaturePack

MEDIAN_STEPS = 7
"""Time steps of the median filter that detections go through."""
_TINY = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class EventLabels:
    """The labels of all clips, 1 if an event is there, 0 if it is not, `MISSING` if nobody says."""

    strong: NDArray[np.int8]
    """For each row of the feature pack [rows, k]."""
    weak: NDArray[np.int8]
    """For each clip as a whole [clips, k]; `MISSING` for those with strong labels."""
    frames: NDArray[np.int32]
    """Frames of each clip [clips]."""
    stride: int
    """Frames of a time step."""
    regions: tuple[tuple[tuple[Region, ...], ...], ...]
    """For each event and clip, when it sounds, in seconds."""

    def pick(self, clips: NDArray[np.int32], rows: NDArray[np.int64]) -> NDArray[np.int8]:
        """Return the labels [n, s + 1, k] of time steps, and behind them those of the clips as a whole.

        That an event sounds somewhere in a clip says nothing about a crop that leaves out a part of it.
        """
        whole = (rows > 0).sum(axis=1) >= self.frames[clips] // self.stride
        weak = self.weak[clips]
        weak = np.where((weak == 1) & ~whole[:, None], np.int8(MISSING), weak)
        return np.concatenate([self.strong[rows], weak[:, None]], axis=1)

    def parts(self) -> tuple[NDArray[Any], ...]:
        """Return labels and regions."""
        regions = [
            (event, clip, *region)
            for event, of_event in enumerate(self.regions)
            for clip, found in enumerate(of_event)
            for region in found
        ]
        return self.strong, self.weak, np.array(regions, np.float64).reshape(-1, 4)

    def events(self, clip: int) -> "list[Event]":
        """Return the true events of a clip."""
        from taskgraft.evaluators.event_matching import Event  # noqa: PLC0415  # scipy, for event tasks only

        return [
            Event(label, onset, offset)
            for label, of_event in enumerate(self.regions)
            for onset, offset in of_event[clip]
        ]


class EventsKind:
    """Tasks about several events: a head that says for every time step which of them are there."""

    usage = (
        'print(name, {event: (row > 0.5).nonzero()[0] * form["time_step_seconds"] '
        'for event, row in zip(task["labels"], output[0].T)})  # [clips, time steps, labels]'
    )

    def outline(self, dataset: str, target: Target, report: CheckReport) -> Outline:
        """Return the events and their clips, as far as a report says them."""
        return outline_events(dataset, target, report)

    def read(self, corpus: Corpus, target: Target) -> EventTargets:
        """Return strong and weak labels."""
        return read_events(corpus, target)

    def arrays(self, targets: EventTargets, pack: "FeaturePack", template: Template) -> EventLabels:
        """Return the labels of all rows and clips."""
        per_second = template.front_end.frames_per_second
        strong = [frame_rows(of_event, targets.strong, pack, per_second) for of_event in targets.regions]
        return EventLabels(np.stack(strong, axis=1), targets.weak, pack.lengths, template.time_stride, targets.regions)

    def balanced_weights(self, labels: EventLabels, classes: int, train: Clips, pack: "FeaturePack") -> Floats:
        """Return the weights of absence and presence of each event in time steps [k, 2]."""
        return presence_weights(labels.strong[rows_of(train, pack)])

    def even_weights(self, classes: int) -> Floats:
        """Return 1 for absence and presence of each event [k, 2]."""
        return np.ones((classes, 2), np.float32)

    def loss(self, task: TaskData, scores: "Tensor", targets: "Tensor") -> "Tensor":
        """Return the mean binary cross-entropy of time steps, plus that of whole clips.

        ``scores`` [n, s, k], or [n, s, 2 k] of heads that weigh their steps; ``targets`` [n, s + 1, k] of `pick`.
        """
        of_steps = scores[..., : task.task.outputs]
        strong = mean_cross_entropy(of_steps, targets[:, :-1], task.class_weights)
        even = self.even_weights(task.task.outputs)
        weak = mean_cross_entropy_of(pooled(scores, task.task.outputs), targets[:, -1], even)
        return strong + weak

    def outcomes(self, task: TaskData, said: Said) -> Outcomes:
        """Return hits, misses and false alarms of each clip with strong labels, by event and by segment."""
        from taskgraft.evaluators import event_matching  # noqa: PLC0415  # scipy, for event tasks only

        labels = task.targets
        assert isinstance(labels, EventLabels)
        by_event, by_segment = {}, {}
        for clip, probabilities in _by_clip(said, task.task.outputs):
            seconds = len(probabilities) * said.step_seconds
            found = [
                event_matching.Event(label, *region)
                for label, detected in enumerate(detections(probabilities).T)
                for region in regions_of(detected, said.step_seconds, seconds)
            ]
            real = labels.events(clip)
            by_event[clip] = event_matching.event_counts(real, found, task.task.outputs)
            by_segment[clip] = event_matching.segment_counts(real, found, task.task.outputs, seconds)
        tables = {EVENTS: by_event, SEGMENTS: by_segment}
        return Outcomes({name: event_matching.detection_table(counts) for name, counts in tables.items()})

    def activate(self, task: TaskData, scores: "Tensor") -> "Tensor":
        """Return the probability of each event in each time step [n, s, k]."""
        return scores[..., : task.task.outputs].sigmoid()

    def answers(self, task: TaskData, scores: "Tensor") -> "tuple[Tensor, ...]":
        """Return the probabilities of time steps [n, s, k] and of whole clips [n, k]."""
        return self.activate(task, scores), pooled(scores, task.task.outputs)

    def divergence(
        self, task: TaskData, scores: "Tensor", taught: "Tensor", temperature: float, inside: "Tensor"
    ) -> "Tensor":
        """Return the mean Kullback-Leibler divergence over the time steps of clips, plus that over whole clips."""
        events = task.task.outputs
        of_steps = mean_divergence(scores[..., :events], taught[..., :events], temperature, inside)
        mine, theirs = (pooled(one, events).logit(_TINY) for one in (scores, taught))
        return of_steps + mean_divergence(mine, theirs, temperature)

    def task_labels(self, labels: Sequence[str], target: Target) -> TaskLabels:
        """Return the events."""
        return TaskLabels(kind=TaskKind.EVENTS, labels=tuple(labels), event=None)

    def fault(self, labels: TaskLabels) -> str | None:
        """Return why these are no events."""
        return None if labels.labels and labels.event is None else "an events task has its events as labels"

    def output_shape(self, labels: TaskLabels, steps: int) -> tuple[int, ...]:
        """Return [s, k]."""
        return steps, len(labels.labels)

    def decode(self, labels: TaskLabels, outputs: Floats, timing: Timing) -> dict[str, Any]:
        """Return the regions of each event, in order of time, of ``outputs`` [w, s, k]."""
        detected = detections(timing.join(outputs))
        found = [
            {"onset": onset, "offset": offset, "event": event}
            for event, column in zip(labels.labels, detected.T, strict=True)
            for onset, offset in timing.regions(column)
        ]
        return {"regions": sorted(found, key=lambda region: (region["onset"], region["offset"]))}

    def summary(self, answer: Mapping[str, Any]) -> str:
        """Return the regions, each with its event."""
        regions = (f"{region['event']} {region['onset']:.2f}-{region['offset']:.2f} s" for region in answer["regions"])
        return ", ".join(regions) or "none"

    def describe(self, labels: TaskLabels) -> str:
        """Return the events."""
        return f"when there is {', '.join(labels.labels)}"


def pooled(scores: "Tensor", events: int) -> "Tensor":
    """Return the probability [n, k] that each event sounds anywhere in a clip.

    Heads that weigh their steps give scores [n, s, 2 k]: the weights are a softmax over events (the baseline of DCASE
    2023 task 4). For others, [n, s, k], each probability is its own weight (linear softmax; Wang et al., A comparison
    of five multiple instance learning pooling functions, 2019).
    """
    probabilities = scores[..., :events].sigmoid()
    weighs = scores.shape[-1] > events
    weights = scores[..., events:].softmax(dim=-1) if weighs else probabilities
    weights = weights.clamp_min(_TINY)
    return (probabilities * weights).sum(dim=1) / weights.sum(dim=1)


def detections(probabilities: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where each event is taken to be there [t, k]: more likely than not, by the median of 7 time steps.

    >>> detections(np.array([[0.9]] * 5 + [[0.1]] * 2 + [[0.9]] * 5 + [[0.1]] * 9)).ravel().astype(int).tolist()
    [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    """
    half = MEDIAN_STEPS // 2
    padded = np.pad(probabilities > 0.5, ((half, half), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, MEDIAN_STEPS, axis=0)  # [t, k, 7]
    found: NDArray[np.bool_] = windows.sum(axis=-1) > half
    return found


def _by_clip(said: Said, events: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield each clip and the probabilities of its time steps [t, k]; those outside the clip are left out."""
    probabilities = said.scores[..., :events].sigmoid().numpy()
    inside = (said.targets[:, :-1] != MISSING).any(axis=-1) & said.fresh
    for clip in np.unique(said.windows):
        windows = said.windows == clip
        if inside[windows].any():  # other tasks may be asked about clips whose events nobody marked
            yield int(clip), probabilities[windows][inside[windows]]

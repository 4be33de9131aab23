"""What a training that has ended would have measured under another stopping rule. Plain numbers, no torch.

Up to where it stops, every step of a training is that of the whole training. So a recorded training answers for each
rule that would have stopped it no later than it ended.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from taskgraft.evaluators.measurement import Checkpoint, Measurement, mean_affinities
from taskgraft.evaluators.metrics import worst_reduction
from taskgraft.evaluators.stopping import Stopping


def replay(measured: Measurement, references: Mapping[str, float], stopping: Stopping | None) -> Measurement | None:
    """Return what the training would have measured under ``stopping``; None for ``stopping`` asks for all its steps.

    The result is exact for trainings with their earlier checkpoints, except for its seconds, which are those of the
    same share of the steps, and its weights, which it has only if its best step is that of the recorded training.
    Without earlier checkpoints the metrics are exact too, and the outcomes are those of the recorded best step.

    Returns None if the training ended too early to say, or if it has affinities without what they are means of.
    """
    clips = {task: outcomes.clip_count for task, outcomes in measured.outcomes.items()}
    seen = stopping.end_of(measured.curve, references, clips) if stopping else None
    if seen is None:
        return None if measured.is_censored else measured
    steps = int(measured.curve[seen - 1]["step"])
    if steps == measured.steps:
        return measured
    if measured.affinities and not measured.cosines:
        return None
    return _cut(measured, references, seen, steps, stopping.errors if stopping else ())


def _cut(
    measured: Measurement, references: Mapping[str, float], seen: int, steps: int, errors: Collection[str]
) -> Measurement:
    best = _best(measured, references, seen, errors)
    earlier = tuple(checkpoint for checkpoint in measured.earlier if checkpoint.step < best.step)
    cosines = {pair: all_of[: len(all_of) * seen // len(measured.curve)] for pair, all_of in measured.cosines.items()}
    return replace(
        measured,
        metrics=best.metrics,
        outcomes=best.outcomes,
        steps=steps,
        best_step=best.step,
        seconds=measured.seconds * steps / measured.steps,
        curve=measured.curve[:seen],
        weights=measured.weights if best.step == measured.best_step else None,
        steps_left=measured.planned_steps - steps,
        steps_spared=0,
        affinities=mean_affinities(cosines),
        earlier=earlier,
        cosines=cosines,
    )


def _best(measured: Measurement, references: Mapping[str, float], seen: int, errors: Collection[str]) -> Checkpoint:
    """Return the best checkpoint among the first ``seen`` evaluations, chosen as the training chose it."""

    def lost(place: int) -> float:
        point = measured.curve[place]
        return worst_reduction(references, {task: point[task] for task in references}, errors)

    point = measured.curve[min(range(seen), key=lost)]
    step = int(point["step"])
    known = next((checkpoint for checkpoint in measured.earlier if checkpoint.step == step), None)
    return known or Checkpoint(step, {task: point[task] for task in references}, measured.outcomes)

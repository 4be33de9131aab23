"""``python -m benchmarks.decisions FOLDER...``: what one seed finds out about pairs, by strategy, and at which cost.

Replays strategies on reference studies of `make bench`: each seed in turn is all that a study has, and the others
together say what is true. A training that the study would have stopped is cut off where it would have ended. So the
very same trainings answer the sweep and the strategy that is held against it.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

from benchmarks.agreement import Agreement, agreement, evidence_depths
from benchmarks.reference import Reference, with_strategy
from benchmarks.stopping import clips_of, stopped
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.metrics import reductions
from taskgraft.evaluators.stopping import Curve
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.running.jobs import Job, job_for
from taskgraft.search.strategies.strategy import Ask, Spent, decide
from taskgraft.search.study.spec import Strategy
from taskgraft.search.study.states import Stage
from taskgraft.search.study.trial import Training, Trial, TrialState
from taskgraft.space.matrix import Pair

REPLAYED = (Strategy.EXHAUSTIVE, Strategy.ADAPTIVE, Strategy.BISECTION)
"""The reference has no groups of more than two tasks."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a study of one seed found out about its pairs, before any tree is trained."""

    trainings: int
    steps: int
    depths: Mapping[Pair, int]


@dataclass(frozen=True, slots=True)
class Row:
    """One strategy, mean over seeds."""

    strategy: Strategy
    trainings: float
    steps: float
    """Share of the sweep's."""
    agreements: Sequence[Agreement]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decisions", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of a reference")
    parser.add_argument("--threshold", type=float, help="another AR threshold than that of the study")
    options = parser.parse_args()
    print("| study | strategy | trainings | steps | pairs that agree | by seed | too deep | depth difference |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for folder in options.folders:
        reference = Reference.open(folder, options.threshold)
        for row in rows(reference):
            held = row.agreements
            seeds = ", ".join(f"{round(one.equal * one.pairs)}" for one in held)
            print(
                f"| {reference.spec.name} | {row.strategy} | {row.trainings:.1f} | {row.steps:.0%} "
                f"| {mean(one.equal for one in held):.0%} | {seeds} of {held[0].pairs} "
                f"| {mean(one.too_deep for one in held):.0%} | {mean(one.depth_difference for one in held):.2f} |"
            )


def rows(reference: Reference) -> list[Row]:
    """Return every strategy on every seed, each held against the other seeds."""
    seeds = reference.seeds
    truths = [reference.depths(other for other in seeds if other != seed) for seed in seeds]
    found = {strategy: [replay(reference, strategy, seed) for seed in seeds] for strategy in REPLAYED}
    sweep = mean(one.steps for one in found[Strategy.EXHAUSTIVE])
    return [
        Row(
            strategy,
            mean(one.trainings for one in replays),
            mean(one.steps for one in replays) / sweep,
            [agreement(one.depths, truth) for one, truth in zip(replays, truths, strict=True)],
        )
        for strategy, replays in found.items()
    ]


def replay(reference: Reference, strategy: Strategy, seed: int) -> Replayed:
    """Return a study that has one seed, up to where its tree would be trained."""
    spec = with_strategy(reference.spec, strategy, repeats=1)
    evidence, trials, steps = Evidence(spec), list[Trial](), 0
    while isinstance(decision := decide(spec, evidence, Spent()), Ask) and decision.stage is not Stage.VERIFICATION:
        training = decision.trainings[0]
        job = job_for(training, spec, evidence)
        measurement = cut_off(reference.measured[Training(training.tree, seed)], job)
        trial = Trial(len(trials), training, seed, TrialState.COMPLETE, measurement)
        evidence.add(trial)
        trials.append(trial)
        steps += measurement.steps
    return Replayed(len(trials), steps, evidence_depths(spec, trials))


def cut_off(whole: Measurement, job: Job) -> Measurement:
    """Return what a whole training gives as the job: its best checkpoint up to where it would have ended.

    What the model said is that of the whole training's best checkpoint: no decision on point estimates looks at it.
    """
    if not job.references:
        return whole
    seen: Curve = whole.curve
    if job.stopping:
        _, seen = stopped(seen, job.stopping, job.references, clips_of(whole))
    best = min(seen, key=lambda point: max(reductions(job.references, _metrics(point, job)).values()))
    steps = int(seen[-1]["step"])
    return replace(whole, metrics=_metrics(best, job), steps=steps, steps_left=whole.planned_steps - steps)


def _metrics(point: Mapping[str, float], job: Job) -> dict[str, float]:
    return {task: point[task] for task in job.references}


if __name__ == "__main__":
    main()

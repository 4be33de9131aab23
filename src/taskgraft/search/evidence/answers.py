"""What the models of a study said on validation, clip by clip, and the noise that it shows. Functions of evidence."""

from collections.abc import Iterable

from taskgraft.evaluators.measurement import Outcomes
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.statistics.repeats import Repeats
from taskgraft.search.statistics.seed_noise import SeedNoise
from taskgraft.search.statistics.training_length import SeedSpreads
from taskgraft.search.study.trial import Training

_COMPARED = 5
"""Trainings that a baseline is compared with to see how far trainings of its task differ."""


def outcomes_of(evidence: Evidence, trainings: Iterable[Training]) -> dict[str, list[Outcomes]]:
    """Return what models that have ended said about each of their tasks, as one repeat."""
    measured = {training: evidence.facts.of(training) for training in trainings}
    return {task: [found.outcomes[task]] for training, found in measured.items() if found for task in training.tasks}


def baseline_outcomes(evidence: Evidence) -> dict[str, list[Outcomes]]:
    """Return what the baselines said, every repeat."""
    figures = evidence.figures
    return {task: figures.outcomes(task, evidence.baseline(task)) for task in evidence.spec.task_names}


def answers_about(evidence: Evidence, task: str) -> tuple[Outcomes, list[Outcomes]]:
    """Return what the first known baseline of a task said, and what a few other trainings did.

    Only those that meet the threshold for the task, if there are any: others differ for more reasons than chance.
    """
    known, figures = evidence.facts.known, evidence.figures
    baseline = evidence.trainings(evidence.baseline(task))[0]
    references = evidence.references([task])
    alike = (training for training in known if training.epochs == baseline.epochs and training != baseline)
    others = [training for training in alike if task in training.tasks]
    threshold = evidence.spec.ar_threshold
    chosen = [training for training in others if figures.loss(training, references, [task]) <= threshold] or others
    return known[baseline].outcomes[task], [known[training].outcomes[task] for training in chosen[-_COMPARED:]]


def baseline_spreads(evidence: Evidence) -> SeedSpreads:
    """Return how far the baselines of tasks above chance differ by their seed, those that confirm a tree included."""
    metrics = evidence.spec.metrics
    baselines = {evidence.baseline(task): task for task in evidence.tasks_above_chance()}
    said: dict[str, list[Outcomes]] = {}
    for training, measured in (*evidence.facts.known.items(), *evidence.facts.confirming.items()):
        task = baselines.get(training.tree)
        if task and training.epochs == evidence.epochs and measured.outcomes[task].clip_count > 1:
            said.setdefault(task, []).append(measured.outcomes[task])
    return SeedSpreads.of({task: Repeats.of(metrics[task], seeds) for task, seeds in said.items()})


def seed_noise(evidence: Evidence, with_confirming: bool = False) -> SeedNoise:
    """Return how much trainings differ by their seed, from everything that was trained more than once."""
    facts, metrics = evidence.facts, evidence.spec.metrics
    trees = dict.fromkeys(training.tree for training in facts.known)
    repeats = {tree: [facts.known[training].outcomes for training in evidence.judge.repeats(tree)] for tree in trees}
    for training, measured in facts.confirming.items() if with_confirming else ():
        repeats.setdefault(training.tree, []).append(measured.outcomes)
    return SeedNoise.pool(
        Repeats.of(metrics[task], [outcomes[task] for outcomes in said])
        for tree, said in repeats.items()
        for task in tree.tasks
        if len(said) > 1 and said[0][task].clip_count > 1
    )

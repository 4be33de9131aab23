"""Likely answers: what a training that has not ended may measure, and how likely it keeps the threshold."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.metrics import METRICS, measure
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.study.trial import Training, Trial, TrialState

_LOSS = 2.0
"""What the worst task loses in an answer that breaks the threshold, as a multiple of the threshold."""
_LEAST_LOSS = 0.01
"""The same at a threshold of 0."""
_GUESS = 0.5
"""How often it is right that all tasks lose alike. Of 1, 0.7 and 0.5, this one costs least in simulated studies."""
_CLIPS = 100


def likely_answers(training: Training, evidence: Evidence) -> Iterator[tuple[float, Trial]]:
    """Yield what a training may measure, each with its probability; the baselines of its tasks must be known.

    A baseline is taken to learn something, and to come to what the same task came to before. A model of several tasks
    keeps the threshold, or breaks it; `chance_to_keep` says how likely that is. Where it is a guess who loses, what is
    left of the probability belongs to other answers.
    """
    if len(training.tasks) == 1:
        yield 1.0, _ended(training, _baseline(training, evidence))
        return
    chance = chance_to_keep(training, evidence)
    share, losses = _losses(training, evidence)
    nothing = dict.fromkeys(training.tasks, 0.0)
    for probability, lost in ((chance, nothing), ((1 - chance) * share, losses)):
        if probability:
            yield probability, _ended(training, _model(training, evidence, lost))


def chance_to_keep(training: Training, evidence: Evidence) -> float:
    """Return how likely a model of several tasks keeps the threshold.

    By the rule of succession, from the models of two tasks, or of more, that were tried so far: those that share as
    many blocks count in full, and all others together as two. Before any was tried, one of three is taken to keep it.
    A probe that kept the threshold keeps it to its end.
    """
    if evidence.is_measured(training.tree):
        return float(evidence.meets_threshold(training.tree))
    is_pair = len(training.tasks) == 2
    tried = [tree for tree in evidence.measured_trees() if (len(tree.tasks) == 2) is is_pair]
    kept = {tree for tree in tried if evidence.meets_threshold(tree)}
    alike = [tree for tree in tried if tree.root.blocks[1] == training.shared]
    overall = (1 + len(kept)) / (3 + len(tried))
    return (2 * overall + len(kept.intersection(alike))) / (2 + len(alike))


def _losses(training: Training, evidence: Evidence) -> tuple[float, dict[str, float]]:
    """Return what the tasks lose if the threshold is broken, and how likely that is what counts.

    That is what they lost in the last tree of all of them that broke it. Before there is one, all of them are taken to
    lose alike, which is a guess where the next question hangs on who loses.
    """
    tasks, least = training.tasks, max(_LEAST_LOSS, _LOSS * evidence.spec.ar_threshold)
    broken = [tree for tree in evidence.broken_trees() if set(tasks) <= set(tree.tasks)]
    losses = evidence.reductions(broken[-1]) if broken else {}
    if max((losses[task] for task in tasks if losses), default=0.0) > evidence.spec.ar_threshold:
        return 1.0, {task: max(0.0, losses[task]) for task in tasks}
    is_guess = len(tasks) > 2 and evidence.spec.strategy.moves_those_that_lose
    return _GUESS if is_guess else 1.0, dict.fromkeys(tasks, least)


def _model(training: Training, evidence: Evidence, losses: Mapping[str, float]) -> Measurement:
    references, known = evidence.references(training.tasks), evidence.facts.known
    alone = {task: known[evidence.trainings(evidence.baseline(task))[0]] for task in training.tasks}
    errors = evidence.spec.errors
    metrics = {
        task: references[task] * (1 + losses[task] if task in errors else 1 - losses[task]) for task in training.tasks
    }
    outcomes = {task: alone[task].outcomes[task] for task in training.tasks}
    one = alone[training.tasks[0]]
    cut = training.is_probe and not any(losses.values())
    return Measurement(metrics, outcomes, one.steps, one.best_step, one.seconds, "", steps_left=int(cut))


def _baseline(training: Training, evidence: Evidence) -> Measurement:
    """Return what another training of the same task alone measured; without one, of one that is nearly right."""
    alike = (measured for one, measured in evidence.facts.known.items() if one.tree == training.tree)
    known = next(alike, None)
    if known:
        return replace(known, affinities={}, cosines={}, earlier=())
    task = training.tasks[0]
    metric = evidence.spec.metrics[task]
    said = METRICS[metric].nearly_right(_CLIPS)
    value = measure(said, metric)
    return Measurement({task: value}, {task: said}, 1, 1, 1.0, "", ({"step": 1, task: value},))


def _ended(training: Training, measured: Measurement) -> Trial:
    return Trial(-1, training, 0, TrialState.COMPLETE, measured)

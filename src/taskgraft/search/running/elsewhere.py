"""What a study knows at another threshold than its own: what its trainings would have measured there."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.replay import replay
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.running.jobs import Job, job_for
from taskgraft.search.strategies.strategy import Ask, Spent, decide
from taskgraft.search.study.fields import AUTO
from taskgraft.search.study.spec import BudgetSpec, StudySpec
from taskgraft.search.study.trial import Training, Trial, TrialState

_Recorded = Mapping[tuple[object, int], list[Measurement]]


def evidence_at(spec: StudySpec, trials: Iterable[Trial]) -> Evidence:
    """Return what a study of this ``spec`` would take over from ``trials`` of the same study at any threshold.

    Trainings of another length than the spec says are left out; if it leaves its length open, all count but the longer
    and shorter baselines by which it was chosen.
    Intervals of what it would have stopped earlier are those of the recorded trainings.
    """
    ended = tuple(trials)
    epochs = Evidence(spec, ended).epochs if spec.training.epochs == AUTO else spec.training.given_epochs
    recorded: dict[tuple[object, int], list[Measurement]] = {}
    for trial in ended:
        is_asked = not trial.training.is_trunk and not trial.training.is_variant
        if trial.measurement and is_asked and trial.training.epochs in (None, epochs):
            recorded.setdefault((trial.training.tree, trial.training.repeat), []).append(trial.measurement)
    length = spec.training.lasting(epochs) if epochs else spec.training
    unlimited = spec.model_copy(update={"budget": BudgetSpec(), "training": length})
    evidence, number = Evidence(unlimited), 0
    while isinstance(decision := decide(unlimited, evidence, Spent()), Ask):
        found = dict(_answers(unlimited, evidence, decision.trainings, recorded))
        for training, measurement in found.items():
            seed = spec.seed + training.repeat
            evidence.add(Trial(number, training, seed, TrialState.COMPLETE, measurement))
            number += 1
        if not found:
            break
    return evidence


def _answers(
    spec: StudySpec, evidence: Evidence, asked: Iterable[Training], recorded: _Recorded
) -> Iterator[tuple[Training, Measurement]]:
    for training in asked:
        known = recorded.get((training.tree, training.repeat), [])
        if known:
            job = job_for(training, spec, evidence)
            found = filter(None, (_replayed(measured, job) for measured in known))
            yield from ((training, measurement) for measurement in list(found)[:1])


def _replayed(measured: Measurement, job: Job) -> Measurement | None:
    """Return what was measured as the job would have ended; affinities are taken as they are."""
    if bool(measured.affinities) is not job.with_affinities:
        return None  # another training, as far as its digest goes
    found = replay(replace(measured, affinities={}), job.references, job.stopping)
    return found and replace(found, affinities=measured.affinities)

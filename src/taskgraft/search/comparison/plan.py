"""What a comparison would cost, before anything is trained."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from taskgraft.search.comparison.decisions import SystemState, baselines, system_states, with_trunks
from taskgraft.search.comparison.protocol import Known
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.strategies.plan import corpora_of, pass_seconds, passes_of
from taskgraft.search.study.comparison import Comparison, comparison_spec
from taskgraft.search.study.machines import usable_cores
from taskgraft.search.study.nuisance import check_nuisance
from taskgraft.search.study.other_recipes import training_under
from taskgraft.search.study.outline import StudyOutline
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training, Trial


@dataclass(frozen=True, slots=True)
class SystemPlan:
    """What one system takes beside the baselines; ``refusal`` says why it has no row."""

    system: str
    summary: str
    refusal: str | None
    trainings_at_least: int
    trainings_at_most: int


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """Trainings of a comparison, baselines included, and their seconds: one core's, and on so many ``workers``.

    What several systems need is counted once. The study has trained ``known`` of the least already. ``needs_study``
    says that the study has to end first: its own trainings are not counted here, and what its tree leads to is open.
    """

    systems: tuple[SystemPlan, ...]
    seeds: int
    baselines: int
    trainings_at_least: int
    trainings_at_most: int
    known: int
    cpu_seconds_at_least: float
    cpu_seconds_at_most: float
    seconds_at_least: float
    seconds_at_most: float
    workers: int
    needs_study: bool

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def plan_comparison(
    outline: StudyOutline,
    comparison: Comparison,
    trials: Iterable[Trial] = (),
    epochs: int | None = None,
    workers: int | None = None,
) -> ComparisonPlan:
    """Count what a comparison would train, and estimate how long that takes.

    ``trials`` are those of the study, and ``epochs`` the length that it chose, if it did.

    Raises:
        InvalidInput: at ``nuisance``: its dataset has no such column, or none that can be trained against.
    """
    spec = comparison_spec(outline.spec, epochs, nuisance=comparison.nuisance)
    check_nuisance(spec, outline.reports)
    known = Known(replace(comparison, tasks=comparison.tasks or outline.tasks), Evidence(spec))
    states = system_states(known)
    alone = dict.fromkeys(with_trunks(baselines(known), known))
    rows = dict.fromkeys(one for state in states if not state.refusal for one in state.trainings)
    named = alone | dict.fromkeys(with_trunks(rows, known))
    done = whole_trainings(trials, epochs)
    left = [one for one in named if one not in done or any(state.system.looks_ahead(one, known) for state in states)]
    to_come = sum(state.to_come for state in states)
    one_pass = pass_seconds(replace(outline, spec=spec), spec.encoder)
    seconds = one_pass * sum(_passes(training, spec) for training in left)
    most, cores = seconds + one_pass * corpora_of(spec.tasks) * to_come, workers or usable_cores()
    return ComparisonPlan(
        systems=tuple(_plan(state, alone) for state in states),
        seeds=comparison.seeds,
        baselines=len(alone),
        trainings_at_least=len(named),
        trainings_at_most=len(named) + to_come,
        known=len(named) - len(left),
        cpu_seconds_at_least=round(seconds, 1),
        cpu_seconds_at_most=round(most, 1),
        seconds_at_least=round(seconds / cores, 1),
        seconds_at_most=round(most / cores, 1),
        workers=cores,
        needs_study=comparison.tree is None,
    )


def _passes(training: Training, spec: StudySpec) -> int:
    """Return how often a training goes through a corpus."""
    tasks = [task for task in spec.tasks if task.name in training.tasks]
    return passes_of(tasks, training_under(spec, training.recipe).algorithm)


def _plan(state: SystemState, alone: Iterable[Training]) -> SystemPlan:
    own = len(set(with_trunks(state.trainings, state.known)) - set(alone))
    least, most = (0, 0) if state.refusal else (own, own + state.to_come)
    return SystemPlan(state.system.name, state.system.summary, state.refusal, least, most)


def whole_trainings(trials: Iterable[Trial], epochs: int | None = None) -> frozenset[Training]:
    """Return the trainings of a study that took all steps of the length that it uses, as a comparison names them."""
    return frozenset(
        replace(trial.training, epochs=None)
        for trial in trials
        if trial.measurement
        and trial.training.epochs == epochs
        and not (trial.training.is_probe or trial.measurement.is_censored)
    )

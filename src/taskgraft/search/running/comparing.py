"""The end of a comparison: every model is read once on the test split, and becomes a row."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.measurement import Measurement, Outcomes
from taskgraft.evaluators.metrics import measure
from taskgraft.evaluators.study_data import StudyData
from taskgraft.search.comparison.decisions import SystemState, refusals, rests_on, system_states
from taskgraft.search.comparison.metric_interval import metric_interval
from taskgraft.search.comparison.protocol import Known, Model, Part
from taskgraft.search.evidence.reading import Reading
from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.final import check_above_chance
from taskgraft.search.running.networks import Networks, NetworkSizes
from taskgraft.search.running.readings import groups_of
from taskgraft.search.statistics.repeats import Repeats
from taskgraft.search.statistics.seed_noise import SeedNoise
from taskgraft.search.study.comparison_table import ComparisonTable, Row, RowPart, RowTask
from taskgraft.search.study.preparation import PreparedStudy
from taskgraft.search.study.task_spec import TaskSpec
from taskgraft.search.study.trial import Training, Variant

Said = Mapping[str, Outcomes]


def compare(
    prepared: PreparedStudy,
    data: StudyData,
    known: Known,
    checkpoints: Checkpoints,
    check_stop: Callable[[], object] = lambda: None,
) -> ComparisonTable:
    """Return the table of a comparison whose trainings have all ended.

    ``check_stop`` is called before each row, and may raise to leave the work.

    Raises:
        TrainingFailed: no task learnt anything.
        Unavailable: a checkpoint is not there any more.
    """
    check_above_chance(known.evidence, prepared.spec)
    states = system_states(known)
    reader = _Reader(prepared, known, Networks(prepared, data, checkpoints))
    rows: dict[str, Row] = {}
    for state in states:
        for model in () if state.refusal else state.models:
            check_stop()
            rows[model.name] = reader.row(state, model)
    return ComparisonTable(prepared.spec.ar_threshold, tuple(rows.values()), refusals(states), tuple(_remarks(known)))


def _remarks(known: Known) -> Iterable[str]:
    seeds = known.comparison.seeds
    over = f"clips and {seeds} seeds" if seeds > 1 else "clips; with one seed they say nothing of other seeds"
    yield f"figures are of the test split, means over {seeds} seed{'s' * (seeds > 1)}; intervals are 95 %, over {over}"
    yield "trainings and seconds of a row include the baselines, which all rows share"
    for task in filter(known.evidence.is_at_chance, known.tasks):
        yield f"the baseline of {task} is no better than chance: it counts in no AR"


@dataclass(frozen=True, eq=False)
class _Reader:
    """Reads the test split with the weights of trainings, each of them once."""

    prepared: PreparedStudy
    known: Known
    networks: Networks
    _said: dict[Part, Said] = field(default_factory=dict)
    _noises: dict[frozenset[Variant], SeedNoise | None] = field(default_factory=dict)

    def row(self, state: SystemState, model: Model) -> Row:
        """Return the row of a model."""
        reading = self._reading(model)
        trainings, seconds = _effort(state, model)
        size = NetworkSizes.sum(map(self.networks.sizes, model.parts))
        return Row(
            system=state.system.family,
            name=model.name,
            tasks=tuple(self._task(task, reading) for task in self.prepared.spec.tasks),
            ar=reading.ar,
            ar_interval=reading.interval,
            parameters=size.parameters,
            stored_bytes=size.stored_bytes,
            macs_per_second=size.macs_per_second,
            seeds=self.known.comparison.seeds,
            trainings=trainings,
            seconds=seconds,
            parts=tuple(_row_part(part) for part in model.parts),
            note=model.note,
            nominal_parameters=size.nominal_parameters,
            packed_bytes=size.packed_bytes,
        )

    def _reading(self, model: Model) -> Reading:
        """Return the test split against the baselines of the same seeds; a baseline is its own."""
        trees = {task: self.known.evidence.baseline(task) for task in self.known.tasks}
        baselines = {task: self._answers(Part.whole(tree))[task] for task, tree in trees.items()}
        answers = {task: said for part in model.parts for task, said in self._answers(part).items()}
        alone = frozenset(part.answers[0] for part in model.parts if _is_baseline(part, self.known))
        return Reading(
            self.prepared.spec,
            baselines,
            {task: answers[task] for task in self.known.tasks},
            groups_of(self.prepared),
            alone,
            frozenset(filter(self.known.evidence.is_at_chance, self.known.tasks)),
            self._noise(frozenset(part.training.variant for part in model.parts)),
        )

    def _noise(self, variants: frozenset[Variant]) -> SeedNoise | None:
        """Return how much the study's own trainings, and such variants, differ by their seed; None of one seed."""
        if self.known.comparison.seeds == 1:
            return None
        if variants not in self._noises:
            self._noises[variants] = _seed_noise(self.known, variants)
        return self._noises[variants]

    def _answers(self, part: Part) -> dict[str, list[Outcomes]]:
        """Return what a network said about the test clips of the tasks that it answers, one entry for each seed."""
        seeds = [self._read(part, seed) for seed in range(self.known.comparison.seeds)]
        return {task: [said[task] for said in seeds] for task in part.answers}

    def _read(self, part: Part, seed: int) -> Said:
        """Return what a network with that seed said; those that were trained alike are asked once."""
        asked = replace(part, training=replace(part.training, repeat=seed), answers=part.training.tasks)
        if asked not in self._said:
            self._said[asked] = self.networks.say(asked, Split.TEST)
        return self._said[asked]

    def _task(self, task: TaskSpec, reading: Reading) -> RowTask:
        said = reading.model[task.name]
        value = float(np.mean([measure(outcomes, task.metric) for outcomes in said]))
        low, high = metric_interval(task.metric, said, reading.groups[task.dataset], reading.noise)
        lost = None if task.name in reading.without_ar else reading.reductions[task.name]
        return RowTask(task.name, task.metric, value, (min(low, value), max(high, value)), lost)


def _row_part(part: Part) -> RowPart:
    return RowPart(part.training.tasks, part.answers, part.training.tree.to_json(), part.training.recipe)


def _is_baseline(part: Part, known: Known) -> bool:
    return len(part.training.tasks) == 1 and part.training == Training(known.evidence.baseline(part.training.tasks[0]))


def _effort(state: SystemState, model: Model) -> tuple[int, float]:
    """Return how many trainings a row rests on, and their seconds; of the tree, with the search that found it."""
    known, effort = state.known, state.known.comparison.effort
    trainings = rests_on(state, model)
    is_found = state.system.rests_on_the_search()
    counted = [training for training in trainings if not (is_found and training.key in effort.known)]
    seconds = sum(_measured(training, known).seconds for training in counted)
    return len(counted) + is_found * effort.trainings, seconds + is_found * effort.seconds


def _measured(training: Training, known: Known) -> Measurement:
    found = known.evidence.facts.of(training)
    assert found, "rows rest on trainings that have ended"
    return found


def _seed_noise(known: Known, variants: frozenset[Variant]) -> SeedNoise:
    """Return how much trainings differ by their seed, from all that were trained with several, on validation.

    Those that are trained as the study says count for every row, variants only for their own: they may be noisier.
    """
    metrics = {task.name: task.metric for task in known.spec.tasks}
    by_training: dict[Training, list[Said]] = {}
    facts = known.evidence.facts
    for training, measured in (*facts.known.items(), *facts.by_other_recipes.items()):
        if not training.is_variant or training.variant in variants:
            by_training.setdefault(replace(training, repeat=0), []).append(measured.outcomes)
    return SeedNoise.pool(
        Repeats.of(metrics[task], [said[task] for said in repeats])
        for training, repeats in by_training.items()
        for task in training.tasks
        if len(repeats) > 1 and repeats[0][task].clip_count > 1
    )

"""What a study would cost, before anything is trained."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from taskgraft.errors import Conflict
from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.search.evidence.length import study_lengths
from taskgraft.search.evidence.resolution import Resolution, TestSize, resolve, warnings
from taskgraft.search.strategies.compression_effort import compressing_trainings
from taskgraft.search.strategies.confirming import fewest_trainings, most_trainings
from taskgraft.search.strategies.registry import strategy_of
from taskgraft.search.study.fields import AUTO
from taskgraft.search.study.machines import usable_cores
from taskgraft.search.study.outline import StudyOutline, TaskOutline
from taskgraft.search.study.spec import Strategy, StudySpec
from taskgraft.search.study.task_spec import TaskSpec
from taskgraft.search.study.training_spec import TRUNK_SHARE
from taskgraft.space.cost import independent_parameters, tree_cost
from taskgraft.space.template import Template
from taskgraft.space.tree import BranchTree

_MACS_PER_SECOND = 4.5e9
"""Multiply-accumulates of the model (forward alone) that one core trains with in a second, evaluations included: 900 s
of audio with template cnn8, measured with batches of 32 to 64 on a server core of 2023."""
_LONGEST_CROP = 4.0
"""Seconds that a study crops to at most, unless it says otherwise."""


@dataclass(frozen=True, slots=True)
class StrategyCost:
    """What a study would take with one strategy.

    Likely is about the mean: of simulated studies, or over all answers about pairs if each depth is as likely to keep
    the threshold as to break it.
    """

    strategy: Strategy
    trials_at_least: int
    trials_likely: int
    trials_at_most: int
    seconds_at_least: float
    seconds_likely: float
    seconds_at_most: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Least and greatest cost of a study.

    Trials: no study takes fewer than ``trials_at_least`` whose baselines are all better than chance and whose time does
    not run out. The most is every question that the strategy may ask, and a repair for every block that can be taken
    away. Seconds are those of the trainings alone, and an order of magnitude. ``epochs`` are the lengths that may be
    tried, a single one if the study says it; the least uses the first, the most the last. ``clips`` are the labelled
    clips of each task by split. ``resolution`` is what the test clips of each task can decide, by guesses, and
    ``warnings`` name the tasks for which that is not enough. ``strategies`` are the costs of this study with each
    strategy that can run it, ``recommended`` is the word of one of them, and ``because`` says why.
    """

    epochs: tuple[int, ...]
    trials_at_least: int
    trials_at_most: int
    seconds_at_least: float
    seconds_at_most: float
    workers: int
    independent_parameters: int
    fully_shared_parameters: int
    clips: dict[str, dict[str, int]]
    resolution: tuple[Resolution, ...]
    warnings: tuple[str, ...]
    strategies: tuple[StrategyCost, ...]
    recommended: Strategy
    because: str

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def plan_study(spec: StudySpec, outline: StudyOutline, workers: int | None = None) -> Plan:
    """Count what a study would train, and estimate how long that takes on ``workers`` cores.

    Raises:
        Conflict: a dataset is still being checked, so that its clips are not known yet.
    """
    if outline.waiting:
        raise Conflict(f"{', '.join(outline.waiting)} is still being checked: ask again when it is ready")
    template = spec.encoder
    workers = workers or usable_cores()
    fewer, more = compressing_trainings(spec, outline.tasks)
    least = _least(spec).with_more(fewer, fewer * _Alone.fewest(spec).stretch)
    most = _most(spec).with_more(more, more * _Alone.most(spec).stretch * corpora_of(spec.tasks))
    resolution = tuple(_resolution(task, outline) for task in outline.outlines)
    one_pass = pass_seconds(outline, template) / workers
    shared = BranchTree.flat(spec.task_names, template.depth, template.depth)
    costs = tuple(_strategy_costs(spec, one_pass))
    recommended, because = _recommended(costs)
    return Plan(
        epochs=plan_lengths(outline),
        trials_at_least=least.trials,
        trials_at_most=most.trials,
        seconds_at_least=_wall_seconds(spec, least.passes * one_pass),
        seconds_at_most=_wall_seconds(spec, most.passes * one_pass),
        workers=workers,
        independent_parameters=independent_parameters(template, outline.tasks),
        fully_shared_parameters=tree_cost(shared, template, outline.tasks).parameters or 0,
        clips={task.task.name: {split.value: task.clips[split] for split in Split} for task in outline.outlines},
        resolution=resolution,
        warnings=(*warnings(resolution, spec.ar_threshold), *template.remarks),
        strategies=costs,
        recommended=recommended,
        because=because,
    )


def _strategy_costs(spec: StudySpec, one_pass: float) -> Iterator[StrategyCost]:
    """Yield what the study would take with each strategy that can run it."""
    for strategy in Strategy:
        if strategy.fewest_tasks > len(spec.tasks):
            continue
        asked = spec.model_copy(update={"strategy": strategy})
        works = (_least(asked), _likely(asked), _most(asked))
        seconds = (_wall_seconds(spec, work.passes * one_pass) for work in works)
        yield StrategyCost(strategy, *(work.trials for work in works), *seconds)


def _recommended(costs: Sequence[StrategyCost]) -> tuple[Strategy, str]:
    """Return the strategy that is likely to take the least time, and why it is the one."""
    best = min(costs, key=lambda cost: (cost.seconds_likely, cost.trials_likely))
    others = [f"{cost.strategy.value} {cost.trials_likely:,}" for cost in costs if cost is not best]
    told = f"{best.trials_likely:,} trainings are likely, with {', '.join(others)}"
    limits = "; the reduction matrix then holds bounds, not the AR of every pair" if best.strategy.asks_groups else ""
    return best.strategy, told + limits


def _resolution(task: TaskOutline, outline: StudyOutline) -> Resolution:
    """Return what a task's test clips can decide; it is taken to have the same share of the groups as of the clips."""
    report, clips = outline.reports[task.dataset], task.clips[Split.TEST]
    groups = max(1, round(report.groups * clips / report.clips)) if report.groups else None
    spec, name = outline.spec, task.task.name
    return resolve(name, TestSize(clips, groups), len(spec.tasks), spec.ar_threshold, metric=spec.metrics[name])


def plan_trials(spec: StudySpec) -> tuple[int, int]:
    """Return how many trainings a study takes at least and at most."""
    return _least(spec).trials, _most(spec).trials


@dataclass(frozen=True, slots=True)
class _Work:
    """Trainings, and how often they go through a corpus (`passes_of`)."""

    trials: int
    passes: float

    def with_more(self, trials: int, passes: int) -> "_Work":
        """Add trainings that confirm the tree, or make it smaller, which no budget limits."""
        return _Work(self.trials + trials, self.passes + passes)


@dataclass(frozen=True, slots=True)
class _Alone:
    """The baselines of one task, those that choose the length included; passes in units of the first length."""

    trials: int
    passes: int
    stretch: int = 1
    """How many times as long as one of the first length all other trainings take."""

    @classmethod
    def fewest(cls, spec: StudySpec) -> "_Alone":
        """Return those of a study whose first length is chosen: two seeds of it, and one of twice the length."""
        repeats = spec.baseline_repeats
        if spec.training.epochs != AUTO:
            return cls(repeats, repeats)
        further = max(0, repeats - 2)
        return cls(3 + further, 4 + further)

    @classmethod
    def most(cls, spec: StudySpec) -> "_Alone":
        """Return those of a study that tries every length, two seeds each, and uses the longest."""
        repeats = spec.most_repeats
        if spec.training.epochs != AUTO:
            return cls(repeats, repeats)
        lengths = study_lengths(spec, epoch_clips=1)
        stretches = [length // lengths[0] for length in lengths]
        longest, further = stretches[-1], repeats - 1
        return cls(2 * len(lengths) - 1 + further, 2 * sum(stretches) - longest + further * longest, longest)


def _least(spec: StudySpec) -> _Work:
    """Return the work of the luckiest study."""
    strategy = strategy_of(spec)
    models = strategy.fewest_models(spec)
    alone = _Alone.fewest(spec)
    work = _work(spec, alone, spec.least_repeats, models)
    # A tree that shares nothing takes no training to confirm, but more questions to find.
    questions = max(0, strategy.fewest_without_sharing(spec) - len(models)) * spec.least_repeats
    more = min(questions, fewest_trainings(spec))
    pairs = more // 3  # beside two baselines each, and with a phase more if there are any
    return work.with_more(more, alone.stretch * (more + pairs * spec.training.algorithm.has_phases))


def _most(spec: StudySpec) -> _Work:
    """Return the work of the unluckiest study.

    Each verified tree shares a block less than the one before; the tree of two tasks is a pair that was tried. What a
    probe found is trained in full once more.
    """
    count = len(spec.tasks)
    again = list(combinations(spec.tasks, 2)) if spec.stops_early else []
    blocks = (count - 1) * max(spec.depths) if count > 2 else 0
    models = [*strategy_of(spec).most_models(spec), *([spec.tasks] * blocks), *again]
    alone = _Alone.most(spec)
    more = most_trainings(spec, count)
    # A part goes through few corpora; its phases take each of its tasks once more, after the baselines.
    passes = min(more, 1) * 2 * count * spec.confirm if spec.training.algorithm.has_phases else more
    return _work(spec, alone, spec.most_repeats, models).with_more(more, alone.stretch * passes)


def _likely(spec: StudySpec) -> _Work:
    """Return the work of a study whose questions take as long as is likely, without repairs of its tree."""
    least, most = _least(spec), _most(spec)
    baselines = _Alone.fewest(spec).trials * _with_trunk(spec)
    trials = min(most.trials, max(least.trials, baselines + strategy_of(spec).expected_questions(spec)))
    if most.trials == least.trials:
        return most
    share = (trials - least.trials) / (most.trials - least.trials)
    return _Work(trials, least.passes + share * (most.passes - least.passes))


def _work(spec: StudySpec, alone: _Alone, repeats: int, models: Sequence[Sequence[TaskSpec]]) -> _Work:
    trials = alone.trials * _with_trunk(spec) + repeats * len(models)
    trunk = 1 / TRUNK_SHARE if spec.training.has_trunk else 0.0
    of_models = sum(passes_of(model, spec.training.algorithm) for model in models)
    whole = alone.passes * len(spec.tasks) + alone.stretch * repeats * of_models
    passes = (1 - trunk) * whole + trunk * alone.passes * corpora_of(spec.tasks)
    allowed = trials if spec.budget.trials is None else min(trials, spec.budget.trials)
    return _Work(allowed, passes * allowed / trials)


def _with_trunk(spec: StudySpec) -> int:
    """Return how many models of each seed and length come first: the baselines, and the trunk if there is one."""
    return len(spec.tasks) + spec.training.has_trunk


def corpora_of(tasks: Iterable[TaskSpec]) -> int:
    """Return how many corpora a model of these tasks goes through in every step."""
    return len({task.dataset for task in tasks})


def passes_of(tasks: Sequence[TaskSpec], algorithm: Algorithm) -> int:
    """Return how often a model of these tasks goes through a corpus.

    A step takes a batch from each corpus; if tasks are trained one after the other, it does so for each of them.
    """
    return len(tasks) if algorithm.has_phases else corpora_of(tasks)


def _wall_seconds(spec: StudySpec, seconds: float) -> float:
    limit = spec.budget.seconds
    return round(seconds if limit is None else min(seconds, limit), 1)


def _epoch_clips(outline: StudyOutline) -> int:
    return max(report.splits[Split.TRAIN] for report in outline.reports.values())


def plan_lengths(outline: StudyOutline) -> tuple[int, ...]:
    """Return the lengths that the study may try, in epochs, shortest first; the one that it says, if it says one."""
    return study_lengths(outline.spec, _epoch_clips(outline)) or (outline.spec.training.given_epochs,)


def pass_seconds(outline: StudyOutline, template: Template) -> float:
    """Return how long one core takes to train a model of one task; if the length is open, for the first length."""
    training = outline.spec.training
    clips = plan_lengths(outline)[0] * -(-_epoch_clips(outline) // training.batch_size) * training.batch_size
    longest = max(report.clip_seconds for report in outline.reports.values())
    crop = training.clip_seconds or min(longest, _LONGEST_CROP)
    tree = BranchTree.flat(outline.spec.task_names[:1], template.depth, template.depth)
    macs = tree_cost(tree, template, outline.tasks[:1]).macs_per_second or 0
    return clips * crop * macs / _MACS_PER_SECOND

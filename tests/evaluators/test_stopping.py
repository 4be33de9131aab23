import pickle
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.metrics import accuracy_reduction
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.stopping import Curve, Stopping, Verdict
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Schedule, Trainer
from taskgraft.space.tree import BranchTree

TASKS = ("a", "b")
STEPS = 15
CLIPS = {"a": 200, "b": 400}
PAIR = BranchTree.flat(["pitch", "shape"], 4, 8)
SCHEDULE = Schedule(12, 8, Optimisation(3e-3))

metrics = st.floats(0.01, 1)


def curve_of(*values: Mapping[str, float]) -> Curve:
    return [{"step": step, **point} for step, point in enumerate(values, start=1)]


def points(tasks: Sequence[str]) -> st.SearchStrategy[Curve]:
    point = st.fixed_dictionaries(dict.fromkeys(tasks, metrics))
    return st.lists(point, min_size=STEPS, max_size=STEPS).map(lambda values: curve_of(*values))


def best(curve: Curve) -> dict[str, float]:
    return {task: max(point[task] for point in curve) for task in curve[0] if task != "step"}


@st.composite
def trainings(draw: st.DrawFn) -> tuple[Curve, dict[str, Curve], dict[str, float]]:
    baselines = {task: draw(points([task])) for task in TASKS}
    return draw(points(TASKS)), baselines, {task: best(curve)[task] for task, curve in baselines.items()}


def rising(task: str, end: float) -> Curve:
    """Learns in the first half of the steps."""
    return curve_of(*({task: end * min(1.0, 2 * step / STEPS)} for step in range(1, STEPS + 1)))


RISING = {task: rising(task, 0.9) for task in TASKS}
NINETY = {"a": 0.9, "b": 0.9}


@settings(max_examples=50, deadline=None)
@given(trainings(), st.floats(0, 0.9))
def test_acceptance_never_changes_the_decision(
    training: tuple[Curve, dict[str, Curve], dict[str, float]], threshold: float
) -> None:
    curve, baselines, references = training
    stopping = Stopping(threshold, True, baselines)
    ars = [accuracy_reduction(references, {task: point[task] for task in TASKS}) for point in curve]
    verdicts = [stopping.verdict(curve[:end], references, CLIPS) for end in range(1, STEPS + 1)]
    kept = [verdict is Verdict.KEPT for verdict in verdicts]
    assert kept == [min(ars[:end]) <= threshold for end in range(1, STEPS + 1)]


@settings(max_examples=50, deadline=None)
@given(trainings(), st.floats(0, 0.9), st.booleans())
def test_nothing_is_given_up_in_the_first_half(
    training: tuple[Curve, dict[str, Curve], dict[str, float]], threshold: float, accepts: bool
) -> None:
    curve, baselines, references = training
    stopping = Stopping(threshold, accepts, baselines)
    early = [stopping.verdict(curve[:end], references, CLIPS) for end in range(1, -(-STEPS // 2))]
    assert Verdict.HOPELESS not in early


@settings(max_examples=50, deadline=None)
@given(trainings(), st.floats(0, 0.9))
def test_without_acceptance_nothing_is_kept(
    training: tuple[Curve, dict[str, Curve], dict[str, float]], threshold: float
) -> None:
    curve, baselines, references = training
    assert Stopping(threshold, False, baselines).verdict(curve, references, CLIPS) is not Verdict.KEPT


@settings(max_examples=50, deadline=None)
@given(trainings(), st.floats(0, 0.9), st.floats(0, 0.9))
def test_what_is_hopeless_is_hopeless_at_every_smaller_threshold(
    training: tuple[Curve, dict[str, Curve], dict[str, float]], one: float, other: float
) -> None:
    curve, baselines, references = training
    small, large = (Stopping(q, False, baselines).verdict(curve, references, CLIPS) for q in sorted((one, other)))
    assert large is Verdict.GO_ON or small is Verdict.HOPELESS


def test_a_task_that_stands_still_far_below_its_baseline_is_hopeless_once_that_has_learned() -> None:
    stuck = curve_of(*({"a": 0.9, "b": 0.3} for _ in range(STEPS)))
    verdicts = [Stopping(0.02, True, RISING).verdict(stuck[:end], NINETY, CLIPS) for end in range(1, STEPS + 1)]
    assert Verdict.KEPT not in verdicts
    assert verdicts[-1] is Verdict.HOPELESS


def test_a_task_is_given_up_when_it_would_have_to_catch_up_faster_than_may_be() -> None:
    """The baseline learns evenly to the last step, and the task gains twice what that still gains, at most."""
    even = {task: curve_of(*({task: 0.9 * step / STEPS} for step in range(1, STEPS + 1))) for task in TASKS}
    many = dict.fromkeys(TASKS, 1_000_000)
    for lag, expected in ((0.40, Verdict.GO_ON), (0.44, Verdict.HOPELESS)):
        behind = curve_of(*({"a": 0.9, "b": 0.9 * step / STEPS - lag} for step in range(1, 9)))
        assert Stopping(0.0, True, even).verdict(behind, NINETY, many) is expected


def test_a_few_clips_short_may_be_bad_luck() -> None:
    short = curve_of(*({"a": 0.9, "b": 0.87} for _ in range(STEPS)))
    for clips, expected in ((25, Verdict.GO_ON), (10_000, Verdict.HOPELESS)):
        known = {task: curve_of(*[{task: 0.9}] * STEPS) for task in TASKS}
        assert Stopping(0.0, True, known).verdict(short, NINETY, {"a": clips, "b": clips}) is expected


def test_one_clip_of_fifty_keeps_two_percent() -> None:
    point = curve_of({"a": 0.98, "b": 1.0})
    assert Stopping(0.02, True, RISING).verdict(point, {"a": 1.0, "b": 1.0}, CLIPS) is Verdict.KEPT


def test_a_stopping_rule_travels_to_workers() -> None:
    stopping = Stopping(0.02, True, RISING)
    assert pickle.loads(pickle.dumps(stopping)) == stopping


@pytest.mark.parametrize("threshold", [-0.1, 1.0, float("nan")])
def test_a_threshold_is_a_fraction(threshold: float) -> None:
    with pytest.raises(InvalidInput, match="below 1"):
        Stopping(threshold, True, RISING)


def test_a_baseline_has_a_curve() -> None:
    with pytest.raises(InvalidInput, match="curve of b has no point"):
        Stopping(0.02, True, {"a": RISING["a"], "b": ()})


def train(data: StudyData, references: Mapping[str, float], stopping: Stopping | None = None) -> Measurement:
    trainer, fractions = Trainer(PAIR, data, SCHEDULE, 0, references, stopping), [0.0]
    while not trainer.finished:
        trainer.advance()
        fractions.append(trainer.fraction)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    return trainer.measurement("here")


def at_once(task: str, metric: float) -> Curve:
    """A baseline that knows everything from its first step on."""
    return [{"step": step, task: metric} for step in range(1, 49)]


def at_last(task: str, metric: float) -> Curve:
    """A baseline of which nothing is known before its last step, so that nothing is given up."""
    return [{"step": 48, task: metric}]


@pytest.mark.parametrize(
    ("reference", "baseline", "way"), [(0.7, at_last, Verdict.KEPT), (1.9, at_once, Verdict.HOPELESS)]
)
def test_a_stopped_training_is_the_beginning_of_the_whole_one(
    tone_data: StudyData, reference: float, baseline: Callable[[str, float], Curve], way: Verdict
) -> None:
    references = {"pitch": reference, "shape": reference}
    whole = train(tone_data, references)
    stopping = Stopping(0.02, True, {task: baseline(task, reference) for task in PAIR.tasks})
    stopped = train(tone_data, references, stopping)
    assert stopped.is_censored
    assert not whole.is_censored
    assert stopped.planned_steps == whole.planned_steps == whole.steps == 48
    assert stopped.curve == whole.curve[: len(stopped.curve)]
    ar, bound = (accuracy_reduction(references, one.metrics) for one in (whole, stopped))
    assert ar <= bound
    assert (bound <= 0.02) is (way is Verdict.KEPT)
    clips = {task: len(outcomes.clips) for task, outcomes in stopped.outcomes.items()}
    assert stopping.verdict(stopped.curve, references, clips) is way


def test_a_training_that_is_never_stopped_is_the_whole_one(tone_data: StudyData) -> None:
    references = {"pitch": 1.0, "shape": 1.0}
    generous = Stopping(0.0, False, {task: at_last(task, 1.1) for task in PAIR.tasks})
    whole, watched = train(tone_data, references), train(tone_data, references, generous)
    assert watched.weights == whole.weights
    assert not watched.is_censored


@pytest.mark.parametrize(("known", "curves"), [(["pitch"], ["pitch", "shape"]), (["pitch", "shape"], ["shape"])])
def test_stopping_takes_the_baselines_of_all_tasks(tone_data: StudyData, known: list[str], curves: list[str]) -> None:
    stopping = Stopping(0.02, True, {task: at_once(task, 1.0) for task in curves})
    with pytest.raises(InvalidInput, match="reference and the curve of its baseline"):
        Trainer(PAIR, tone_data, SCHEDULE, 0, dict.fromkeys(known, 1.0), stopping)


def test_an_error_is_better_if_it_is_lower() -> None:
    """An error that stays at twice its baseline's is given up; one that reaches the baseline's is accepted."""
    metrics, clips = {"a": "mean_absolute_error"}, {"a": 10_000}
    falling = {"a": [{"step": step, "a": 6.0 - step / 100} for step in range(10, 101, 10)]}
    stopping = Stopping(0.02, True, falling, metrics)
    stuck = [{"step": step, "a": 10.0} for step in range(10, 101, 10)]
    verdicts = [stopping.verdict(stuck[:end], {"a": 5.0}, clips) for end in range(1, 11)]
    assert verdicts[:4] == [Verdict.GO_ON] * 4
    assert verdicts[4:] == [Verdict.HOPELESS] * 6
    assert stopping.verdict([{"step": 10, "a": 5.1}], {"a": 5.0}, clips) is Verdict.KEPT
    assert stopping.verdict([{"step": 10, "a": 5.2}], {"a": 5.0}, clips) is Verdict.GO_ON

"""A study that takes trainings over ends as if it had trained everything, at whatever threshold they were made."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.replay import replay
from taskgraft.search.evidence import Evidence
from taskgraft.search.jobs import Job, job_for
from taskgraft.search.spec import StudySpec
from taskgraft.search.strategy import Ask, Settled, Spent, decide
from taskgraft.search.trial import Trial, TrialState
from tests.search.curves import CurveWorld
from tests.search.worlds import make_spec

THRESHOLDS = (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3)


@dataclass
class Driven:
    """A study driven to its end: its trials, and its trainings by what decides their results."""

    settled: Settled
    trials: list[Trial] = field(default_factory=list)
    trained: dict[str, list[Measurement]] = field(default_factory=dict)


def identity(job: Job) -> str:
    return json.dumps([job.training.tree.to_json(), job.seed, dict(job.references), job.with_affinities])


def drive(spec: StudySpec, world: CurveWorld, donors: Sequence[Driven] = ()) -> Driven:
    evidence, run = Evidence(spec), Driven(Settled(Evidence(spec).baseline("a")))
    while isinstance(decision := decide(spec, evidence, Spent()), Ask):
        job = job_for(decision.trainings[0], spec, evidence)
        known = [one for donor in donors for one in donor.trained.get(identity(job), ())]
        taken = next(filter(None, (replay(one, job.references, job.stopping) for one in known)), None)
        if taken is None:
            run.trained.setdefault(identity(job), []).append(world.train(job))
        measured = taken or run.trained[identity(job)][-1]
        assert measured is not None
        run.trials.append(Trial(len(run.trials), job.training, job.seed, TrialState.COMPLETE, measured))
        evidence.add(run.trials[-1])
    run.settled = decision
    return run


def count(run: Driven) -> int:
    return sum(map(len, run.trained.values()))


def assert_same(found: Trial, expected: Trial) -> None:
    assert found.training == expected.training
    one, other = found.measurement, expected.measurement
    assert one is not None
    assert other is not None
    for part in ("metrics", "steps", "steps_left", "best_step", "seconds", "curve", "affinities"):
        assert getattr(one, part) == getattr(other, part), part
    for task, said in other.outcomes.items():
        np.testing.assert_array_equal(one.outcomes[task].predicted, said.predicted)
    if not one.is_censored:
        assert one.weights == other.weights


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Any], CurveWorld]:
    tasks = draw(st.integers(1, 4))
    depths = draw(st.sampled_from([(4, 5, 6, 7, 8), (8, 4), (6,)]))
    lost = st.sampled_from([-0.02, 0.0, 0.008, 0.018, 0.022, 0.045, 0.06, 0.25])
    cells = {(*pair, depth): draw(lost) for pair in combinations("abcd"[:tasks], 2) for depth in depths}
    strategy = draw(st.sampled_from(["adaptive", "bisection", "groups", "exhaustive"]))
    world = CurveWorld(cells, draw(st.integers(0, 999)), draw(st.sampled_from([0.0, 0.03, 0.08])))
    return {"tasks": tasks, "depths": depths, "strategy": strategy}, world


@settings(max_examples=60, deadline=None)
@given(cases(), st.sampled_from(THRESHOLDS), st.sampled_from(THRESHOLDS))
def test_another_threshold_ends_as_if_it_had_been_the_first(
    case: tuple[dict[str, Any], CurveWorld], before: float, threshold: float
) -> None:
    more, world = case
    first = drive(make_spec(**more, ar_threshold=before), world)
    spec = make_spec(**more, ar_threshold=threshold)
    alone, again = drive(spec, world), drive(spec, world, [first])
    assert again.settled == alone.settled
    assert len(again.trials) == len(alone.trials)
    for found, expected in zip(again.trials, alone.trials, strict=True):
        assert_same(found, expected)
    assert count(again) <= len(alone.trials) - more["tasks"]  # baselines depend on no threshold
    if before == threshold:
        assert count(again) == 0


@settings(max_examples=30, deadline=None)
@given(cases(), st.lists(st.sampled_from(THRESHOLDS), min_size=1, max_size=4), st.sampled_from(THRESHOLDS))
def test_other_strategies_and_thresholds_may_all_have_trained_before(
    case: tuple[dict[str, Any], CurveWorld], before: list[float], threshold: float
) -> None:
    more, world = case
    strategies = ["adaptive", "exhaustive", "bisection", "groups"]
    known = [
        drive(make_spec(**{**more, "strategy": strategies[place]}, ar_threshold=q), world)
        for place, q in enumerate(before)
    ]
    spec = make_spec(**more, ar_threshold=threshold)
    alone, again = drive(spec, world), drive(spec, world, known)
    assert again.settled == alone.settled
    for found, expected in zip(again.trials, alone.trials, strict=True):
        assert_same(found, expected)


def test_most_is_taken_over_where_thresholds_are_close() -> None:
    """A count that would fall to nothing if censored trainings answered no other threshold."""
    lost = {5: 0.0, 6: 0.008, 7: 0.03, 8: 0.25}
    world = CurveWorld({(*pair, depth): ar for pair in combinations("abcd", 2) for depth, ar in lost.items()})
    depths = sorted(lost)
    first = drive(make_spec(4, depths=depths), world)
    again = drive(make_spec(4, depths=depths, ar_threshold=0.025), world, [first])
    censored = [one for one in first.trials if one.measurement and one.measurement.is_censored]
    assert len(censored) >= 12
    assert count(again) <= 6 < len(again.trials) - 10

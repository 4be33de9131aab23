"""What is said about the rest of a study: held against whole studies in made-up worlds whose trainings take time."""

import random
from dataclasses import replace
from itertools import combinations

import pytest

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.running.pace import Pace, seconds_left
from taskgraft.search.strategies.remaining import Left, trainings_left
from taskgraft.search.strategies.strategy import Ask, Spent, decide
from tests.search.clocks import Clock, Said, watch
from tests.search.worlds import World, make_spec, measurement

STUDIES = 6


def said_of_studies(
    strategy: str, tasks: int, seed: int, epochs: int | str = 30, train_ahead: int = 0, algorithm: str = "soft"
) -> list[Said]:
    """What was said over studies that differ in everything: compatibilities, pace, workers, luck of verification."""
    chance = random.Random(f"{strategy} {tasks} {seed}")
    said: list[Said] = []
    for _ in range(STUDIES):
        keeps = chance.choice([0.1, 0.3, 0.6, 0.9])
        cells = {
            (*pair, depth): 0.0 if chance.random() < keeps else 0.3
            for pair in combinations("abcdef"[:tasks], 2)
            for depth in (4, 5, 6, 7, 8)
        }
        world = World(cells, seed=chance.randrange(999), worst_tree=chance.choice([0.0, 0.018, 0.021, 0.03]))
        if epochs == "auto":
            world = replace(world, clips=400, enough=chance.choice([0, 20, 160]), steady=chance.choice([0, 10, 80]))
        clock = Clock(chance.choice([3, 10, 60]), chance.choice([0.05, 0.35, 0.8]), noise=chance.choice([0.03, 0.15]))
        phases = {} if algorithm == "soft" else {"algorithm": {"name": algorithm, "order": [*"abcdef"[:tasks]]}}
        clock = replace(clock, has_phases=bool(phases))
        spec = make_spec(tasks, strategy=strategy, training={"epochs": epochs, **phases})
        said += watch(spec, world, clock, chance.choice([1, 2, 4]), chance.randrange(10**6), train_ahead)
    return said


@pytest.mark.parametrize("strategy", ["adaptive", "bisection", "exhaustive", "groups", "trees"])
def test_the_time_left_lies_in_the_range_nearly_always(strategy: str) -> None:
    said = [one for tasks in (2, 4) for one in said_of_studies(strategy, tasks, 1)]
    assert len(said) > 40
    assert sum(one.holds for one in said) / len(said) >= 0.95


@pytest.mark.parametrize("strategy", ["adaptive", "groups", "trees"])
def test_so_it_does_if_tasks_are_trained_one_after_the_other(strategy: str) -> None:
    said = [one for tasks in (2, 4) for one in said_of_studies(strategy, tasks, 6, algorithm="freeze")]
    assert len(said) > 40
    assert sum(one.holds for one in said) / len(said) >= 0.95


@pytest.mark.parametrize("strategy", ["bisection", "groups"])
def test_so_it_does_with_training_ahead(strategy: str) -> None:
    said = [one for tasks in (2, 4) for one in said_of_studies(strategy, tasks, 5, train_ahead=3)]
    assert len(said) > 60
    assert sum(one.holds for one in said) / len(said) >= 0.95
    assert all(one.true_trials <= one.trials[1] for one in said)


@pytest.mark.parametrize("strategy", ["adaptive", "bisection", "exhaustive", "groups", "trees"])
def test_no_study_takes_more_trainings_than_it_said_at_any_time(strategy: str) -> None:
    for tasks in (2, 3, 4):
        for said in said_of_studies(strategy, tasks, 2):
            assert said.true_trials <= said.trials[1]


@pytest.mark.parametrize("strategy", ["adaptive", "groups"])
def test_what_is_said_holds_while_the_training_length_is_open(strategy: str) -> None:
    said = [one for tasks in (1, 2, 4) for one in said_of_studies(strategy, tasks, 4, "auto")]
    assert len(said) > 100
    assert sum(one.holds for one in said) / len(said) >= 0.95
    assert all(one.true_trials <= one.trials[1] for one in said)


def test_the_range_is_of_use() -> None:
    """Between a fifth of a study and its end, the upper end is rarely more than five times the truth."""
    said = [one for one in said_of_studies("adaptive", 5, 3) if one.passed > 0.2 and one.true_seconds > 60]
    ratios = sorted(one.seconds[1] / one.true_seconds for one in said)
    assert len(said) > 50
    assert ratios[len(ratios) // 2] < 3
    assert ratios[round(0.9 * len(ratios))] < 5


def left_at_first(tasks: int, **more: object) -> tuple[Ask, Left]:
    spec = make_spec(tasks, **more)
    decision = decide(spec, Evidence(spec), Spent())
    assert isinstance(decision, Ask)
    return decision, trainings_left(spec, Evidence(spec), decision)


def test_before_anything_is_known_the_worst_case_asks_for_every_cell_and_takes_back_every_block() -> None:
    decision, left = left_at_first(4, depths=[4, 8])
    assert decision.at_least == 4 + 6 + 1
    assert left.at_most == 4 + 6 * 2 + 3 * 8 + 2
    assert (left.baselines, left.longest) == (4, 2)


def test_a_budget_bounds_the_worst_case() -> None:
    assert left_at_first(4, budget={"trials": 15})[1].at_most == 15


def test_nobody_knows_the_pace_before_a_training_has_ended() -> None:
    assert Pace.of([]) is None


def test_more_workers_take_less_time_but_for_what_waits_for_itself() -> None:
    pace = Pace({1: ((10.0, 1.0),) * 9, 2: ((12.0, 1.0),) * 9})
    left = Left(20, 4, (6.0, 12.0), 2, (1, 3))
    (low, high), (low4, high4) = (seconds_left(left, pace, 4, workers) for workers in (1, 4))
    assert low4 < low
    assert high4 < high
    only_repairs = Left(3, 0, (0.0, 0.0), 0, (1, 3))
    assert seconds_left(only_repairs, pace, 4, 1) == seconds_left(only_repairs, pace, 4, 4)


def test_what_is_done_of_running_trainings_is_not_left() -> None:
    pace = Pace({1: ((10.0, 1.0),) * 99})
    left = Left(1, 1, (0.0, 0.0), 0, (0, 0))
    ends = [seconds_left(left, pace, 1, 1, [done])[0] for done in (0.0, 0.5, 1.0)]
    assert ends == sorted(ends, reverse=True)
    assert ends[2] < 5


def test_a_training_that_was_stopped_tells_how_long_all_its_steps_take() -> None:
    whole = replace(measurement({"a": 0.8}), seconds=10.0)
    cut = replace(measurement({"a": 0.8, "b": 0.8}), steps=25, steps_left=75, seconds=5.0)
    pace = Pace.of([whole, cut])
    assert pace == Pace({1: ((10.0, 1.0),), 2: ((5.0, 0.25),)})
    low, high = pace.full(2)
    assert low < 20 < high


def test_a_model_whose_tasks_are_trained_one_after_the_other_takes_as_long_as_all_of_them() -> None:
    alone, pair = (replace(measurement(dict.fromkeys(tasks, 0.8)), seconds=10.0 * len(tasks)) for tasks in ("a", "ab"))
    assert Pace.of([alone, pair], has_phases=True) == Pace({1: ((10.0, 1.0),), 2: ((10.0, 1.0),)}, has_phases=True)
    for known in ([alone], [pair], [alone] * 99):
        pace = Pace.of(known, has_phases=True)
        assert pace
        low, high = pace.full(4)
        assert low <= 40 <= high
    hasty = Pace.of([alone] * 99)
    assert hasty
    assert hasty.full(4)[1] < 40

"""Algorithms as study files name them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.cross import CrossSoft
from taskgraft.evaluators.algorithms.distil import Distil
from taskgraft.evaluators.algorithms.freeze import Freeze
from taskgraft.evaluators.algorithms.hard import Hard
from taskgraft.evaluators.algorithms.registry import ALGORITHMS, SOFT, algorithm_schema, read_algorithm
from taskgraft.evaluators.algorithms.task_attention import TaskAttention
from taskgraft.evaluators.course import Course
from taskgraft.evaluators.schedule import Schedule


@pytest.mark.parametrize(
    ("given", "algorithm", "plain"),
    [
        ("soft", SOFT, "soft"),
        ("task-attention", TaskAttention(), {"name": "task-attention", "over": "step"}),
        ({"name": "hard"}, Hard(), "hard"),
        ("cross-soft", CrossSoft(), {"name": "cross-soft", "weight": 2.0}),
        ({"name": "cross-soft", "weight": 1}, CrossSoft(1), {"name": "cross-soft", "weight": 1}),
        ("distil", Distil(), {"name": "distil", "temperature": 2.0, "share": 0.5, "others": False}),
        ({"name": "freeze", "order": ["b", "a"]}, Freeze(("b", "a")), {"name": "freeze", "order": ["b", "a"]}),
    ],
)
def test_what_is_read_is_written_the_same(given: object, algorithm: Algorithm, plain: object) -> None:
    assert read_algorithm(given) == algorithm
    assert algorithm.to_plain() == plain
    assert read_algorithm(plain) == algorithm


@pytest.mark.parametrize(
    ("given", "where", "why"),
    [
        ("harder", "", "there is soft, hard, "),
        ({"name": 3}, "name", "there is soft, hard, "),
        ({"weight": 3}, "", "a name, or an object with a name"),
        (7, "", "a name, or an object with a name"),
        ("freeze", "order", "algorithm freeze needs it: a list of the names of all tasks"),
        ({"name": "hard", "order": ["a"]}, "order", "takes no options: this is one of freeze, serial"),
        ({"name": "cross-hard", "strength": 1}, "strength", "takes weight: this is one of soft-sharing"),
        ({"name": "cross-hard", "speed": 1}, "speed", "there is no such option; algorithm cross-hard takes weight"),
        ({"name": "cross-hard", "weight": "1"}, "weight", "a number from 0 to 100; got '1'"),
        ({"name": "cross-hard", "weight": True}, "weight", "a number from 0 to 100; got True"),
        ({"name": "cross-hard", "weight": float("nan")}, "weight", "a number from 0 to 100; got nan"),
        ({"name": "soft-sharing", "form": "l1"}, "form", "one of l2, orthogonal; got 'l1'"),
        ({"name": "serial", "order": ["a", "a"]}, "order", "each task is named once"),
        ({"name": "distil", "temperature": 0}, "temperature", "a number from 0.1 to 100; got 0"),
        ({"name": "distil", "share": 1.5}, "share", "a number from 0 to 1; got 1.5"),
        ({"name": "distil", "others": 1}, "others", "true or false; got 1"),
        ({"name": "distil", "weight": 1}, "weight", "takes temperature, share, others: this is one of cross-soft"),
        ({"name": "serial", "order": "a"}, "order", "a list of the names of all tasks"),
        ({"name": "task-attention", "over": "bands"}, "over", "one of step, channels; got 'bands'"),
        ({"name": "task-attention", "weight": 1}, "weight", "takes over: this is one of cross-soft"),
    ],
)
def test_what_is_wrong_is_named(given: object, where: str, why: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_algorithm(given)
    (fault,) = caught.value.faults
    assert fault.where == where
    assert why in fault.message


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_algorithm({"name": "soft-sharing", "form": 1, "strength": -1, "order": ["a"]})
    assert {fault.where for fault in caught.value.faults} == {"form", "strength", "order"}


def test_the_schema_has_every_algorithm() -> None:
    names, *objects = algorithm_schema()["anyOf"]
    assert [one["properties"]["name"]["const"] for one in objects] == list(ALGORITHMS)
    assert set(ALGORITHMS) - set(names["enum"]) == {"freeze", "serial", "adversarial"}


def test_recipes_of_other_algorithms_and_options_differ() -> None:
    algorithms: list[Algorithm] = [SOFT, Hard(), CrossSoft(), CrossSoft(1.0), Freeze(("a", "b")), Freeze(("b", "a"))]
    plain: list[Any] = [Schedule(1, 8, algorithm=one).to_plain() for one in algorithms]
    assert all(one != other for place, one in enumerate(plain) for other in plain[:place])


@given(planned=st.integers(1, 40), interval=st.integers(1, 40), phases=st.integers(1, 4))
def test_every_phase_is_evaluated_at_its_end_and_after_every_interval(planned: int, interval: int, phases: int) -> None:
    course = Course(planned, interval, phases)
    expected = sorted(
        {
            phase * planned + min(step, planned)
            for phase in range(phases)
            for step in range(interval, planned + interval, interval)
        }
    )
    assert course.evaluations(course.total) == expected
    assert [course.evaluations(step) for step in range(course.total + 1)] == [
        [one for one in expected if one <= step] for step in range(course.total + 1)
    ]

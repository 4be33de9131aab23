"""The order in which questions about pairs are asked: what may take longest goes first."""

import pytest

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.strategies.registry import strategy_of
from taskgraft.search.study.trial import Training
from tests.search.worlds import World, finished, make_spec


def ready(strategy: str, kept: dict[tuple[str, str], dict[int, bool]]) -> list[tuple[str, int]]:
    """What is asked next about the pairs of three tasks, given at which depths some of them keep the threshold."""
    spec = make_spec(3, strategy=strategy, depths=[4, 5, 6, 7, 8])
    cells = {(*pair, depth): 0.0 if keeps else 0.5 for pair, said in kept.items() for depth, keeps in said.items()}
    world, evidence = World(cells), Evidence(spec)
    trainings = [Training(evidence.baseline(task)) for task in spec.task_names]
    trainings += [Training(evidence.pair(*cell)) for cell in cells]
    for number, training in enumerate(trainings):
        evidence.add(finished(training, world.measure(training), number))
    questions = strategy_of(spec).open_questions(spec, evidence)
    return [("".join(training.tasks), training.shared) for training in questions.ready]


AB, AC, BC = ("a", "b"), ("a", "c"), ("b", "c")


@pytest.mark.parametrize(
    ("strategy", "kept", "asked"),
    [
        # at most 8, 5, 6, 7: whoever kept 5 may have two questions left, and one (4) who did not
        ("bisection", {AB: {8: False, 5: False}, AC: {8: False, 5: True}}, [("bc", 8), ("ac", 6), ("ab", 4)]),
        ("bisection", {AB: {8: False}, AC: {8: False, 5: True}, BC: {8: False}}, [("ab", 5), ("bc", 5), ("ac", 6)]),
        ("bisection", {AB: {8: True}, AC: {8: False, 5: True, 6: True}}, [("bc", 8), ("ac", 7)]),
        ("adaptive", {AB: {8: False, 7: False}, AC: {8: False}}, [("bc", 8), ("ac", 7), ("ab", 6)]),
        ("exhaustive", {AB: {8: True, 7: True, 6: True, 5: True}, AC: {8: True, 7: True, 6: True, 5: True, 4: True}},
         [("bc", 8), ("bc", 7), ("bc", 6), ("bc", 5), ("ab", 4), ("bc", 4)]),
    ],
)  # fmt: skip
def test_the_pair_that_may_need_most_questions_goes_first(
    strategy: str, kept: dict[tuple[str, str], dict[int, bool]], asked: list[tuple[str, int]]
) -> None:
    assert ready(strategy, kept) == asked

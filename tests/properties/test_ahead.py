"""Whole studies in made-up worlds, with and without training ahead: the same result, from the same trainings."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.running.ahead import TrainingsAhead
from taskgraft.search.strategies.ahead import is_open
from taskgraft.search.strategies.strategy import Ask, Settled, Spent, decide
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from tests.properties.test_strategy import OF_PAIRS, worlds
from tests.search.worlds import LENGTHS, World, finished, make_spec, simulate


class Study:
    """A study whose workers start, end and stop trainings in any order."""

    def __init__(self, spec: StudySpec, world: World, workers: int, train_ahead: int, order: random.Random) -> None:
        self.spec, self.world, self.workers, self.order = spec, world, workers, order
        self.evidence = Evidence(spec, (), LENGTHS)
        self.ahead = TrainingsAhead(spec, self.evidence, train_ahead)
        self.running: list[Training] = []
        self.kept: set[Training] = set()
        """Trainings that ended ahead."""
        self.unjudged: set[Training] = set()
        """Trainings that ended before their baselines."""
        self.opened = 0
        self.asked: list[Training] = []

    def run(self) -> Settled:
        while isinstance(decision := self.decide(), Ask):
            waiting = [training for training in decision.trainings if training not in self.running]
            if waiting and waiting[0] in self.kept:
                self.know(waiting[0])
            elif len(self.running) < self.workers and (due := self.due(waiting)):
                self.start_ahead(due)
            elif waiting and len(self.running) < self.workers:
                self.running.append(waiting[0])
            elif len(self.running) < self.workers and (best := self.ahead.best(self.running, 0.0)):
                self.start_ahead(best)
            else:
                self.go_on(len(waiting) if len(self.running) == self.workers else 0)
        return decision

    def due(self, waiting: Sequence[Training]) -> Training | None:
        shares = {training: self.order.random() for training in self.running}
        return self.ahead.due(waiting, shares, self.workers, 0.0)

    def start_ahead(self, training: Training) -> None:
        assert training not in self.asked
        assert training not in self.kept | self.unjudged
        if is_open(training, self.evidence):
            assert not (self.evidence.length and self.evidence.length.is_open)
            assert len(training.tasks) > 1
            self.opened += 1
        self.ahead.start(training)
        self.running.append(training)

    def decide(self) -> Ask | Settled:
        asked = frozenset(training for training in self.running if training not in self.ahead)
        decision = decide(self.spec, self.evidence, Spent(asked))
        self.ahead.notice_change(decision.trainings if isinstance(decision, Ask) else ())
        return decision

    def go_on(self, wanted: int) -> None:
        """Stop a training that is not worth it, or end one."""
        ahead = [training for training in self.running if training in self.ahead]
        stopped = next((one for one in ahead if not self.ahead.is_worth_it(one, wanted, 0.0)), None)
        if stopped:
            self.running.remove(stopped)
            self.ahead.stop(stopped)
            return
        training = self.running.pop(self.order.randrange(len(self.running)))
        if is_open(training, self.evidence):
            self.ahead.wait(training)
            self.unjudged.add(training)
        elif training in self.ahead:
            self.ahead.answer(training, self.world.measure(training))
            self.kept.add(training)
        else:
            self.know(training)

    def know(self, training: Training) -> None:
        self.asked.append(training)
        self.evidence.add(finished(training, self.world.measure(training), len(self.asked)))
        for ended in [one for one in self.unjudged if not is_open(one, self.evidence)]:
            self.unjudged.remove(ended)
            self.ahead.answer(ended, self.world.measure(ended))
            self.kept.add(ended)


@settings(max_examples=100, deadline=None)
@given(
    worlds(),
    st.sampled_from([*OF_PAIRS, "groups", "trees"]),
    st.integers(2, 5),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
@pytest.mark.slow(40)
def test_training_ahead_changes_neither_the_result_nor_what_is_asked_for(
    case: tuple[int, dict[str, Any], World], strategy: str, workers: int, train_ahead: int, order: random.Random
) -> None:
    tasks, more, world = case
    spec = make_spec(tasks, strategy=strategy if tasks > 1 else "adaptive", **more)
    alone, study = simulate(spec, world), Study(spec, world, workers, train_ahead, order)
    assert study.run() == alone.settled
    assert len(set(study.asked)) == len(study.asked)
    assert set(study.asked) >= set(alone.trainings)
    if strategy != "groups":  # the order of answers decides which groups are tried beside each other, ahead or not
        assert len(study.asked) == len(alone.trainings)


@settings(max_examples=30, deadline=None)
@given(
    worlds(largest=4, spread=0.01),
    st.sampled_from([{"repeats": 2}, {"decision": "confident"}, {"confirm": 2}, {"training": {"epochs": "auto"}}]),
    st.sampled_from(["adaptive", "groups", "trees"]),
    st.randoms(use_true_random=False),
)
@pytest.mark.slow(12)
def test_neither_do_repeats_intervals_confirmation_and_an_open_length(
    case: tuple[int, dict[str, Any], World], further: dict[str, Any], strategy: str, order: random.Random
) -> None:
    tasks, more, world = case
    spec = make_spec(tasks, strategy=strategy if tasks > 1 else "adaptive", **more, **further)
    study = Study(spec, world, 2, 1, order)
    assert study.run() == simulate(spec, world).settled


@settings(max_examples=10, deadline=None)
@given(worlds(largest=3, spread=0.01), st.randoms(use_true_random=False))
def test_a_study_that_repeats_by_its_noise_ends_as_well(
    case: tuple[int, dict[str, Any], World], order: random.Random
) -> None:
    """How many seeds it takes depends on the order of answers, with training ahead and without it."""
    tasks, more, world = case
    spec = make_spec(tasks, repeats="auto", **more)
    study = Study(spec, world, 2, 1, order)
    tree = study.run().tree
    assert not tree.is_shared or study.evidence.meets_threshold(tree)

"""Searches that make their tree smaller, driven to their end over made-up worlds as the driver of a study does it."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.pruned import earlier_rounds
from taskgraft.search.evidence.trunks import trunk_of
from taskgraft.search.running.agenda import SearchAgenda
from taskgraft.search.strategies.strategy import Ask, Settled, Spent
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage
from taskgraft.search.study.trial import Training, Trial, TrialState
from taskgraft.space.tasks import Task, TaskKind
from tests.search.worlds import LENGTHS, World


def tasks_of(spec: StudySpec, classes: int = 5) -> tuple[Task, ...]:
    return tuple(Task(name, TaskKind.CLIP, classes) for name in spec.task_names)


@dataclass
class Searched:
    """A study driven to its end, or to the limit of trainings that a test gave."""

    evidence: Evidence
    trials: list[Trial] = field(default_factory=list)
    settled: Settled | None = None
    counts: list[tuple[int, int, int]] = field(default_factory=list)
    """Of every decision: trainings that had ended, and those still to come, at least and at most."""

    @property
    def rounds(self) -> list[Training]:
        return [trial.training for trial in self.trials if trial.training.pruning]

    @property
    def searched(self) -> list[Training]:
        return [trial.training for trial in self.trials if not trial.training.pruning]


def search(
    spec: StudySpec,
    world: World,
    workers: int = 1,
    order: random.Random | None = None,
    known: Sequence[Trial] = (),
    fails: Callable[[Training], bool] = lambda training: False,
    limit: int = 10_000,
    measure: Callable[[Training], Measurement] | None = None,
    tasks: tuple[Task, ...] = (),
) -> Searched:
    """Drive a study; fails if anything is asked for twice, too early, or forgotten while it is under way."""
    agenda, order = SearchAgenda(spec, tasks or tasks_of(spec)), order or random.Random(0)
    found = Searched(Evidence(spec, known, LENGTHS), list(known))
    under_way: list[Training] = []
    while len(found.trials) < limit:
        decision = agenda.decide(found.evidence, Spent(frozenset(under_way)))
        if isinstance(decision, Ask):
            asked = [*decision.trunks, *decision.trainings]
            assert set(under_way) <= set(asked)
            assert len(set(asked)) == len(asked) <= decision.at_least
            left = agenda.left(found.evidence, decision)
            found.counts.append((found.evidence.facts.count, decision.at_least, left.at_most))
            assert all((decision.stage is Stage.COMPRESSION) is bool(one.pruning) for one in asked)
            new = next((one for one in decision.startable(spec) if one not in under_way), None)
            if new and len(under_way) < workers:
                check_is_ready(found, new)
                under_way.append(new)
                continue
        if not under_way:
            assert isinstance(decision, Settled), "nothing to do, and not settled"
            found.settled = decision
            return found
        done = under_way.pop(order.randrange(len(under_way)))
        number = len(found.trials)
        if fails(done):
            trial = Trial(number, done, done.repeat, TrialState.FAILED, error="the loss is nan")
        else:
            trial = Trial(number, done, done.repeat, TrialState.COMPLETE, (measure or world.measure)(done))
        found.trials.append(trial)
        found.evidence.add(trial)
    return found


def check_is_ready(found: Searched, new: Training) -> None:
    facts = found.evidence.facts
    assert new not in [trial.training for trial in found.trials], "asked for again"
    assert all(facts.of(before) for before in earlier_rounds(new)), "before the round that it goes on from"
    trunk = trunk_of(new, found.evidence.spec)
    assert trunk is None or facts.of(trunk)


def plain(spec: StudySpec) -> StudySpec:
    """Return the study that stops when its tree is found."""
    return StudySpec.parse({**spec.to_plain(), "compression": []})


def at_full_length(world: World) -> Callable[[Training], Measurement]:
    """Return what a world measures if no probe ends before its last step."""
    return lambda training: replace(world.measure(training), steps_left=0)

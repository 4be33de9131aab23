"""Comparisons over made-up worlds, driven to their end without training anything."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Any

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.comparison.beginning import check_request
from taskgraft.search.comparison.protocol import Known
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.running.agenda import ComparisonAgenda
from taskgraft.search.strategies.strategy import Ask, Settled, Spent
from taskgraft.search.study.comparison import Comparison, comparison_spec
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training, Trial, TrialState
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.tree import BranchTree, Node
from tests.search.worlds import World, make_spec

NESTED = BranchTree(
    Node(
        tuple("abcd"),
        (0, 6),
        (
            Node(("a", "b"), (6, 8), (Node(("a",), (8, 8)), Node(("b",), (8, 8)))),
            Node(("c", "d"), (6, 8), (Node(("c",), (8, 8)), Node(("d",), (8, 8)))),
        ),
    ),
    8,
)
"""The form of the source paper's tree: all share 6 blocks, two pairs share all."""
WEIGHTS = {("a", "b"): 8, ("c", "d"): 8, ("a", "c"): 8, ("b", "d"): 6, ("a", "d"): 8, ("b", "c"): 7}


def compared(tasks: int = 4, systems: Sequence[str] = ("all",), seeds: int = 1, **more: Any) -> Comparison:
    """A comparison of a study of four tasks whose tree is `NESTED`, or of fewer tasks that share everything."""
    tree = NESTED if tasks == 4 else BranchTree.flat("abcdefghi"[:tasks], 8, 8)
    known = tuple(Task(name, TaskKind.CLIP, 4) for name in "abcdefghi"[:tasks])
    found = {"tree": tree, "weights": WEIGHTS if tasks == 4 else {}, "groups": 2, "tasks": known, **more}
    return replace(check_request(make_spec(tasks), systems, seeds), **found)


@dataclass(frozen=True)
class ComparedWorld:
    """A world of `tests.search.worlds` in which joint trainings tell lookahead affinities, too."""

    world: World = field(default_factory=lambda: World(elsewhere=0.03))
    failing: frozenset[Training] = frozenset()

    def measure(self, training: Training) -> Measurement:
        drawn = random.Random(f"{self.world.seed} {training.key}")
        pairs = permutations(training.tasks, 2) if training.repeat == 0 else ()
        return replace(
            self.world.measure(training), affinities={}, lookaheads={pair: drawn.uniform(-0.2, 0.4) for pair in pairs}
        )

    def end(self, training: Training, number: int) -> Trial:
        if training in self.failing:
            return Trial(number, training, training.repeat, TrialState.FAILED, error="the loss is nan")
        return Trial(number, training, training.repeat, TrialState.COMPLETE, self.measure(training))


@dataclass(frozen=True)
class Driven:
    """A comparison driven to its end."""

    trials: list[Trial]
    known: Known


def drive(
    comparison: Comparison,
    spec: StudySpec,
    world: ComparedWorld = ComparedWorld(),  # a frozen value
    workers: int = 1,
    order: random.Random | None = None,
    before: Sequence[Trial] = (),
) -> Driven:
    """Train what is asked for with workers that finish in random order; fails if anything is asked for twice."""
    order, agenda = order or random.Random(0), ComparisonAgenda(comparison)
    spec = comparison_spec(spec, nuisance=comparison.nuisance)
    evidence, trials = Evidence(spec, before), list(before)
    under_way: list[Training] = []
    while True:
        decision = agenda.decide(evidence, Spent(frozenset(under_way)))
        if isinstance(decision, Ask):
            asked = [*decision.trunks, *decision.trainings]
            assert set(under_way) <= set(asked)
            assert len(set(asked)) == len(asked) <= decision.at_least
            left = agenda.left(evidence, decision)
            assert left.at_most >= decision.at_least
            new = next((one for one in decision.startable(spec) if one not in under_way), None)
            if new and len(under_way) < workers:
                assert new not in [trial.training for trial in trials], "asked for again"
                under_way.append(new)
                continue
        if not under_way:
            assert isinstance(decision, Settled), "nothing to do, and not settled"
            return Driven(trials, Known(comparison, evidence))
        done = under_way.pop(order.randrange(len(under_way)))
        trials.append(world.end(done, len(trials)))
        evidence.add(trials[-1])

"""What training ahead saves and wastes: simulated studies, by strategy, number of tasks and number of workers.

`python -m benchmarks.ahead` prints the table of docs/search.md. The worlds are those of `benchmarks.worlds`, with
affinities. A training takes as long as its multiply-accumulates say, times a lognormal error; a probe ends early as
often as measured ones do. The unit is the mean time of a baseline. What decides is the code of a study: `decide` and
`TrainingsAhead`; only the driver and its workers are simulated.
"""

import argparse
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from benchmarks.worlds import EFFORT, THRESHOLD, WORLDS, World, simulated_spec
from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.running.ahead import TrainingsAhead
from taskgraft.search.strategies.strategy import Ask, Settled, Spent, decide
from taskgraft.search.study.states import Stage
from taskgraft.search.study.trial import Training, Trial, TrialState
from taskgraft.space.tree import BranchTree

_STEPS = 100
_NOISE = 0.1
"""Standard deviation of the logarithm of what a training takes."""
_SHARES = ((0.4, 1.0), (1.0, 1.0))
"""A probe that breaks the threshold takes a share of its steps drawn from one of these, equally likely."""
_KEPT_SHARE = (0.45, 1.0)
"""The same if it keeps the threshold. On average both are what was measured at Q = 2 % (docs/stopping.md)."""
_COLUMNS = ("strategy", "tasks", "workers", "ahead", "wall time", "extra units", "all train", "cores at work")


@dataclass(slots=True)
class Usage:
    """The work of simulated workers, in units."""

    wall: float = 0.0
    search: float = 0.0
    """Up to where the questions end and the verification begins."""
    worked: float = 0.0
    """Of all workers, what was not needed included."""
    all_busy_in_search: float = 0.0
    trainings: int = 0
    ahead: int = 0
    """Trainings that were started ahead."""

    def add(self, other: "Usage") -> None:
        """Add another study."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True, slots=True)
class _Running:
    measured: Measurement
    start: float
    end: float


@dataclass
class Simulation:
    """A simulated study of a world on some workers."""

    world: World
    strategy: str
    workers: int
    train_ahead: int
    seed: int = 0
    usage: Usage = field(default_factory=Usage)

    def __post_init__(self) -> None:
        self._spec = simulated_spec(self.world.tasks, self.strategy)
        self._evidence = Evidence(self._spec)
        self._ahead = TrainingsAhead(self._spec, self._evidence, self.train_ahead)
        self._answers: dict[Training, Measurement] = {}
        self._running: dict[Training, _Running] = {}
        self._is_search = True

    def run(self) -> BranchTree:
        """Run the study; return its tree."""
        while isinstance(decision := self._decide(), Ask):
            self._is_search &= decision.stage is not Stage.VERIFICATION
            if not self._act(decision):
                self._wait()
        for training in list(self._running):
            self._stop(training)
        return decision.tree

    def _decide(self) -> Ask | Settled:
        asked = frozenset(training for training in self._running if training not in self._ahead)
        decision = decide(self._spec, self._evidence, Spent(asked))
        self._ahead.notice_change(decision.trainings if isinstance(decision, Ask) else ())
        return decision

    def _act(self, decision: Ask) -> bool:
        """Do one thing that needs no time, as the driver would; return whether there was one."""
        waiting = [training for training in decision.trainings if training not in self._running]
        if waiting and waiting[0] in self._answers:
            self._know(waiting[0], self._answers.pop(waiting[0]))
            return True
        is_free = len(self._running) < self.workers
        if waiting and is_free:
            self._start(waiting[0])
            return True
        wanted = 0 if is_free else len(waiting)
        for training in [one for one in self._running if one in self._ahead]:
            if not self._ahead.is_worth_it(training, wanted, 0.0):
                self._stop(training)
                return True
        if is_free and (best := self._ahead.best(self._running.keys(), 0.0)):
            self._ahead.start(best)
            self._start(best)
            self.usage.ahead += 1
            return True
        return False

    def _wait(self) -> None:
        """Let time pass until the next training ends."""
        training = min(self._running, key=lambda one: self._running[one].end)
        passed = self._running[training].end - self.usage.wall
        self.usage.wall += passed
        self.usage.search += passed * self._is_search
        self.usage.all_busy_in_search += passed * (self._is_search and len(self._running) == self.workers)
        ended = self._running.pop(training)
        self.usage.worked += ended.end - ended.start
        if training in self._ahead:
            self._ahead.answer(training, ended.measured)
            self._answers[training] = ended.measured
        else:
            self._know(training, ended.measured)

    def _know(self, training: Training, measured: Measurement) -> None:
        self._evidence.add(Trial(self.usage.trainings, training, 0, TrialState.COMPLETE, measured))
        self.usage.trainings += 1

    def _start(self, training: Training) -> None:
        measured = self._measure(training)
        known = self._evidence.facts.known.get(replace(training, is_probe=True))
        steps = measured.steps - (known.steps if known and not training.is_probe else 0)
        chance = random.Random(f"{self.seed} {training.key}")
        units = EFFORT.units(training.tree.root) * steps / _STEPS * math.exp(chance.gauss(0, _NOISE))
        self._running[training] = _Running(measured, self.usage.wall, self.usage.wall + units)

    def _stop(self, training: Training) -> None:
        self.usage.worked += self.usage.wall - self._running.pop(training).start
        self._ahead.stop(training)

    def _measure(self, training: Training) -> Measurement:
        measured, share = self.world.measure(training), 1.0
        if training.is_probe:
            chance = random.Random(f"{self.seed} {training.tree}")
            share = chance.uniform(*(chance.choice(_SHARES) if self._is_harmed(measured) else _KEPT_SHARE))
        steps = max(1, round(_STEPS * share))
        return replace(measured, steps=steps, steps_left=_STEPS - steps)

    def _is_harmed(self, measured: Measurement) -> bool:
        references = self._evidence.references(list(measured.metrics))
        return any(value < (1 - THRESHOLD) * references[task] for task, value in measured.metrics.items())


def used(strategy: str, tasks: int, workers: int, train_ahead: int, seeds: int) -> Usage:
    """Return what studies of all worlds take together."""
    usage = Usage()
    for make, seed in product(WORLDS.values(), range(seeds)):
        study = Simulation(replace(make(tasks), with_affinities=True), strategy, workers, train_ahead, seed)
        study.run()
        usage.add(study.usage)
    return usage


def rows(strategy: str, tasks: int, workers: Sequence[int], seeds: int) -> Iterator[str]:
    """Yield the rows of the table: none ahead, one, and as many as there are other workers."""
    alone = used(strategy, tasks, 1, 0, seeds)
    for count in workers:
        limits = sorted({0, min(1, count - 1), count - 1})
        usages = [used(strategy, tasks, count, limit, seeds) for limit in limits]
        figures = (
            [f"{usage.wall / alone.wall:.2f}" for usage in usages],
            [f"{round(usage.worked / alone.worked - 1, 4) + 0.0:+.1%}" for usage in usages],
            [f"{usage.all_busy_in_search / usage.search:.0%}" for usage in usages],
            [f"{usage.worked / usage.wall / count:.0%}" for usage in usages],
        )
        cells = [", ".join(by_limit) for by_limit in ([str(limit) for limit in limits], *figures)]
        yield f"| {strategy} | {tasks} | {count} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ahead", description=__doc__)
    parser.add_argument("--strategies", nargs="+", default=["groups", "trees", "bisection", "adaptive"])
    parser.add_argument("--tasks", nargs="+", type=int, default=[5, 10])
    parser.add_argument("--workers", nargs="+", type=int, default=[2, 4, 8, 16])
    parser.add_argument("--seeds", type=int, default=4, help="studies of each world (default %(default)s)")
    options = parser.parse_args()
    print(f"| {' | '.join(_COLUMNS)} |")
    print("| --- " * len(_COLUMNS) + "|")
    for strategy, tasks in product(options.strategies, options.tasks):
        for row in rows(strategy, tasks, options.workers, options.seeds):
            print(row, flush=True)


if __name__ == "__main__":
    main()

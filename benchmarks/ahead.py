"""What training ahead saves and wastes: simulated studies, by strategy, number of tasks and number of workers.

`python -m benchmarks.ahead` prints the table of docs/search.md. The worlds are those of `benchmarks.worlds`, with
affinities. A training takes as long as its multiply-accumulates say, times a lognormal error; a probe ends early as
often as measured ones do. "At most" is the share of the search in which both of two workers could train if all answers
were known beforehand and nothing was trained in vain: the last training may have to go on alone. The unit is the mean
time of a baseline. What decides is the code of a study: `decide` and `TrainingsAhead`; only the driver and its workers
are simulated.
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
from taskgraft.search.strategies.ahead import is_open
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
_COLUMNS = (
    "strategy",
    "tasks",
    "workers",
    "ahead",
    "wall time",
    "extra units",
    "all train",
    "cores at work",
    "at most",
)


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
    open: int = 0
    """Of them, those that began before their baselines had ended."""
    asked: list[float] = field(default_factory=list)
    """What each training of the search took that was asked for."""
    best: float = 0.0
    """How long two workers take at least for those, if all answers are known beforehand and nothing is in vain."""

    def add(self, other: "Usage") -> None:
        """Add another study."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def best_share(self) -> float:
        """The share of the search in which both of two workers train at most, without a training in vain."""
        return sum(self.asked) / self.best - 1


@dataclass(slots=True)
class _Running:
    start: float
    end: float
    measured: Measurement | None
    """None as long as the references are not known."""


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
        self._unjudged: set[Training] = set()
        self._steps: dict[Training, int] = {}
        """Steps of probes that are not taken again."""
        self._is_search = True

    def run(self) -> BranchTree:
        """Run the study; return its tree."""
        while isinstance(decision := self._decide(), Ask):
            self._is_search &= decision.stage is not Stage.VERIFICATION
            if not self._act(decision):
                self._wait()
        for training in list(self._running):
            self._stop(training)
        self.usage.best = least_span(self.usage.asked)
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
        if is_free and (due := self._due(decision, waiting)):
            self._start_ahead(due)
            return True
        if waiting and is_free:
            self._start(waiting[0])
            return True
        wanted = 0 if is_free else len(waiting)
        for training in [one for one in self._running if one in self._ahead]:
            if not self._ahead.is_worth_it(training, wanted, 0.0):
                self._stop(training)
                return True
        if is_free and (best := self._ahead.best(self._running.keys(), 0.0)):
            self._start_ahead(best)
            return True
        return False

    def _due(self, decision: Ask, waiting: Sequence[Training]) -> Training | None:
        if decision.stage is not Stage.BASELINES:
            return None
        shares = {
            training: (self.usage.wall - one.start) / (one.end - one.start) for training, one in self._running.items()
        }
        return self._ahead.due(waiting, shares, self.workers, 0.0)

    def _start_ahead(self, training: Training) -> None:
        self._ahead.start(training)
        self._start(training)
        self.usage.ahead += 1
        self.usage.open += is_open(training, self._evidence)

    def _wait(self) -> None:
        """Let time pass until the next training ends."""
        training = min(self._running, key=lambda one: self._running[one].end)
        passed = self._running[training].end - self.usage.wall
        self.usage.wall += passed
        self.usage.search += passed * self._is_search
        self.usage.all_busy_in_search += passed * (self._is_search and len(self._running) == self.workers)
        ended = self._running.pop(training)
        self.usage.worked += ended.end - ended.start
        if ended.measured is None:
            self._ahead.wait(training)
            self._unjudged.add(training)
        elif training in self._ahead:
            self._answer(training, ended.measured)
        else:
            self._know(training, ended.measured)

    def _answer(self, training: Training, measured: Measurement) -> None:
        self._ahead.answer(training, measured)
        self._answers[training] = measured

    def _know(self, training: Training, measured: Measurement) -> None:
        self._evidence.add(Trial(self.usage.trainings, training, 0, TrialState.COMPLETE, measured))
        self.usage.trainings += 1
        if self._is_search:
            self.usage.asked.append(self._units(training) * measured.steps / _STEPS)
        if len(training.tasks) == 1:
            self._judge()

    def _judge(self) -> None:
        """Find out what open trainings measure, and when they end, if their baselines are known by now."""
        for training in [one for one in self._unjudged if not is_open(one, self._evidence)]:
            self._unjudged.remove(training)
            self._answer(training, self._measure(training))
        for training, running in self._running.items():
            if running.measured is None and not is_open(training, self._evidence):
                running.measured = self._measure(training)
                units = self._units(training) * running.measured.steps / _STEPS
                running.end = max(self.usage.wall, running.start + units)
                taken = round((running.end - running.start) / self._units(training) * _STEPS)
                self._steps[training] = max(running.measured.steps, taken)

    def _start(self, training: Training) -> None:
        measured = None if is_open(training, self._evidence) else self._measure(training)
        probe = replace(training, is_probe=True)
        known = self._evidence.facts.known.get(probe)
        before = self._steps.get(probe, known.steps) if known and not training.is_probe else 0
        steps = (measured.steps if measured else _STEPS) - before
        units = self._units(training) * steps / _STEPS
        self._running[training] = _Running(self.usage.wall, self.usage.wall + units, measured)

    def _units(self, training: Training) -> float:
        """Return what all steps of a training take."""
        chance = random.Random(f"{self.seed} {training.key}")
        return EFFORT.units(training.tree.root) * math.exp(chance.gauss(0, _NOISE))

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


def least_span(units: Sequence[float]) -> float:
    """Return how long two workers take for trainings of so many units at least, in any order: to a thousandth."""
    whole = [round(1000 * one) for one in units]
    sums = 1  # bit s is set if some of the trainings take s together
    for one in whole:
        sums |= sums << one
    half = sum(whole) // 2
    return (sum(whole) - (sums & ((1 << (half + 1)) - 1)).bit_length() + 1) / 1000


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
        cells.append(f"{alone.best_share:.0%}" if count == 2 else "")
        yield f"| {strategy} | {tasks} | {count} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ahead", description=__doc__)
    parser.add_argument("--strategies", nargs="+", default=["groups", "trees", "bisection", "adaptive", "exhaustive"])
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

"""Studies in made-up worlds whose trainings take time: what was said about the rest at every moment, and the truth."""

import heapq
import math
import random
from dataclasses import dataclass, replace

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.running.ahead import TrainingsAhead
from taskgraft.search.running.pace import Pace, seconds_left
from taskgraft.search.strategies.remaining import trainings_left
from taskgraft.search.strategies.strategy import Ask, Spent, decide
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from tests.search.worlds import LENGTHS, World, finished


@dataclass(frozen=True)
class Clock:
    """How long trainings take: seconds of one task, more for each further one and where less is shared, and noise.

    With ``has_phases``, tasks are trained one after the other, each for as long as one alone.
    """

    seconds: float = 10.0
    per_task: float = 0.35
    unshared: float = 0.4
    noise: float = 0.1
    export: tuple[float, float] = (3.0, 15.0)
    has_phases: bool = False

    def timed(self, training: Training, measured: Measurement, chance: random.Random) -> Measurement:
        """The measurement with the steps and the seconds that it took."""
        tasks = len(training.tasks)
        per_task = 1.0 if self.has_phases else self.per_task
        full = self.seconds * (1 + per_task * (tasks - 1)) * (training.epochs or LENGTHS[0]) / LENGTHS[0]
        is_slower = tasks > 1 and not self.has_phases
        full *= 1 + (self.unshared * (1 - training.shared / training.tree.depth) if is_slower else 0)
        full *= math.exp(chance.gauss(0, self.noise))
        if not training.is_probe:
            share = 1.0
        elif measured.is_censored:
            share = chance.uniform(0.2, 0.9)
        else:
            share = chance.choice([1.0, chance.uniform(0.4, 1.0)])
        steps = max(1, round(100 * share))
        return replace(measured, steps=steps, steps_left=100 - steps, seconds=full * steps / 100)


@dataclass(frozen=True)
class Said:
    """What was said at one moment of a study, and what was true."""

    trials: tuple[int, int]
    true_trials: int
    seconds: tuple[float, float]
    true_seconds: float
    passed: float
    """Which part of the study's time had passed, 0..1."""

    @property
    def holds(self) -> bool:
        return self.seconds[0] <= self.true_seconds <= self.seconds[1]


def watch(spec: StudySpec, world: World, clock: Clock, workers: int, seed: int, train_ahead: int = 0) -> list[Said]:
    """Run a study on ``workers`` workers; what was said whenever a training started or ended."""
    chance = random.Random(seed)
    evidence, now, count = Evidence(spec, lengths=LENGTHS), 0.0, 0
    ahead, kept = TrainingsAhead(spec, evidence, train_ahead), dict[Training, Measurement]()
    running: list[tuple[float, int, float, Training, Measurement]] = []
    heard: list[tuple[float, int, tuple[int, int], tuple[float, float]]] = []
    known: list[Measurement] = []
    while True:
        under_way = {training for *_, training, _ in running}
        decision = decide(spec, evidence, Spent(frozenset(one for one in under_way if one not in ahead), now))
        if not isinstance(decision, Ask):
            break
        ahead.notice_change(decision.trainings)
        waiting = [training for training in decision.trainings if training not in under_way]
        new, is_free = next(iter(waiting), None), len(running) < workers
        wanted = 0 if is_free else len(waiting)
        if new in kept:
            evidence.add(finished(new, kept[new], len(known)))
            known.append(kept[new])
            continue
        if useless := {one for one in under_way if one in ahead and not ahead.is_worth_it(one, wanted, now)}:
            running = [one for one in running if one[3] not in useless]
            heapq.heapify(running)
            for training in useless:
                ahead.stop(training)
            continue
        if is_free and not new and (new := ahead.best(under_way, now)):
            ahead.start(new)
        if new and is_free:
            measured = clock.timed(new, world.measure(new), chance)
            count += 1
            heapq.heappush(running, (now + measured.seconds, count, now, new, measured))
            continue
        if pace := Pace.of(evidence.facts.measurements, evidence.stretches, has_phases=clock.has_phases):
            left = trainings_left(spec, evidence, decision)
            shares = [(now - start) / measured.seconds * measured.steps / 100 for _, _, start, _, measured in running]
            said = seconds_left(left, pace, len(spec.tasks), workers, [*shares, *[1.0] * ahead.ended])
            heard.append((now, len(known), (decision.at_least, left.at_most), said))
        now, _, _, training, measured = heapq.heappop(running)
        if training in ahead:
            ahead.answer(training, measured)
            kept[training] = measured
            continue
        evidence.add(finished(training, measured, len(known)))
        known.append(measured)
    end = now + chance.uniform(*clock.export)
    return [Said(trials, len(known) - done, seconds, end - at, at / end) for at, done, trials, seconds in heard]

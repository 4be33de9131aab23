"""Made-up worlds in which trainings have curves, so that the real stopping rule ends them where it would."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from hypothesis import strategies as st

from taskgraft.evaluators.measurement import Checkpoint, Measurement, mean_affinities
from taskgraft.evaluators.metrics import reductions
from taskgraft.evaluators.open_training import Look, Undominated
from taskgraft.evaluators.replay import replay
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.running.jobs import Job, job_for
from taskgraft.search.strategies.strategy import Ask, Settled, Spent, decide
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training, Trial, TrialState
from tests.search.worlds import BASELINE, outcomes

CLIPS = 2000
STEPS = 80
POINTS = 8


@dataclass(frozen=True)
class CurveWorld:
    """Every model learns along a curve of its own; ``cells`` say what pairs lose at its end, as in `World`."""

    cells: Mapping[tuple[str, str, int], float] = field(default_factory=dict)
    seed: int = 0
    worst_tree: float = 0.04

    def whole(self, job: Job) -> Measurement:
        """What the training measures if nothing stops it."""
        tasks = job.training.tasks
        chance = random.Random(f"{self.seed} {job.training.tree} {job.seed}")
        lost = self._lost(job, chance)
        curve: list[dict[str, float]] = [{"step": STEPS * (place + 1) // POINTS} for place in range(POINTS)]
        for task in tasks:
            lag = chance.uniform(0.0, 0.3)
            for place, point in enumerate(curve):
                level = BASELINE * (1 - lost[task]) * (1 - lag * (1 - (place + 1) / POINTS) ** 2)
                point[task] = round((level + chance.uniform(-0.004, 0.004)) * CLIPS) / CLIPS
        best, earlier = self._records(job, curve)
        pairs = combinations(tasks, 2) if job.with_affinities else ()
        cosines = {pair: tuple(chance.uniform(-1, 1) for _ in range(2 * POINTS)) for pair in pairs}
        return Measurement(
            best.metrics,
            best.outcomes,
            STEPS,
            best.step,
            8.0,
            "nowhere:1",
            tuple(curve),
            weights=self._weights(job, best.step),
            affinities=mean_affinities(cosines),
            cosines=cosines,
            earlier=earlier if job.references else (),
        )

    def train(self, job: Job) -> Measurement:
        """What the training measures under its stopping rule."""
        measured = replay(self.whole(job), job.references, job.stopping)
        assert measured
        return replace(measured, weights=self._weights(job, measured.best_step))

    def looks(self, job: Job) -> Iterator[Look]:
        """What the evaluations of the training find if its references are not known."""
        whole, undominated = self.whole(job), Undominated()
        for place, point in enumerate(whole.curve, 1):
            step = int(point["step"])
            metrics = {task: point[task] for task in job.training.tasks}
            yield Look(
                step,
                STEPS,
                metrics,
                {task: outcomes(value, CLIPS, step) for task, value in metrics.items()},
                whole.seconds * step / STEPS,
                self._weights(job, step) if undominated.admit(metrics) else None,
                {pair: seen[: 2 * place] for pair, seen in whole.cosines.items()},
                worker=whole.worker,
            )

    @staticmethod
    def _weights(job: Job, step: int) -> bytes:
        return f"{job.training.tree} {job.seed} {step}".encode()

    def _lost(self, job: Job, chance: random.Random) -> dict[str, float]:
        tree = job.training.tree
        if len(tree.tasks) == 1:
            return {tree.tasks[0]: 0.0}
        if len(tree.tasks) == 2:
            return {tree.tasks[0]: self.cells.get((*tree.tasks, tree.root.blocks[1]), 0.3), tree.tasks[1]: -0.05}
        return {task: chance.uniform(-0.01, self.worst_tree) for task in tree.tasks}

    def _records(self, job: Job, curve: list[dict[str, float]]) -> tuple[Checkpoint, tuple[Checkpoint, ...]]:
        records: list[tuple[float, Checkpoint]] = []
        for point in curve:
            metrics = {task: point[task] for task in job.training.tasks}
            score = -max(reductions(job.references, metrics).values()) if job.references else sum(metrics.values())
            if not records or score > records[-1][0]:
                said = {task: outcomes(value, CLIPS, int(point["step"])) for task, value in metrics.items()}
                records.append((score, Checkpoint(int(point["step"]), metrics, said)))
        *earlier, (_, best) = records
        return best, tuple(checkpoint for _, checkpoint in earlier)


@dataclass
class Driven:
    """A study driven to its end: its trials, and its trainings by what decides their results."""

    settled: Settled
    trials: list[Trial] = field(default_factory=list)
    trained: dict[str, list[Measurement]] = field(default_factory=dict)
    newly_trained: list[Training] = field(default_factory=list)


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
            run.newly_trained.append(job.training)
        measured = taken or run.trained[identity(job)][-1]
        assert measured is not None
        run.trials.append(Trial(len(run.trials), job.training, job.seed, TrialState.COMPLETE, measured))
        evidence.add(run.trials[-1])
    run.settled = decision
    return run


def count(run: Driven) -> int:
    return sum(map(len, run.trained.values()))


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Any], CurveWorld]:
    tasks = draw(st.integers(1, 4))
    depths = draw(st.sampled_from([(4, 5, 6, 7, 8), (8, 4), (6,)]))
    lost = st.sampled_from([-0.02, 0.0, 0.008, 0.018, 0.022, 0.045, 0.06, 0.25])
    cells = {(*pair, depth): draw(lost) for pair in combinations("abcd"[:tasks], 2) for depth in depths}
    strategy = draw(st.sampled_from(["adaptive", "bisection", "groups", "exhaustive"]))
    world = CurveWorld(cells, draw(st.integers(0, 999)), draw(st.sampled_from([0.0, 0.03, 0.08])))
    return {"tasks": tasks, "depths": depths, "strategy": strategy, "confirm": draw(st.sampled_from([0, 2]))}, world

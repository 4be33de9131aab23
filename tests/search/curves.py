"""Made-up worlds in which trainings have curves, so that the real stopping rule ends them where it would."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations

from taskgraft.evaluators.measurement import Checkpoint, Measurement
from taskgraft.evaluators.metrics import reductions
from taskgraft.evaluators.replay import replay
from taskgraft.search.jobs import Job
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
        return Measurement(
            best.metrics,
            best.outcomes,
            STEPS,
            best.step,
            8.0,
            "nowhere:1",
            tuple(curve),
            weights=self._weights(job, best.step),
            affinities={pair: chance.uniform(-1, 1) for pair in pairs},
            earlier=earlier if job.references else (),
        )

    def train(self, job: Job) -> Measurement:
        """What the training measures under its stopping rule."""
        whole = self.whole(job)
        measured = replay(replace(whole, affinities={}), job.references, job.stopping) or whole
        weights = self._weights(job, measured.best_step)
        return replace(measured, affinities=whole.affinities, weights=weights)

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

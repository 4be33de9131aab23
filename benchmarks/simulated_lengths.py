"""Baselines whose true gain from longer training, and true noise of seeds, are known: how often is the length right?

``python -m benchmarks.simulated_lengths`` prints the table of docs/training_length.md.

Every validation clip has a difficulty of its own, so that trainings differ on hard clips by chance (churn). A seed
moves the accuracy of its training by a normal draw; then single answers are turned, as many as that takes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.measurement import Outcomes
from taskgraft.search.statistics.repeats import Repeats
from taskgraft.search.statistics.training_length import Gain, SeedSpreads, is_doubling_worth

_STUDIES = 500
_Q = 0.02


class Cause(StrEnum):
    """Why a length is taken to be too short, or that it is not."""

    GAIN = "gain"
    SEEDS = "seeds"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Baselines:
    """The truth about the baselines of a study at one length: all tasks are alike."""

    clips: int
    tasks: int = 4
    accuracy: float = 0.9
    """After twice the length."""
    gain: float = 0.0
    """Of twice the length, as a share of the accuracy that it comes to."""
    excess: float = 0.0
    """Standard deviation that seeds add to the churn, as a share of the accuracy."""
    churn: float = 0.087
    """Share of the clips on which two trainings differ by chance."""

    def _difficulties(self, random: np.random.Generator) -> NDArray[np.float64]:
        """Draw how likely each clip is answered right [c]: a beta distribution with the accuracy and the churn."""
        mean, share = self.accuracy, self.churn / (2 * self.accuracy * (1 - self.accuracy))
        concentration = share / max(1 - share, 1e-6)
        return random.beta(mean * concentration, (1 - mean) * concentration, self.clips)

    def _train(self, difficulties: NDArray[np.float64], gained: float, random: np.random.Generator) -> Outcomes:
        right = random.random(self.clips) < difficulties
        shift = self.accuracy * (random.normal(0, self.excess) if self.excess else 0.0) - self.accuracy * gained
        share = -shift / self.accuracy if shift < 0 else shift / (1 - self.accuracy)
        turned = (right if shift < 0 else ~right) & (random.random(self.clips) < share)
        clips = np.arange(self.clips, dtype=np.int32)
        return Outcomes.of_classes(clips, np.zeros_like(clips), (right == turned).astype(np.int32), np.ones_like(clips))

    def cause(self, worth: float, random: np.random.Generator) -> Cause:
        """Draw the baselines of a study, and judge their length by them as a study does."""
        clips = [self._difficulties(random) for _ in range(self.tasks)]
        first = [self._train(one, self.gain, random) for one in clips]
        gains = [
            Gain.of(_summary(once), _summary(self._train(one, 0.0, random)))
            for one, once in zip(clips, first, strict=True)
        ]
        if is_doubling_worth(gains, worth):
            return Cause.GAIN
        repeats = {
            str(place): _summary(once, self._train(one, self.gain, random))
            for place, (one, once) in enumerate(zip(clips, first, strict=True))
        }
        return Cause.SEEDS if SeedSpreads.of(repeats).exceed(worth) else Cause.NONE


def _summary(*repeats: Outcomes) -> Repeats:
    return Repeats.of("accuracy", repeats)


def causes(truth: Baselines, worth: float, studies: int, seed: int = 0) -> Counter[Cause]:
    """Count why simulated studies train longer."""
    random = np.random.default_rng(seed)
    return Counter(truth.cause(worth, random) for _ in range(studies))


def _rows() -> Sequence[tuple[str, dict[str, float]]]:
    return (
        ("long enough", {}),
        ("gain Q / 2", {"gain": _Q / 2}),
        ("gain Q", {"gain": _Q}),
        ("gain 2 Q", {"gain": 2 * _Q}),
        ("excess Q / 2", {"excess": _Q / 2}),
        ("excess Q", {"excess": _Q}),
        ("excess 2 Q", {"excess": 2 * _Q}),
    )


def main() -> None:
    """Print the shares of simulated studies that train longer, and why."""
    settings = [(150, 2), (150, 6), (400, 4), (1500, 4)]
    print(f"| Q = {_Q:.0%} | " + " | ".join(f"{clips} clips, {tasks} tasks" for clips, tasks in settings) + " |")
    print("| --- " * (len(settings) + 1) + "|")
    for name, truth in _rows():
        cells = []
        for clips, tasks in settings:
            found = causes(Baselines(clips, tasks, **truth), _Q / 2, _STUDIES)
            shares = (100 * found[cause] / _STUDIES for cause in (Cause.GAIN, Cause.SEEDS))
            cells.append("{:.0f} + {:.0f} %".format(*shares))
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

"""What the repeats of one training say about one task, and how much of it is noise. Plain numpy.

Notation: ``n`` repeats (seeds), ``c`` clips. Equations are those of docs/statistics.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.metrics import METRICS

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Repeats:
    """A task's metric over the repeats of one training, with everything that its noise is told from.

    Variances are of the metric of one repeat, squared. ``between`` and ``within`` are 0 for one repeat.
    """

    count: int
    """Repeats n."""
    mean: float
    """The metric, mean over repeats."""
    clips: NDArray[np.int32]
    """The clips that were asked [c], ascending."""
    influence: Floats
    """How far each clip moves the metric [c], mean over repeats (eq. 2)."""
    reach: float
    """The largest influence of any clip in any repeat; 1 where no clip has any."""
    between: float
    """Variance of the metric between repeats (eq. 3)."""
    within: float
    """The part of ``between`` that comes from clips on which repeats differ by chance (eq. 4)."""
    sampling: float
    """Variance of the metric from the choice of clips (eq. 5); never below what clips that were not seen may have."""
    is_share: bool = True
    """Whether the metric is as noisy as a share of right answers is."""
    higher_is_better: bool = True

    @classmethod
    def of(cls, metric: str, repeats: Sequence[Outcomes]) -> "Repeats":
        """Summarize outcomes of the same clips, one entry a repeat.

        Raises:
            InvalidInput: no repeat, repeats on different clips, or fewer than two clips.
        """
        clips, measure = _common_clips(repeats), METRICS[metric]
        size = max(measure.size(measure.table(outcomes)) for outcomes in repeats)
        measured = [measure.influences(measure.by_clip(outcomes, clips, size)) for outcomes in repeats]
        values = np.array([value for value, _ in measured])
        by_repeat = np.stack([influence for _, influence in measured])  # [n, c]
        count, pairs = len(repeats), len(clips) * (len(clips) - 1)
        reach = float(np.abs(by_repeat).max()) or 1.0
        # A metric moves in steps: Sheppard's correction.
        rounding = measure.rounding(float(measure.table(repeats[0]).counts.sum()), reach)
        return cls(
            count=count,
            mean=float(values.mean()),
            clips=clips,
            influence=by_repeat.mean(axis=0),
            reach=reach,
            between=max(float(values.var(ddof=1)), rounding) if count > 1 else 0.0,
            within=float(by_repeat.var(axis=0, ddof=1).sum()) / pairs if count > 1 else 0.0,
            sampling=max(float((by_repeat**2).sum()) / (count * pairs), unseen(reach, len(clips))),
            is_share=measure.is_share,
            higher_is_better=measure.higher_is_better,
        )

    @property
    def binomial(self) -> float:
        """Variance of one answer, never 0 (eq. 6).

        Of a share it is p (1 - p), p drawn towards 1/2 as by Agresti and Coull (1998); else it is that of a clip.
        """
        if not self.is_share:
            return self.sampling * len(self.clips)
        share = (self.mean * len(self.clips) + 2) / (len(self.clips) + 4)
        return share * (1 - share)

    @property
    def reference(self) -> float:
        """The mean, as something to divide by: at least what half a clip may move it by."""
        return max(self.mean, 0.5 * (1.0 if self.is_share else self.reach) / len(self.clips))

    def reduction(self, value: float) -> float:
        """Return the signed reduction of a value against the mean of these repeats; 0 if that is not above 0."""
        if self.mean <= 0:
            return 0.0
        lost = self.mean - value if self.higher_is_better else value - self.mean
        return lost / self.reference


def unseen(reach: float, clips: int) -> float:
    """Return the variance of two more clips, one right and one wrong, that the split happens not to hold (eq. 11)."""
    return 2 * (reach / (clips + 2)) ** 2


def _common_clips(repeats: Sequence[Outcomes]) -> NDArray[np.int32]:
    held = [outcomes.clips for outcomes in repeats]
    if not held or any(not np.array_equal(held[0], other) for other in held[1:]):
        raise InvalidInput.at("repeats", "one repeat or more, all measured on the same clips")
    if len(held[0]) < 2:
        raise InvalidInput.at("repeats", f"noise is told from two clips or more; got {len(held[0])}")
    return held[0]

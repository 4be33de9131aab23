"""What a test split can decide: the smallest threshold that a model without any loss is likely to be verified for.

Pure functions on plain values. Equations, where the guesses come from, and how the real power compares:
docs/statistics.md.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.special import ndtri

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.metrics import METRICS, Metric
from taskgraft.search.evidence.verdict import ERROR, percent_up
from taskgraft.search.statistics.repeats import Repeats

GUESSED_BASELINE = 0.90
"""Metric that a baseline is taken to reach until it was trained."""
POWER = 0.8
"""How often a model that loses nothing shall be verified at the smallest threshold."""
_GUESSED_SHARE, _GUESSED_POWER = 0.62, 0.854
"""Through both measured points: baselines of 98 % differ on 2.2 % of the clips, those of 90 % on 8.7 % (eq. 22)."""
_GROUP_CORRELATION = 0.05
"""Guess of how alike the errors on two clips of one group are."""
_MOST_CLIPS = 10**12


@dataclass(frozen=True, slots=True)
class TestSize:
    """The test split of one task: labelled clips, and the groups that they fall into (None: every clip by itself)."""

    __test__ = False  # pytest would take the name for a test

    clips: int
    groups: int | None = None

    @property
    def design_effect(self) -> float:
        """How many times as many clips are needed as if all were independent (Kish 1965), by a guessed correlation."""
        if not self.groups:
            return 1.0
        return 1 + (self.clips / self.groups - 1) * _GROUP_CORRELATION


@dataclass(frozen=True, slots=True)
class Resolution:
    """What the test split of one task can decide, and what follows for the study's threshold.

    ``q_min`` is the smallest threshold Q at which a model that loses nothing is verified with a probability of 80 %;
    ``clips_needed`` are the test clips that are enough for the study's own Q, None when no number is.
    ``baseline`` and ``disagreement`` are what it follows from; they are guesses until they are ``measured``.
    """

    task: str
    q_min: float
    test_clips: int
    test_groups: int | None
    clips_needed: int | None
    baseline: float
    disagreement: float
    measured: bool
    metric: str = "accuracy"

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    @property
    def _baseline(self) -> str:
        return METRICS[self.metric].shown(self.baseline)

    @property
    def _apart(self) -> str:
        if METRICS[self.metric].is_share:
            return f"on {100 * self.disagreement:.1f} % of the clips"
        return f"by {math.sqrt(self.disagreement):.3g} on a clip"

    def warning(self, threshold: float) -> str | None:
        """Say that the threshold is smaller than what can be decided, and what would be enough; None when it is not."""
        if self.q_min <= threshold:
            return None
        basis = "measured on validation" if self.measured else "a guess until baselines are trained"
        clips = f"{self.test_clips:,} test clips" + (f" in {self.test_groups:,} groups" if self.test_groups else "")
        needed = "no number of clips" if self.clips_needed is None else f"about {self.clips_needed:,} clips"
        return (
            f"{self.task}: {clips} are too few to verify a threshold of {100 * threshold:.2f} %; they can decide from "
            f"{percent_up(self.q_min)} on, and {needed} would do ({self.metric} {self._baseline}, two trainings "
            f"differ {self._apart}: {basis})"
        )


def resolve(
    task: str,
    size: TestSize,
    tasks: int,
    threshold: float,
    baseline: float | None = None,
    disagreement: float | None = None,
    metric: str = "accuracy",
) -> Resolution:
    """Return what a task's test split can decide in a study of so many tasks; guess what is not known yet.

    Of a metric that is no share, all is taken relative to the baseline, which is 1 then; and until something is
    measured, the noise is that of a share of 90 %.
    """
    known, differing = _basis(METRICS[metric], baseline, disagreement)
    level, spread = known, differing * size.design_effect
    if not METRICS[metric].is_share:
        level, spread = 1.0, spread / known**2
    return Resolution(
        task,
        smallest_threshold(size.clips, level, spread, tasks),
        size.clips,
        size.groups,
        clips_needed(threshold, level, spread, tasks),
        known,
        differing,
        disagreement is not None,
        metric,
    )


def _basis(metric: Metric, baseline: float | None, disagreement: float | None) -> tuple[float, float]:
    """Return baseline and disagreement, guessed as far as they are not known."""
    known = GUESSED_BASELINE if baseline is None else baseline
    if disagreement is not None:
        return known, disagreement
    if metric.is_share:
        return known, guess_disagreement(known)
    return known, guess_disagreement(GUESSED_BASELINE) * (known / GUESSED_BASELINE) ** 2


def smallest_threshold(clips: int, baseline: float, disagreement: float, tasks: int) -> float:
    """Return the smallest threshold that is verified with a probability of 80 % when no task loses anything (eq. 21).

    Raises:
        InvalidInput: no clip, a baseline outside (0, 1], a negative disagreement, or no task.

    >>> [round(100 * smallest_threshold(clips, 0.98, 0.022, 5), 1) for clips in (150, 750, 2000)]
    [5.2, 2.0, 1.2]
    >>> [round(100 * smallest_threshold(clips, 0.90, 0.087, 5), 1) for clips in (750, 2000)]
    [4.1, 2.5]
    """
    if clips < 1 or not 0 < baseline <= 1 or disagreement < 0 or tasks < 1:
        raise InvalidInput.at("resolution", f"cannot be computed from {clips=}, {baseline=}, {disagreement=}, {tasks=}")
    spread = math.sqrt(disagreement / clips + 2 / (clips + 2) ** 2)
    return _errors(tasks) * spread / baseline


def clips_needed(threshold: float, baseline: float, disagreement: float, tasks: int) -> int | None:
    """Return how few test clips have a smallest threshold of at most ``threshold``; None when no number has.

    >>> clips_needed(0.02, 0.98, 0.022, 5)
    725
    """
    low, high = 1, _MOST_CLIPS
    if smallest_threshold(high, baseline, disagreement, tasks) > threshold:
        return None
    while low < high:
        middle = (low + high) // 2
        if smallest_threshold(middle, baseline, disagreement, tasks) <= threshold:
            high = middle
        else:
            low = middle + 1
    return low


@cache
def _errors(tasks: int) -> float:
    """Return the standard errors between no loss and the threshold: of the bound, and of 80 % over all tasks."""
    return float(ndtri(1 - ERROR) + ndtri(POWER ** (1 / tasks)))


def guess_disagreement(baseline: float) -> float:
    """Guess on which share of the clips two trainings of a task are right and wrong (eq. 22).

    >>> [round(guess_disagreement(baseline), 3) for baseline in (0.98, 0.90, 0.60)]
    [0.022, 0.087, 0.283]
    """
    return float(_GUESSED_SHARE * (1 - baseline) ** _GUESSED_POWER)


def measure_disagreement(metric: str, baseline: Outcomes, others: Sequence[Outcomes]) -> float | None:
    """Return how far other trainings of a task differ from its baseline, clip by clip; the median over them (eq. 23).

    For the accuracy of clips it is the share of the clips that only one of the two gets right. For other metrics it is
    the mean square of the difference between the clips' influences, which is the same for accuracy. None when there is
    nothing to compare, or a single clip.
    """
    if not others or baseline.clip_count < 2:
        return None
    first = Repeats.of(metric, [baseline])
    return float(np.median([_apart(first, Repeats.of(metric, [other])) for other in others]))


def _apart(first: Repeats, second: Repeats) -> float:
    difference = np.asarray(first.influence - second.influence)
    return float(np.mean(difference**2) + (first.mean - second.mean) ** 2)


def warnings(resolutions: Iterable[Resolution], threshold: float) -> list[str]:
    """Say for which tasks the threshold is smaller than what their test clips can decide."""
    return [warning for resolution in resolutions if (warning := resolution.warning(threshold))]

"""Whether a baseline learnt anything: an AR against a baseline at chance is meaningless."""

import math

from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.metrics import METRICS, chance
from taskgraft.search.statistics.repeats import Repeats

_ERRORS = 1.96
"""Standard errors on each side of a 95 % interval."""


def is_at_chance(metric: str, said: Outcomes) -> bool:
    """Return whether a baseline is not significantly better than always giving the same answer, or has no AR.

    The worse end of its 95 % interval decides. The answer is the best constant one: the most frequent label, nothing at
    all, or the median. An AR takes a baseline above 0.
    """
    if said.clip_count < 2:
        return True
    better, baseline = METRICS[metric].better, Repeats.of(metric, [said])
    if baseline.mean <= 0:
        return True
    error = max(math.sqrt(baseline.sampling), METRICS[metric].error_at_chance(said.clip_count))
    return better(baseline.mean) - _ERRORS * error <= better(chance(said, metric))

"""Whether a baseline learnt anything: an AR against a baseline at chance is meaningless."""

import math
from dataclasses import replace

import numpy as np

from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.metrics import measure
from taskgraft.search.statistics.repeats import Repeats

_ERRORS = 1.96
"""Standard errors on each side of a 95 % interval."""


def is_at_chance(metric: str, said: Outcomes) -> bool:
    """Return whether a baseline is not significantly better than always predicting the most frequent label.

    The lower end of its 95 % interval decides.
    """
    if said.clip_count < 2:
        return True
    answer = np.bincount(said.truth, said.counts).argmax()
    chance = measure(replace(said, predicted=np.full_like(said.truth, answer)), metric)
    baseline = Repeats.of(metric, [said])
    return baseline.mean - _ERRORS * math.sqrt(baseline.sampling) <= chance

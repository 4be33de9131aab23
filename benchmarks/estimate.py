"""Costs that are known exactly, or estimated from a random sample of trainings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.stats import t as student


@dataclass(frozen=True, slots=True)
class Estimate:
    """A cost, and the independent parts of its variance with their degrees of freedom; none if it is exact."""

    value: float
    parts: tuple[tuple[float, int], ...] = ()

    @classmethod
    def of_sample(cls, fixed: float, strata: Mapping[str, tuple[Sequence[float], int]]) -> Self:
        """Return what all trainings cost, and ``fixed`` beside, from a random sample of each stratum.

        A stratum is what the sampled trainings cost, two of them at least unless it has but one, and how many there
        are. The sample is drawn without replacement (Cochran, Sampling Techniques, 1977, eq. 5.10).
        """
        value, parts = fixed, []
        for costs, count in strata.values():
            value += count * float(np.mean(costs))
            if len(costs) < count:
                left_out = 1 - len(costs) / count
                parts.append((count**2 * left_out * float(np.var(costs, ddof=1)) / len(costs), len(costs) - 1))
        return cls(value, tuple(parts))

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(self.value + other.value, self.parts + other.parts)

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval, by Student's t with Satterthwaite's degrees of freedom."""
        variance = sum(part for part, _ in self.parts)
        if not variance:
            return self.value, self.value
        freedom = variance**2 / sum(part**2 / degrees for part, degrees in self.parts)
        half = float(student.ppf(0.975, freedom)) * variance**0.5
        return self.value - half, self.value + half

"""Losses weighed by their share of the sum: the task with the largest loss counts most."""

from typing import Literal

import numpy as np
from pydantic import Field

from taskgraft.evaluators.weighting.factors import Floats, Memoryless, Places
from taskgraft.evaluators.weighting.protocol import LossWeighting, Setting, Weighting


class LossProportional(LossWeighting):
    """The sum of ``w L`` over the tasks, with ``w = L / sum of L``.

    Source: a study of emotion, speaker and gender, 2021, whose best weighting it is; whether the weights are detached
    is not said there. If they are not, the gradient of a small loss has a negative factor: steps can push it up.
    """

    name: Literal["loss-proportional"] = "loss-proportional"
    detached: bool = Field(default=True, description="whether the weights count as constants in the gradient")

    def build(self, setting: Setting) -> Weighting:
        """Return a weighting without state."""
        from taskgraft.evaluators.weighting.scalar import ScalarWeighting  # noqa: PLC0415  # torch is for trainings

        return ScalarWeighting(setting, Shares() if self.detached else SlopesOfShares())


class Shares(Memoryless):
    """The factors of weights that count as constants."""

    def weigh(self, places: Places, losses: Floats) -> Floats:
        """Return each loss's share of the sum; equal shares if all are 0."""
        total = losses.sum()
        return losses / total if total > 0 else np.full(len(losses), 1 / len(losses))


class SlopesOfShares(Memoryless):
    """The slopes of the weighed sum by each loss."""

    def weigh(self, places: Places, losses: Floats) -> Floats:
        """Return ``(2 L - weighed sum) / sum``, the slope of ``sum of L^2 / sum of L``."""
        shares = Shares().weigh(places, losses)
        slopes: Floats = 2 * shares - (shares**2).sum()
        return slopes

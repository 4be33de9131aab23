"""TorchJD's aggregators as rules for the nodes of a tree.

Notation: ``k`` losses of a node, ``p`` its weights.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torchjd.aggregation
from torch import Tensor
from torchjd.aggregation import Aggregator

from taskgraft.evaluators.weighting.protocol import State

_SEEDS = 2**62


def torchjd_aggregator(name: str, arguments: Mapping[str, Any]) -> Aggregator:
    """Return an aggregator of TorchJD by the name of its class."""
    made: Aggregator = getattr(torchjd.aggregation, name)(**arguments)
    return made


class Stateless:
    """A rule that follows from the gradients alone."""

    def __init__(self, aggregator: Aggregator) -> None:
        self._aggregator = aggregator

    def combine(self, node: int, tasks: tuple[str, ...], gradients: Tensor) -> Tensor:
        """Return the one gradient [p] for those [k, p] of the losses."""
        found: Tensor = self._aggregator(gradients)
        return found

    @property
    def state(self) -> State:
        """Nothing."""
        return {}

    def restore(self, state: State) -> None:
        """Do nothing."""


class Drawn:
    """A rule that draws, from a generator of its own: batches and masks are those of every other weighting."""

    def __init__(self, aggregator: Aggregator, seed: int) -> None:
        self._aggregator = aggregator
        self._generator = torch.Generator().manual_seed(seed)

    def combine(self, node: int, tasks: tuple[str, ...], gradients: Tensor) -> Tensor:
        """Return the one gradient [p] for those [k, p] of the losses; torch's own random state does not change."""
        seed = int(torch.randint(_SEEDS, (), generator=self._generator))
        with torch.random.fork_rng([gradients.device] if gradients.is_cuda else []):
            torch.manual_seed(seed)
            found: Tensor = self._aggregator(gradients)
        return found

    @property
    def state(self) -> State:
        """The state of the generator."""
        return {"generator": self._generator.get_state().numpy()}

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self._generator.set_state(torch.tensor(state["generator"]))

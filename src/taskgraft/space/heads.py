"""Heads: from the last block's output to the answer of one task, as plain values.

A head sees ``steps`` time steps of channels x bands numbers, or a single one if there is no time axis. It counts its
parameters and multiply-accumulates for that shape, and for as many outputs as the task has;
`evaluators/models/heads.py` builds the torch module of each kind.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from taskgraft.space import layers
from taskgraft.space.layers import Layer, Shape


class Head(Protocol):
    """What every kind of head counts. All of them are dataclasses."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def parameters(self, shape: Shape, outputs: int) -> int:
        """Return its parameters behind an encoder that ends with this shape."""

    def macs(self, shape: Shape, outputs: int) -> int:
        """Return the multiply-accumulates for an encoder's output of this shape."""


@dataclass(frozen=True, slots=True)
class AttentionHead:
    """Temporal attention for ``clip`` tasks: project to ``hidden``, weigh the time steps, classify the weighted sum."""

    hidden: int

    def parameters(self, shape: Shape, outputs: int) -> int:
        """Return the parameters of projection, attention scores and classifier, all with bias."""
        return (_features(shape) + 1) * self.hidden + (self.hidden + 1) + (self.hidden + 1) * outputs

    def macs(self, shape: Shape, outputs: int) -> int:
        """Return the multiply-accumulates of every step's projection and score, and of one classification."""
        return shape[2] * (_features(shape) * self.hidden + 2 * self.hidden) + self.hidden * outputs


@dataclass(frozen=True, slots=True)
class PoolHead:
    """A 1x1 convolution without bias, batch normalisation, and the mean over bands and steps, for ``clip`` tasks."""

    def parameters(self, shape: Shape, outputs: int) -> int:
        """Return the parameters of convolution and normalisation."""
        return (shape[0] + 2) * outputs

    def macs(self, shape: Shape, outputs: int) -> int:
        """Return the multiply-accumulates of the convolution."""
        return shape[0] * shape[1] * shape[2] * outputs


@dataclass(frozen=True, slots=True)
class _LinearHead:
    """A linear map of every time step."""

    def parameters(self, shape: Shape, outputs: int) -> int:
        """Return weights and biases."""
        return (_features(shape) + 1) * outputs

    def macs(self, shape: Shape, outputs: int) -> int:
        """Return the multiply-accumulates of every step."""
        return shape[2] * _features(shape) * outputs


@dataclass(frozen=True, slots=True)
class MeanHead(_LinearHead):
    """A linear map for ``clip`` tasks, of whose answers the mean over the time steps is taken."""


@dataclass(frozen=True, slots=True)
class StepHead(_LinearHead):
    """A linear map for ``frames`` tasks: scores of every time step."""


@dataclass(frozen=True, slots=True)
class GruHead:
    """A one-directional gated recurrent unit for ``frames`` tasks, then one score per time step."""

    hidden: int

    def parameters(self, shape: Shape, outputs: int) -> int:
        """Return the parameters of three gates with two biases each (as PyTorch counts), and of the output layer."""
        return 3 * self.hidden * (_features(shape) + self.hidden + 2) + (self.hidden + 1) * outputs

    def macs(self, shape: Shape, outputs: int) -> int:
        """Return the multiply-accumulates of every step."""
        return shape[2] * self.hidden * (3 * (_features(shape) + self.hidden) + outputs)


@dataclass(frozen=True, slots=True)
class BiGruHead:
    """Two-directional gated recurrent units behind each other for ``frames`` tasks, then scores of every time step.

    If it is ``pooled``, a second linear layer says how much each step counts for the whole clip (as in the baseline of
    DCASE task 4), so that it answers ``clip`` tasks.
    """

    hidden: int
    layers: int = 2
    pooled: bool = False

    def parameters(self, shape: Shape, outputs: int) -> int:
        """Return the parameters of all gates with two biases each (as PyTorch counts), and of the linear layers."""
        gates = sum(3 * self.hidden * (inputs + self.hidden + 2) for inputs in self._inputs(shape))
        return 2 * gates + self._linear * (2 * self.hidden + 1) * outputs

    def macs(self, shape: Shape, outputs: int) -> int:
        """Return the multiply-accumulates of every step."""
        gates = sum(3 * self.hidden * (inputs + self.hidden) for inputs in self._inputs(shape))
        return shape[2] * (2 * gates + self._linear * 2 * self.hidden * outputs)

    @property
    def _linear(self) -> int:
        return 2 if self.pooled else 1

    def _inputs(self, shape: Shape) -> list[int]:
        return [_features(shape)] + [2 * self.hidden] * (self.layers - 1)


@dataclass(frozen=True, slots=True)
class WeighedBiGruHead(BiGruHead):
    """The same for ``events`` tasks: scores of every time step, and how much each of them counts for the whole clip."""

    @property
    def _linear(self) -> int:
        return 2


@dataclass(frozen=True, slots=True)
class LstmHead:
    """A one-directional long short-term memory, then scores of every time step; ``pooled``: their mean, for clips."""

    hidden: int
    pooled: bool = False

    def parameters(self, shape: Shape, outputs: int) -> int:
        """Return the parameters of four gates with two biases each (as PyTorch counts), and of the output layer."""
        return 4 * self.hidden * (_features(shape) + self.hidden + 2) + (self.hidden + 1) * outputs

    def macs(self, shape: Shape, outputs: int) -> int:
        """Return the multiply-accumulates of every step."""
        return shape[2] * self.hidden * (4 * (_features(shape) + self.hidden) + outputs)


@dataclass(frozen=True, slots=True)
class MlpHead:
    """A hidden layer with ReLU, and a classifier, for ``clip`` tasks; of several time steps, the mean is classified."""

    hidden: int

    def parameters(self, shape: Shape, outputs: int) -> int:
        """Return the parameters of both layers, with bias."""
        return (_features(shape) + 1) * self.hidden + (self.hidden + 1) * outputs

    def macs(self, shape: Shape, outputs: int) -> int:
        """Return the multiply-accumulates of both layers, once."""
        return (_features(shape) + outputs) * self.hidden


@dataclass(frozen=True, slots=True)
class LayeredHead(ABC):
    """Layers behind each other, for ``clip`` tasks: the mean over bands and steps of what the last one gives.

    Subclasses say which layers. These count for themselves and have their modules already, so that such a head needs
    no code with torch.
    """

    @abstractmethod
    def layers(self, shape: Shape, outputs: int) -> tuple[Layer, ...]:
        """Return layers that take ``shape`` and end with as many channels as there are ``outputs``."""

    def parameters(self, shape: Shape, outputs: int) -> int:
        """Return the parameters of all layers."""
        return sum(layer.parameters for layer in self.layers(shape, outputs))

    def macs(self, shape: Shape, outputs: int) -> int:
        """Return the multiply-accumulates of all layers."""
        return layers.macs(self.layers(shape, outputs), shape)


def _features(shape: Shape) -> int:
    """Return the numbers of one time step."""
    return shape[0] * shape[1]

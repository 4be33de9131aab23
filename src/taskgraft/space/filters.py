"""Layers of filters that are learned on raw samples: what stands before a template's own layers behind `Waveform`."""

from dataclasses import dataclass

from taskgraft.errors import InvalidInput
from taskgraft.space.layers import Layer, Shape


@dataclass(frozen=True, slots=True)
class SampleFilters(Layer):
    """A convolution without bias over raw samples: one channel of output for each filter, one frame for each hop.

    Its input has the ``hop`` samples of each frame as bands. The window of frame j is centred on sample j * hop, as
    that of log-mel is, so that windows overlap; zeros stand outside the crop. Filters start as waves whose
    pitches are spread over the mel scale (Zeghidour et al. 2018), which takes the rate of the samples.
    """

    hop: int
    window: int
    filters: int
    sample_rate: int = 16_000

    @property
    def padding(self) -> tuple[int, int]:
        """Samples before the crop's first and behind its last; those behind may be fewer than none."""
        before = self.window // 2
        return before, self.window - self.hop - before

    @property
    def kernels(self) -> int:
        """One weight for each sample of the window of each filter."""
        return self.window * self.filters

    @property
    def parameters(self) -> int:
        """The weights: there is no bias."""
        return self.kernels

    def output_shape(self, shape: Shape) -> Shape:
        """Return a channel for each filter, a single band, and as many frames.

        Raises:
            InvalidInput: it has another number of samples a frame.
        """
        if shape[:2] != (1, self.hop):
            raise InvalidInput.at("blocks", f"filters take {self.hop} samples a frame; got {shape[0]} x {shape[1]}")
        return self.filters, 1, shape[2]

    def macs(self, shape: Shape) -> int:
        """Return the multiply-accumulates for an input of ``shape``."""
        return shape[2] * self.window * self.filters


@dataclass(frozen=True, slots=True)
class ChannelsAsBands(Layer):
    """The channels of a single band become the bands of a single channel."""

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape with channels and bands exchanged."""
        return shape[1], shape[0], shape[2]

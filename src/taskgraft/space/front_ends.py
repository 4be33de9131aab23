"""Front ends: how a waveform becomes what the first block sees, as plain values.

Each kind makes rows of numbers for every frame, which are computed once per corpus and kept, and of these the shape
``(channels, bands, frames)`` of an input. `evaluators/features.py` and `evaluators/inputs.py` have the torch modules of
each kind. Lengths are in samples if nothing else is said.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from taskgraft.space.filters import ChannelsAsBands, SampleFilters
from taskgraft.space.layers import BatchNorm, Layer, Relu, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEnd:
    """What all kinds have: a sample rate, and a frame for every ``hop`` samples."""

    sample_rate: int = 16_000
    hop: int = 160

    @property
    def frames_per_second(self) -> float:
        """Frames in one second of audio."""
        return self.sample_rate / self.hop

    @property
    def rows(self) -> int:
        """Numbers of each frame that are kept."""
        raise NotImplementedError

    @property
    def crop(self) -> int | None:
        """Frames of a crop, if the front end takes no other length."""
        return None

    @property
    def features(self) -> str:
        """What a model begins with, in words."""
        return "Log-mel features"

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What is learned of it: these layers stand before those of a template's first block, and belong to it."""
        return ()

    @property
    def has_bands(self) -> bool:
        """Whether the rows of a frame are bands of frequencies, or something of that kind."""
        return True

    @property
    def takes_noise(self) -> bool:
        """Whether noise can be added to the rows."""
        return True

    def frames(self, samples: int) -> int:
        """Return how many frames ``samples`` samples of audio touch."""
        raise NotImplementedError

    def shape(self, frames: int) -> Shape:
        """Return what the first block sees of a crop of so many frames."""
        return 1, self.rows, frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Mel(FrontEnd):
    """Natural logarithms of mel energies, and what is made of them.

    The last frame of a clip is the last one whose window still touches the clip: whatever is padded behind a clip
    gives frames of pure silence, so padding the waveform and padding the frames are the same thing.
    """

    window: int = 400
    fft: int = 512
    bands: int = 64

    @property
    def rows(self) -> int:
        """Numbers of each frame that are kept."""
        return self.bands

    def frames(self, samples: int) -> int:
        """Return how many frames ``samples`` samples of audio touch."""
        return -(-(samples + self.fft // 2) // self.hop)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogMel(Mel):
    """Log-mel, each band scaled by its mean and deviation over the training clips."""

    kind: Literal["logmel"] = "logmel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mfcc(Mel):
    """The first coefficients of the cosine transform of log-mel, scaled as log-mel is."""

    coefficients: int = 40
    kind: Literal["mfcc"] = "mfcc"

    @property
    def rows(self) -> int:
        """Numbers of each frame that are kept."""
        return self.coefficients

    @property
    def features(self) -> str:
        """What a model begins with, in words."""
        return "Mel coefficients"

    @property
    def takes_noise(self) -> bool:
        """False: energies can't be had from the first coefficients alone."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture(Mel):
    """Log-mel of one length as a square picture, as networks for photographs take it.

    Clips are cut or filled up to ``length`` frames. Between its smallest and largest number, a crop is scaled to
    0..255, resized to ``side`` in both directions by bicubic interpolation, and becomes ``(x / 255 - 0.5) / 0.225``.
    """

    length: int = 512
    side: int = 224
    kind: Literal["picture"] = "picture"

    @property
    def crop(self) -> int:
        """Frames of a crop."""
        return self.length

    def shape(self, frames: int) -> Shape:
        """Return the picture's shape."""
        return 1, self.side, self.side


@dataclass(frozen=True, slots=True, kw_only=True)
class Waveform(FrontEnd):
    """Raw samples, of which the model learns its own filters; scaled by their root mean square over training clips.

    A frame holds the ``hop`` samples that follow each other from its time on. The first block begins with a convolution
    of 1 x ``window`` and stride ``hop``, whose ``filters`` take the place of bands. The last frame of a clip is the
    last one whose window still touches the clip. Silence is 0.
    """

    window: int = 400
    filters: int = 64
    kind: Literal["waveform"] = "waveform"

    @property
    def rows(self) -> int:
        """Numbers of each frame that are kept."""
        return self.hop

    @property
    def features(self) -> str:
        """What a model begins with, in words."""
        return "Learned filters"

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The filters, with batch normalisation and ReLU as every convolution has, and their answers as bands."""
        return (
            SampleFilters(self.hop, self.window, self.filters, self.sample_rate),
            BatchNorm(self.filters),
            Relu(),
            ChannelsAsBands(),
        )

    @property
    def has_bands(self) -> bool:
        """False: the rows of a frame are samples."""
        return False

    def frames(self, samples: int) -> int:
        """Return how many frames ``samples`` samples of audio touch."""
        return -(-(samples + self.window // 2) // self.hop)


AnyFrontEnd = LogMel | Mfcc | Picture | Waveform
"""All kinds, told apart by ``kind``."""

PRESETS: Mapping[str, AnyFrontEnd] = MappingProxyType(
    {
        "default": LogMel(),
        "scene": LogMel(window=2_048, fft=2_048, bands=128),
        "cp-mobile": LogMel(sample_rate=32_000, window=3_072, hop=500, fft=4_096, bands=256),
        "emotion-image": Picture(window=2_048, hop=512, fft=2_048, bands=512),
        "mfcc": Mfcc(),
        "waveform": Waveform(),
    }
)
"""Front ends that a study may ask for by name (docs/templates.md says where they come from)."""

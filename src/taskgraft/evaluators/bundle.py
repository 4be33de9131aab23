"""The form of a bundle: its files, and how its JSON files say what goes into the model and what comes out.

Written by `export`, read by `prediction`. No torch.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, computed_field, field_validator, model_validator

from taskgraft.evaluators.datasets.audio import MAX_RATE, MAX_SECONDS, MIN_RATE
from taskgraft.space.front_ends import AnyFrontEnd

TREE = "tree.json"
WEIGHTS = "model.safetensors"
PROGRAM = "model.pt2"
ONNX = "model.onnx"
QUANTISED = "model.int8.onnx"
PREPROCESSING = "preprocessing.json"
LABELS = "labels.json"
METRICS = "metrics.json"
STUDY = "study.yaml"
CARD = "README.md"
TREE_PICTURE = "tree.svg"
MATRIX_PICTURE = "matrix.svg"

INPUT = "waveform"
"""Name of the model's one input: float32 [clips, samples] in [-1, 1]."""
PADDING = "zeros behind the end of a clip that is shorter than samples; longer clips are read in windows"


def class_names(labels: Mapping[str, Mapping[str, Any]]) -> dict[str, Sequence[str]]:
    """Return the names of each task's classes, given what `LABELS` holds."""
    return {task: found["labels"] for task, found in labels.items()}


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class BandStatistics(_Value):
    """Mean and deviation of every band, by which the model scales its input; one of each for samples.

    They are part of the model.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]


class Preprocessing(_Value):
    """What the model expects of a waveform, and what it does with it first."""

    front_end: AnyFrontEnd = Field(discriminator="kind")
    crop: int = Field(gt=0, description="frames of one window")
    time_stride: int = Field(gt=0, description="frames of one time step of a frames task")
    log_floor: float = Field(gt=0, description="added to mel energies before their logarithm is taken")
    normalisation: BandStatistics
    padding: str = PADDING

    @field_validator("front_end", mode="before")
    @classmethod
    def _of_a_kind(cls, given: object) -> object:
        """Read what was written before there were kinds."""
        return {"kind": "logmel", **given} if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _fits(self) -> Self:
        front_end = self.front_end
        if front_end.hop < 1 or not MIN_RATE <= front_end.sample_rate <= MAX_RATE:
            raise ValueError(f"a hop of at least 1 and a rate of {MIN_RATE} to {MAX_RATE} Hz; got {front_end}")
        if self.crop % self.time_stride or self.samples > MAX_SECONDS * front_end.sample_rate:
            raise ValueError(f"a crop is whole time steps of {self.time_stride} and no longer than a clip can be")
        return self

    @computed_field  # type: ignore[prop-decorator]
    @property
    def samples(self) -> int:
        """Samples of one window."""
        return self.crop * self.front_end.hop

    @computed_field  # type: ignore[prop-decorator]
    @property
    def time_step_seconds(self) -> float:
        """Seconds from one time step to the next; step j stands around ``j * time_step_seconds``."""
        return self.time_stride * self.front_end.hop / self.front_end.sample_rate

"""Noise in the training clips of a study."""

from typing import Annotated

from pydantic import Field, field_validator

from taskgraft.search.study.fields import Number, Value

_Decibels = Annotated[Number, Field(ge=-20, le=80)]


class NoiseSpec(Value):
    """White noise in every training clip, at a ratio that is drawn for each."""

    snr: tuple[_Decibels, _Decibels] = Field(
        description="lowest and highest ratio of the clip's energy to the noise's, in decibels"
    )

    @field_validator("snr")
    @classmethod
    def _in_order(cls, snr: tuple[float, float]) -> tuple[float, float]:
        if snr[0] > snr[1]:
            raise ValueError("the lowest ratio comes first")
        return snr

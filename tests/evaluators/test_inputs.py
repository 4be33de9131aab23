"""What the first block sees of a crop."""

import numpy as np
import pytest
import torch

from taskgraft.evaluators.features import Normalisation
from taskgraft.evaluators.inputs import build_input
from taskgraft.space.front_ends import LogMel, Picture

UNSCALED = Normalisation(np.zeros(512, np.float32), np.ones(512, np.float32))


def test_of_log_mel_it_is_scaled_by_the_training_clips() -> None:
    assert build_input(LogMel(), UNSCALED) is UNSCALED


def test_a_picture_is_scaled_resized_and_centred() -> None:
    spec = Picture(bands=512)
    rows = torch.linspace(-13.8, 2.0, 512).reshape(1, 1, 512, 1).repeat(3, 1, 1, 512)
    rows[1] *= 2.0
    picture = build_input(spec, UNSCALED)(rows)
    assert picture.shape == (3, *spec.shape(512)) == (3, 1, 224, 224)
    torch.testing.assert_close(picture[0], picture[1], msg="a crop's own smallest and largest number count")
    assert picture[0].min().item() == pytest.approx(-0.5 / 0.225, abs=0.02)
    assert picture[0].max().item() == pytest.approx(0.5 / 0.225, abs=0.02)
    assert (picture[0, 0].diff(dim=0) > 0).all(), "low bands first"


def test_a_picture_of_silence_stays_finite() -> None:
    assert torch.isfinite(build_input(Picture(bands=512), UNSCALED)(torch.full((1, 1, 512, 512), -13.8))).all()

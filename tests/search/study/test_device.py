"""Which device a study trains on, and who refuses one that is not there."""

import pytest

from taskgraft.errors import InvalidInput, Unavailable
from taskgraft.search.study import device
from taskgraft.search.study.device import check_device, choose_device
from taskgraft.search.study.spec import StudySpec
from tests.search.worlds import make_spec


def spec(**training: object) -> StudySpec:
    return make_spec(2, training=training)


@pytest.mark.parametrize(
    ("asked", "gpus", "chosen"),
    [("auto", 0, "cpu"), ("auto", 2, "cuda"), ("auto", 0.5, "cuda"), ("cpu", 2, "cpu"), ("cuda", 1, "cuda")],
)
def test_auto_is_a_gpu_if_there_is_one(asked: str, gpus: float, chosen: str) -> None:
    assert choose_device(asked, gpus) == chosen


def test_a_gpu_that_ray_does_not_have_is_trouble_of_the_environment() -> None:
    with pytest.raises(Unavailable, match=r"^training\.device: cuda is not there; Ray has no GPU"):
        choose_device("cuda", 0)


@pytest.mark.parametrize(
    ("asked", "version", "refused"),
    [("cuda", "2.13.0+cpu", True), ("auto", "2.13.0+cpu", False), ("cuda", "2.13.0", False), ("cuda", "", False)],
)
def test_a_study_is_refused_before_it_starts_if_torch_knows_no_gpu(
    asked: str, version: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "torch_version", lambda: version)
    if refused:
        with pytest.raises(InvalidInput, match=r"^training\.device: cuda is not there; torch 2\.13\.0\+cpu"):
            check_device(spec(device=asked).training.device)
    else:
        check_device(spec(device=asked).training.device)


def test_the_version_of_torch_is_that_which_torch_says() -> None:
    import torch

    assert device.torch_version() == torch.__version__


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("device", "gpu"),
        ("device", "cuda:1"),
        ("device", None),
        ("models_per_gpu", 0),
        ("models_per_gpu", 65),
        ("models_per_gpu", 0.5),
    ],
)
def test_a_device_that_is_none_names_field_and_value(field: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=rf"^training\.{field}: .*; got {value!r}$"):
        spec(**{field: value})
    assert (spec().training.device, spec().training.models_per_gpu) == ("auto", 4)

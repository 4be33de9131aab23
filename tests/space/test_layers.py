"""Layers count by hand: shapes, parameters, multiply-accumulates."""

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.space import layers
from taskgraft.space.layers import (
    AveragePool,
    BandMean,
    BatchNorm,
    BiLstm,
    Convolution,
    Dropout,
    Flatten,
    GlobalResponseNorm,
    Layer,
    LayerNorm,
    Linear,
    MaxPool,
    Positions,
    Relu,
    Residual,
    Shape,
    TransformerLayer,
)

TWO = Residual((Convolution(2, 3), BatchNorm(3)), (Convolution(2, 3, (1, 1)),))


@pytest.mark.parametrize(
    ("layer", "behind", "parameters", "macs"),
    [
        (Convolution(2, 3), (3, 7, 10), 54, 70 * 54),
        (Convolution(2, 3, (3, 5), (2, 1)), (3, 4, 10), 90, 40 * 90),
        (Convolution(2, 4, groups=2, bias=True), (4, 7, 10), 36 + 4, 70 * 36),
        (Convolution(2, 3, (2, 4), (2, 4), padding=(0, 0)), (3, 3, 2), 48, 6 * 48),
        (BatchNorm(2), (2, 7, 10), 4, 0),
        (Relu(), (2, 7, 10), 0, 0),
        (Dropout(), (2, 7, 10), 0, 0),
        (MaxPool(), (2, 3, 5), 0, 0),
        (AveragePool((3, 3), (1, 2), (1, 1)), (2, 7, 5), 0, 0),
        (BandMean(), (2, 1, 10), 0, 0),
        (GlobalResponseNorm(), (2, 7, 10), 2, 0),
        (Flatten(), (140, 1, 1), 0, 0),
        (Linear(2, 5), (5, 7, 10), 15, 70 * 10),
        (TWO, (3, 7, 10), 54 + 6 + 6, 70 * 54 + 70 * 6),
        (BiLstm(14, 3), (6, 1, 10), 2 * 4 * 3 * (14 + 3 + 2), 10 * 2 * 4 * 3 * 17),
        (Positions(2, 7, 10), (2, 7, 10), 2 * 17, 0),
        (LayerNorm(2), (2, 7, 10), 4, 0),
        (TransformerLayer(2, 1, 3), (2, 7, 10), 4 + 4 + 3 * 6 + 6 + 9 + 8, 70 * (16 + 12) + 2 * 70 * 70 * 2),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Layer) else "",
)
def test_a_layer_counts_by_hand(layer: Layer, behind: Shape, parameters: int, macs: int) -> None:
    shape = (2, 7, 10)
    assert (layer.output_shape(shape), layer.parameters, layer.macs(shape)) == (behind, parameters, macs)
    assert layer.keeps_time is not isinstance(layer, Flatten)


def test_the_memory_of_a_study_of_speech_tasks_has_its_published_size() -> None:
    """Two layers, input 128, hidden 256, as `torch.nn.LSTM` counts them."""
    assert BiLstm(128, 256).parameters + BiLstm(512, 256).parameters == 2_367_488


@pytest.mark.parametrize(
    ("layer", "rule"),
    [
        (Convolution(3, 4), "3 input channels behind 2"),
        (Convolution(2, 4, (9, 1), padding=(0, 0)), "7 bands x 10 frames are smaller than a window"),
        (MaxPool((2, 11)), "smaller than a window"),
        (Linear(3, 4), "3 input channels behind 2"),
        (BatchNorm(3), "3 input channels behind 2"),
        (LayerNorm(3), "3 input channels behind 2"),
        (TransformerLayer(3, 1, 4), "3 input channels behind 2"),
        (BiLstm(13, 3), "13 inputs a frame behind 2 channels x 7 bands"),
        (Positions(2, 7, 9), "positions are for"),
        (Residual((Convolution(2, 3),)), "a shortcut ends with the shape"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Layer) else "",
)
def test_a_layer_refuses_what_it_cannot_take(layer: Layer, rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule):
        layer.output_shape((2, 7, 10))


def test_layers_behind_each_other_add_up() -> None:
    stack = (Convolution(2, 3, stride=(2, 2)), BatchNorm(3), MaxPool())
    assert layers.shapes(stack, (2, 8, 12)) == [(2, 8, 12), (3, 4, 6), (3, 4, 6), (3, 2, 3)]
    assert layers.macs(stack, (2, 8, 12)) == 24 * 54
    assert layers.time_stride(stack) == Residual(stack, stack).time_stride == 4


def test_equal_layers_and_no_others_have_equal_plain_forms() -> None:
    several = [Relu(), BatchNorm(2), LayerNorm(2), Convolution(2, 3), Convolution(2, 3, bias=True), TWO]
    several.append(Residual(TWO.body, ()))
    plain = [str(layer.to_plain()) for layer in several]
    assert len(set(plain)) == len(several)
    assert str(Convolution(2, 3).to_plain()) == plain[3]

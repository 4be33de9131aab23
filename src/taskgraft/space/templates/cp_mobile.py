"""`cp-mobile`: inverted residuals (Schmid et al., DCASE 2023; the baseline of DCASE 2024 task 1).

`cp-mobile-rnn` has two more of them, and recurrent layers behind.
"""

from collections.abc import Sequence

from taskgraft.space.front_ends import PRESETS
from taskgraft.space.heads import BiGruHead, PoolHead, WeighedBiGruHead
from taskgraft.space.layers import AveragePool, BatchNorm, Convolution, Layer, Relu, Residual
from taskgraft.space.published import Published
from taskgraft.space.tasks import Answer
from taskgraft.space.template import Block, Template
from taskgraft.space.templates.width import scaled

_ONE = (1, 1)
_LAYOUT = (
    (32, 32, 64, _ONE),
    (32, 32, 64, _ONE),
    (32, 32, 64, (1, 2)),
    (32, 56, 64, (2, 1)),
    (56, 56, 120, _ONE),
    (56, 104, 120, _ONE),
)
"""Channels in and out, those in between, and the stride in (bands, frames)."""
_POOLED = WeighedBiGruHead(hidden=128)
_FURTHER = ((104, 120, 104, (2, 1)), (120, 120, 112, (2, 1)))


def cp_mobile(width: float = 1.0) -> Template:
    """Return the template for scenes."""
    return Template(
        name="cp-mobile",
        width=width,
        front_end=PRESETS["cp-mobile"],
        blocks=_blocks(_LAYOUT, width),
        heads={Answer.CLIP: PoolHead()},
        published=(
            Published(
                "10 scenes",
                ((PoolHead(), 10),),
                frames=65,
                parameters=61_148,
                macs=29_419_156,
                source="DCASE 2024, task 1, baseline (arXiv 2405.10018)",
                remark="2,708 multiply-accumulates are counted there for batch normalisation",
            ),
        ),
        summary="a stem and 6 inverted residuals on 256 log-mel bands; 60k parameters per encoder",
    )


def cp_mobile_rnn(width: float = 1.0) -> Template:
    """Return two blocks more, for events. How wide they are, the source does not say."""
    return Template(
        name="cp-mobile-rnn",
        width=width,
        front_end=PRESETS["scene"],
        blocks=_blocks((*_LAYOUT, *_FURTHER), width),
        heads={Answer.CLIP: PoolHead(), Answer.STEPS: BiGruHead(hidden=128), Answer.POOLED_STEPS: _POOLED},
        published=(
            Published(
                "10 events",
                ((_POOLED, 10),),
                frames=100,
                parameters=966_000,
                macs=34_000_000,
                source="joint scene classification and sound event detection, 2024",
                remark="how wide the last two blocks are is not published, and no width fits both figures",
            ),
        ),
        summary="a stem and 8 inverted residuals on 128 log-mel bands, with two bidirectional recurrent layers",
    )


def _blocks(layout: Sequence[tuple[int, int, int, tuple[int, int]]], width: float) -> tuple[Block, ...]:
    """Return the stem, and an inverted residual for each row."""
    rows = [(*_scaled(before, after, between, width), stride) for before, after, between, stride in layout]
    return (_stem(scaled(8, width), rows[0][0]), *(_inverted(*row) for row in rows))


def _scaled(before: int, after: int, between: int, width: float) -> tuple[int, int, int]:
    return scaled(before, width), scaled(after, width), scaled(between, width)


def _stem(between: int, after: int) -> Block:
    first, second = Convolution(1, between, stride=(2, 2)), Convolution(between, after, stride=(2, 2))
    return Block((first, BatchNorm(between), Relu(), second, BatchNorm(after), Relu()))


def _inverted(before: int, after: int, between: int, stride: tuple[int, int]) -> Block:
    """Return expansion, depthwise convolution and projection, a shortcut if no channels change, and ReLU."""
    body: tuple[Layer, ...] = (
        *(Convolution(before, between, (1, 1)), BatchNorm(between), Relu()),
        *(Convolution(between, between, stride=stride, groups=between), BatchNorm(between), Relu()),
        *(Convolution(between, after, (1, 1)), BatchNorm(after)),
    )
    if before != after:
        return Block((*body, Relu()))
    shortcut = () if stride == _ONE else (AveragePool((3, 3), stride, padding=(1, 1)),)
    return Block((Residual(body, shortcut), Relu()))

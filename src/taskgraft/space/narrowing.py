"""Stacks of layers with fewer output channels per convolution: which stacks allow it, and what becomes of them.

A channel can be taken out if all that reads it can do without: then the smaller stack gives what the larger one gives
when that channel is 0 everywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch

from taskgraft.errors import InvalidInput
from taskgraft.space import filters, layers
from taskgraft.space.gates import NO_GATE
from taskgraft.space.layers import Convolution, Layer, Shape
from taskgraft.space.node_blocks import NodeBlocks
from taskgraft.space.tasks import Task
from taskgraft.space.template import Block, Template
from taskgraft.space.tree import BranchTree


@dataclass(frozen=True, slots=True, order=True)
class LayerPlace:
    """A layer of a tree: its node in the order of the tree's nodes, its block in the node, its place in the block."""

    node: int
    block: int
    layer: int

    @property
    def name(self) -> str:
        """What the names of its parameters begin with in the tree's model."""
        return f"nodes.{self.node}.{self.block}.{self.layer}"


def convolutions(blocks: NodeBlocks) -> dict[LayerPlace, Convolution]:
    """Return the convolutions of a tree whose channels can be taken out: all of them.

    Raises:
        InvalidInput: at ``template``: the tree has a layer that can't do without a channel.
    """
    check_channels(blocks.template)
    return {place: layer for place, layer in walk(blocks) if isinstance(layer, Convolution)}


def walk(blocks: NodeBlocks) -> Iterator[tuple[LayerPlace, Layer]]:
    """Yield every layer of a tree, node by node, parents first."""
    for node, own in enumerate(blocks.blocks):
        for place, block in enumerate(own):
            for index, layer in enumerate(block.layers):
                yield LayerPlace(node, place, index), layer


def check_channels(template: Template) -> None:
    """Check that channels of a template's convolutions can be taken out.

    Raises:
        InvalidInput: at ``template``: it has a layer that can't do without a channel.
    """
    if template.gate != NO_GATE:
        raise InvalidInput.at("template", f"no channels can be taken out of {template.name}: gates need every channel")
    behind = False
    for number, block in enumerate(template.blocks, 1):
        for layer in block.layers:
            if why := _why_not(layer, behind):
                raise InvalidInput.at(
                    "template", f"no channels can be taken out of {template.name}: {why} in block {number}"
                )
            behind = behind or isinstance(layer, Convolution)
    if not behind:
        raise InvalidInput.at("template", f"no channels can be taken out of {template.name}: it has no convolution")


def _why_not(layer: Layer, behind: bool) -> str:
    """Return why a layer stands against it, ``behind`` a convolution or not; the empty text if it does not."""
    if isinstance(layer, _BEFORE) and not behind:
        return ""
    if isinstance(layer, Convolution) and layer.groups != 1:
        return "a convolution goes over groups of channels"
    return "" if _fitted(layer, (1, 1, 1)) else f"a layer of kind {type(layer).__name__} needs every channel"


_BEFORE = (filters.SampleFilters, filters.ChannelsAsBands)
"""They read what no channel is taken out of."""


def narrowed(blocks: NodeBlocks, channels: Mapping[LayerPlace, int]) -> NodeBlocks:
    """Return a tree's blocks with so many output channels per convolution; those that are not named keep theirs.

    Every layer behind one reads what is left.

    Raises:
        InvalidInput: at ``template``: the tree has a layer that can't do without a channel.
    """
    check_channels(blocks.template)
    frames = blocks.template.frames
    ends: list[Shape] = []
    found: list[tuple[Block, ...]] = []
    for node, (own, parent) in enumerate(zip(blocks.blocks, blocks.parents, strict=True)):
        shape = blocks.template.front_end.shape(frames) if parent is None else ends[parent]
        narrow: list[Block] = []
        for place, block in enumerate(own):
            kept = {index: channels.get(LayerPlace(node, place, index)) for index in range(len(block.layers))}
            narrow.append(_narrowed_block(block, shape, kept))
            shape = narrow[-1].output_shape(shape)
        ends.append(shape)
        found.append(tuple(narrow))
    return NodeBlocks(blocks.tree, blocks.template, tuple(found))


def one_channel_each(tree: BranchTree, template: Template, tasks: Sequence[Task]) -> int:
    """Return how many parameters a tree has with one channel per convolution: no fewer can be left of it.

    Raises:
        InvalidInput: at ``template``: it has a layer that can't do without a channel.
    """
    blocks, own = NodeBlocks.of(tree, template), {task.name: task for task in tasks}
    return narrowed(blocks, dict.fromkeys(convolutions(blocks), 1)).parameters([own[name] for name in tree.tasks])


def _narrowed_block(block: Block, shape: Shape, kept: Mapping[int, int | None]) -> Block:
    """Return the block for an input of ``shape``; ``kept`` are the output channels of the layers in these places."""
    found: list[Layer] = []
    for index, layer in enumerate(block.layers):
        fitted = layer if isinstance(layer, _BEFORE) else _fitted(layer, shape)
        assert fitted is not None  # `check_channels` has refused it
        out = kept[index]
        found.append(replace(fitted, out_channels=out) if out and isinstance(fitted, Convolution) else fitted)
        shape = found[-1].output_shape(shape)
    return Block(tuple(found))


@singledispatch
def _fitted(layer: Layer, shape: Shape) -> Layer | None:
    """Return the layer for inputs of ``shape``, in channels of its own as before; None if it can't do without one.

    A layer that mixes channels, adds them to others, or normalises over them, can't.
    """
    return None


@_fitted.register
def _(layer: layers.Convolution, shape: Shape) -> Layer:
    return replace(layer, in_channels=shape[0])


@_fitted.register
def _(_: layers.BatchNorm, shape: Shape) -> Layer:
    return layers.BatchNorm(shape[0])


@_fitted.register
def _(layer: layers.Linear, shape: Shape) -> Layer:
    return replace(layer, in_channels=shape[0])


@_fitted.register
def _(layer: layers.BiLstm, shape: Shape) -> Layer:
    return replace(layer, inputs=shape[0] * shape[1])


@_fitted.register(layers.Relu)
@_fitted.register(layers.Dropout)
@_fitted.register(layers.MaxPool)
@_fitted.register(layers.AveragePool)
@_fitted.register(layers.BandMean)
@_fitted.register(layers.Flatten)
def _(layer: Layer, _: Shape) -> Layer:
    return layer

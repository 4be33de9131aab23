"""From the channels of convolutions that are kept to the mask of a tree's parameters.

Notation: ``c`` channels, ``f`` bands, ``t`` frames, ``o`` output channels, ``i`` input channels.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import singledispatch

import torch
from torch import Tensor

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.compression.masks import Mask
from taskgraft.evaluators.models.heads import build_head
from taskgraft.space import layers
from taskgraft.space.heads import Head
from taskgraft.space.layers import Layer, Shape
from taskgraft.space.narrowing import LayerPlace, check_channels
from taskgraft.space.node_blocks import NodeBlocks
from taskgraft.space.tasks import Task

Kept = Mapping[LayerPlace, Tensor]
"""For convolutions, which of their output channels are kept: bool [o]. One that is not named keeps all."""
_META = torch.device("meta")


def mask_of_channels(blocks: NodeBlocks, tasks: Sequence[Task], kept: Kept) -> Mask:
    """Return the mask of a tree's model in which convolutions keep these channels.

    False are kernel, bias and batch normalisation of each channel that is not kept, and every weight that reads it.
    Parameters that are whole are not named. ``tasks`` are in the tree's order.

    Raises:
        InvalidInput: at ``template``: it has layers that can't do without single channels; at ``head``: so does one.
    """
    check_channels(blocks.template)
    shapes, ends = blocks.shapes(blocks.template.frames), list[Tensor]()
    named: dict[str, Tensor] = {}
    for node, parent in enumerate(blocks.parents):
        inputs = torch.ones(shapes[node][0][0], dtype=torch.bool) if parent is None else ends[parent]
        for place, block in enumerate(blocks.blocks[node]):
            before = layers.shapes(block.layers, shapes[node][place])
            for index, layer in enumerate(block.layers):
                there = LayerPlace(node, place, index)
                masks, inputs = _layer_mask(layer, inputs, before[index], kept.get(there))
                named.update({f"{there.name}.{name}": mask for name, mask in masks.items()})
        ends.append(inputs)
    named.update(_head_masks(blocks, tasks, ends))
    return {name: mask for name, mask in named.items() if not mask.all()}


def _head_masks(blocks: NodeBlocks, tasks: Sequence[Task], ends: Sequence[Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield the masks of every head behind the channels that the leaves of its tree end with."""
    leaves = {node.tasks[0]: end for node, end in zip(blocks.tree.nodes(), ends, strict=True) if node.is_leaf}
    encoded = blocks.encoded(blocks.template.frames)
    for place, task in enumerate(tasks):
        inputs = leaves[task.name]
        if not inputs.all():
            head = blocks.template.head(task)
            for name, mask in _head_mask(head, encoded[task.name], task.outputs, inputs):
                yield f"heads.{place}.{name}", mask


def _head_mask(head: Head, shape: Shape, outputs: int, inputs: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield the masks of the parameters that read the encoder's channels.

    They are those with another shape behind fewer channels; whatever head it is, it sees the bands of a channel side by
    side.
    """
    kept = int(inputs.sum())
    fewer = _head_shapes(head, (kept, *shape[1:]), outputs)
    for name, full in _head_shapes(head, shape, outputs).items():
        narrow = fewer.get(name, torch.Size())
        if full == narrow:
            continue
        axis = next((axis for axis, size in enumerate(full) if narrow[axis : axis + 1] != (size,)), 0)
        times = full[axis] // shape[0]
        if narrow != (*full[:axis], times * kept, *full[axis + 1 :]) or full[axis] != times * shape[0]:
            raise InvalidInput.at("head", f"{type(head).__name__} can't do without single channels of the encoder")
        yield name, _along(inputs.repeat_interleave(times), axis, full)


def _head_shapes(head: Head, shape: Shape, outputs: int) -> dict[str, torch.Size]:
    with _META:
        return {name: one.shape for name, one in build_head(head, shape, outputs).named_parameters()}


def _along(kept: Tensor, axis: int, shape: Sequence[int]) -> Tensor:
    """Return a mask of ``shape`` that is the same along all axes but one."""
    return kept.view([-1 if place == axis else 1 for place in range(len(shape))]).expand(*shape).clone()


@singledispatch
def _layer_mask(layer: Layer, inputs: Tensor, shape: Shape, kept: Tensor | None) -> tuple[dict[str, Tensor], Tensor]:
    """Return the masks of a layer's parameters, and which channels behind it are kept.

    ``inputs`` [c] are the channels that it sees, of ``shape``; ``kept`` are those that it keeps of its own, if it has
    any. Layers without parameters keep the channels that they see.
    """
    return {}, inputs if layer.output_shape(shape)[0] == shape[0] else _all(layer.output_shape(shape)[0])


@_layer_mask.register
def _(layer: layers.Convolution, inputs: Tensor, _: Shape, kept: Tensor | None) -> tuple[dict[str, Tensor], Tensor]:
    outputs = _all(layer.out_channels) if kept is None else kept
    weight = outputs[:, None, None, None] & inputs[None, :, None, None].expand(-1, -1, *layer.kernel)  # [o, i, f, t]
    return {"weight": weight, "bias": outputs} if layer.bias else {"weight": weight}, outputs


@_layer_mask.register
def _(_: layers.BatchNorm, inputs: Tensor, __: Shape, ___: Tensor | None) -> tuple[dict[str, Tensor], Tensor]:
    return {"weight": inputs, "bias": inputs}, inputs


@_layer_mask.register
def _(layer: layers.Linear, inputs: Tensor, _: Shape, __: Tensor | None) -> tuple[dict[str, Tensor], Tensor]:
    weight = _along(inputs, 1, (layer.out_channels, layer.in_channels))
    return {"module.weight": weight}, _all(layer.out_channels)


@_layer_mask.register
def _(layer: layers.BiLstm, inputs: Tensor, shape: Shape, _: Tensor | None) -> tuple[dict[str, Tensor], Tensor]:
    weight = _along(inputs.repeat_interleave(shape[1]), 1, (4 * layer.hidden, layer.inputs))
    names = ("recur.weight_ih_l0", "recur.weight_ih_l0_reverse")
    return dict.fromkeys(names, weight), _all(2 * layer.hidden)


@_layer_mask.register
def _(_: layers.Flatten, inputs: Tensor, shape: Shape, __: Tensor | None) -> tuple[dict[str, Tensor], Tensor]:
    return {}, inputs.repeat_interleave(shape[1] * shape[2])


def _all(channels: int) -> Tensor:
    return torch.ones(channels, dtype=torch.bool)

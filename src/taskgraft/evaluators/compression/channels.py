"""Whole channels: which output channels of which convolutions are removed, and the smaller model without them.

Li et al., Pruning filters for efficient ConvNets, 2017: the channels whose kernels have the smallest L1 norm go first.
There, channels are ranked within each layer; here over all layers, since the size asked for is that of the whole model.
A norm grows with the kernel: one of 3x3 over 1 channel has 9 numbers, one over 21 channels has 189. So each is divided
by the numbers of its kernel, and mean absolute weights are compared; else the first layers would lose theirs first.

Notation: ``o`` output channels, ``i`` input channels.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.compression.channel_masks import Kept, mask_of_channels
from taskgraft.evaluators.compression.masks import Mask
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.space.narrowing import LayerPlace, convolutions, narrowed
from taskgraft.space.node_blocks import NodeBlocks
from taskgraft.space.tasks import Task


@dataclass(frozen=True, slots=True, order=True)
class _Channel:
    """An output channel of a convolution, ordered by what is removed first."""

    strength: float
    place: LayerPlace
    index: int


def channel_mask(weights: Mapping[str, Tensor], blocks: NodeBlocks, tasks: Sequence[Task], target: int) -> Mask:
    """Return the mask that removes whole channels until the model has at most ``target`` parameters without them.

    ``weights`` are those of a `TreeModel` of these blocks and of ``tasks``, in any order. As few channels go as are
    needed; every convolution keeps one or more. What a removed channel leaves without effect goes with it: its kernel
    and bias, its batch normalisation, and every weight that reads it in the layers, children and heads behind.

    Raises:
        InvalidInput: at ``template``: it has layers that can't do without single channels; at ``target``: the model is
            larger with one channel per convolution.
    """
    own = {task.name: task for task in tasks}
    ordered = [own[name] for name in blocks.tree.tasks]
    ranked = _removable(weights, blocks)
    full = {place: layer.out_channels for place, layer in convolutions(blocks).items()}

    def parameters(removed: int) -> int:
        return narrowed(blocks, _left(full, ranked[:removed])).parameters(ordered)

    if (least := parameters(len(ranked))) > target:
        message = f"one channel per convolution leaves {least:,} parameters of {blocks.template.name}; got {target:,}"
        raise InvalidInput.at("target", message)
    count = bisect_left(range(len(ranked) + 1), -target, key=lambda removed: -parameters(removed))
    return mask_of_channels(blocks, ordered, _kept(full, ranked[:count]))


def _removable(weights: Mapping[str, Tensor], blocks: NodeBlocks) -> list[_Channel]:
    """Return the channels that may be removed, the weakest first: all but the strongest of each convolution."""
    found: list[_Channel] = []
    for place in convolutions(blocks):
        means = weights[f"{place.name}.weight"].detach().double().abs().mean((1, 2, 3)).tolist()  # [o]
        found.extend(sorted(_Channel(mean, place, index) for index, mean in enumerate(means))[:-1])
    return sorted(found)


def _left(full: Mapping[LayerPlace, int], removed: Sequence[_Channel]) -> dict[LayerPlace, int]:
    """Return how many channels each convolution has left."""
    gone = Counter(channel.place for channel in removed)
    return {place: channels - gone[place] for place, channels in full.items()}


def _kept(full: Mapping[LayerPlace, int], removed: Sequence[_Channel]) -> Kept:
    kept = {place: torch.ones(channels, dtype=torch.bool) for place, channels in full.items()}
    for channel in removed:
        kept[channel.place][channel.index] = False
    return kept


def cut(model: TreeModel, mask: Mask) -> TreeModel:
    """Return the smaller dense model without the channels that ``mask`` removes; the given one stays as it is.

    It answers as the given one does when what the mask removes is 0.

    Raises:
        InvalidInput: at ``template``: it has layers that can't do without single channels; at ``mask``: it removes
            something else than whole channels, or all channels of a convolution.
    """
    blocks, tasks = model.blocks, model.tasks
    kept = {
        place: mask[name].flatten(1).any(1).cpu()
        for place in convolutions(blocks)
        if (name := f"{place.name}.weight") in mask
    }
    if emptied := [place.name for place, channels in kept.items() if not channels.any()]:
        raise InvalidInput.at("mask", f"every convolution keeps a channel or more; none are left of {emptied}")
    _check_whole(mask, mask_of_channels(blocks, tasks, kept))
    narrow = narrowed(blocks, {place: int(channels.sum()) for place, channels in kept.items()})
    with torch.device("meta"):  # no random numbers are drawn, no memory is taken
        smaller = TreeModel(model.tree, blocks.template, tasks, narrow.blocks)
    shapes = {name: tensor.shape for name, tensor in smaller.state_dict().items()}
    tensors = {name: _kept_numbers(name, one, mask).reshape(shapes[name]) for name, one in model.state_dict().items()}
    smaller.load_state_dict(tensors, assign=True)
    return smaller.train(model.training)


def without_zeros(model: TreeModel) -> TreeModel:
    """Return the smaller dense model of one whose removed channels are 0 (`channel_mask`).

    Raises:
        InvalidInput: as `cut`.
        ValueError: a kernel is 0, and what belongs to it is not.
    """
    weights = dict(model.named_parameters())
    places = convolutions(model.blocks)
    mask = mask_of_channels(
        model.blocks, model.tasks, {place: weights[f"{place.name}.weight"].flatten(1).any(1) for place in places}
    )
    if wrong := [name for name, kept in mask.items() if weights[name][~kept].any()]:
        raise ValueError(f"a removed channel is 0 everywhere; got {wrong}")
    return cut(model, mask)


def _check_whole(mask: Mask, whole: Mask) -> None:
    """Check that a mask is the one of whole channels, but for parameters that it names though they are whole."""
    given = {name: kept.cpu() for name, kept in mask.items() if not kept.all()}
    for name in {**given, **whole}:
        if name not in given or name not in whole or not torch.equal(given[name], whole[name]):
            raise InvalidInput.at("mask", f"it removes whole channels, and all that reads them; {name} does not fit")


def _kept_numbers(name: str, tensor: Tensor, mask: Mask) -> Tensor:
    """Return the kept numbers of a parameter, or of statistics that go with the weight of the same module.

    They are flat if they are fewer.
    """
    module, _, own = name.rpartition(".")
    if own in _STATISTICS:
        name = f"{module}.weight"
    return tensor[mask[name].to(tensor.device)] if name in mask and tensor.ndim else tensor.clone()


_STATISTICS = ("running_mean", "running_var")
"""Of a batch normalisation: one number for each channel."""

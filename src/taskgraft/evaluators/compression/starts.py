"""The starts of pruning's rounds: which weights stay, and what values they begin with. Needs no torch to be made."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from taskgraft.evaluators.start import Fresh
from taskgraft.space.tree import BranchTree

if TYPE_CHECKING:
    from torch import Tensor

    from taskgraft.evaluators.compression.restraint import Masked, Shared
    from taskgraft.evaluators.models.tree_model import TreeModel


@dataclass(frozen=True, slots=True)
class Ticket:
    """The ``keep`` largest weights of a trained model of the same tree, at their initial values again.

    ``weights`` are those of `taskgraft.evaluators.training.pack_weights`. ``rewind`` is the share of the training's
    steps after which the values are taken, 0..1; 0 takes the initial ones. Source: Frankle and Carbin, The lottery
    ticket hypothesis, ICLR 2019; rewinding to a later step: Frankle et al., ICML 2020. Implements
    `taskgraft.evaluators.start.Start`.
    """

    keep: int
    rewind: float
    weights: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """The SHA-256, in hexadecimal, of all of it."""
        return _digest("ticket", self.keep, self.rewind, self.weights)

    def prepare(self, model: "TreeModel", fresh: Fresh) -> "Masked":
        """Rewind the weights, and set the pruned ones to 0."""
        from taskgraft.evaluators.compression.kernel_masks import pruned  # noqa: PLC0415  # torch is for trainings
        from taskgraft.evaluators.compression.restraint import Masked  # noqa: PLC0415

        mask = pruned(_unpacked(self.weights), self.keep)
        if self.rewind:
            model.load_state_dict(fresh(model.tree, self.rewind).state_dict())
        return Masked(model, mask)


@dataclass(frozen=True, slots=True)
class Thinned:
    """A trained model of the same tree without the channels that matter least, so that ``parameters`` are left.

    The channels that stay begin with their trained values. ``weights`` are those of the trained model, in the form of
    `Ticket`. Source: Li et al., Pruning filters for efficient ConvNets, ICLR 2017
    (`taskgraft.evaluators.compression.channels`). Implements `taskgraft.evaluators.start.Start`.
    """

    parameters: int
    weights: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """The SHA-256, in hexadecimal, of all of it."""
        return _digest("thinned", self.parameters, self.weights)

    def prepare(self, model: "TreeModel", fresh: Fresh) -> "Masked":
        """Put the trained weights into the model, and set the channels that go to 0.

        Raises:
            InvalidInput: the template can't do without single channels, or is larger with one channel per convolution.
        """
        from taskgraft.evaluators.compression.channels import channel_mask  # noqa: PLC0415
        from taskgraft.evaluators.compression.restraint import Masked  # noqa: PLC0415

        trained = _unpacked(self.weights)
        model.load_state_dict(trained)
        return Masked(model, channel_mask(trained, model.blocks, model.tasks, self.parameters))


@dataclass(frozen=True, slots=True)
class SharedTickets:
    """A ticket of each task, trained together: columns whose kernels are one set of at most ``keep`` weights.

    ``weights`` are those of a trained and pruned model of each task alone, in the order of the tree; what is 0 there is
    no weight of the task. If all of these together are more than ``keep``, those that are nearest to 0 in every task
    are dropped. Normalisations, biases and heads are each column's own, and begin as those of a model of its tasks.
    ``rewind`` is as in `Ticket`. Sources: Xiao et al. 2020 (LT4REC); Sun et al., Learning sparse sharing architectures
    for multiple tasks, AAAI 2020. Implements `taskgraft.evaluators.start.Start`.
    """

    keep: int
    rewind: float
    weights: tuple[bytes, ...] = field(repr=False)

    @property
    def digest(self) -> str:
        """The SHA-256, in hexadecimal, of all of it."""
        return _digest("shared tickets", self.keep, self.rewind, *self.weights)

    def prepare(self, model: "TreeModel", fresh: Fresh) -> "Shared":
        """Give every column its weights, at their initial values, and tie those that several columns keep.

        Raises:
            ValueError: the root of the tree has blocks, or there is not one model for each task.
        """
        from taskgraft.evaluators.compression.columns import column_masks, columns_of, rewind  # noqa: PLC0415
        from taskgraft.evaluators.compression.restraint import Shared  # noqa: PLC0415

        kept = column_masks([_unpacked(one) for one in self.weights], self.keep)
        columns = columns_of(model.tree)
        rewind(model, lambda tasks: fresh(BranchTree.flat(tasks, model.tree.depth, model.tree.depth), self.rewind))
        masks = dict(zip(model.tree.tasks, kept, strict=True))
        return Shared(model, [(column.names(masks[column.tasks[0]]), masks[column.tasks[0]]) for column in columns])


def _unpacked(weights: bytes) -> "Mapping[str, Tensor]":
    from safetensors.torch import load  # noqa: PLC0415

    return load(weights)


def _digest(kind: str, *parts: object) -> str:
    said = hashlib.sha256(kind.encode())
    for part in parts:
        said.update(b"\n" + (hashlib.sha256(part).digest() if isinstance(part, bytes) else repr(part).encode()))
    return said.hexdigest()

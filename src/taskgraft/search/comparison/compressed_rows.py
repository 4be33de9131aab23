"""Which networks the rows of compression have: pruned to the size of the delivered tree, or made of that tree."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.compression.rounds import rounds
from taskgraft.search.comparison.protocol import Known, Part
from taskgraft.search.evidence.trees import components, flat_tree
from taskgraft.search.study.comparison import Comparison
from taskgraft.search.study.compression_spec import Prune
from taskgraft.search.study.pruning import Pruned, Pruning
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.cost import tree_cost
from taskgraft.space.pruning import kernel_weights, weights_within, width_as_large_as_independent
from taskgraft.space.template import Template
from taskgraft.space.templates.registry import resized
from taskgraft.space.tree import BranchTree

LEFT = 0.5
"""The share of the tree's parameters that is left of it when whole channels are pruned."""


@dataclass(frozen=True)
class Wide:
    """A network of all tasks that is as large as one for each, and the size that it is pruned to.

    ``width`` is that of the encoder, and ``parameters`` are those of the delivered tree.
    """

    comparison: Comparison
    template: Template
    width: float
    parameters: int

    @classmethod
    def of(cls, spec: StudySpec, comparison: Comparison) -> "Wide":
        """Return the network for a comparison whose tree is known.

        Raises:
            InvalidInput: the encoder is the user's own.
        """
        width = width_as_large_as_independent(spec.encoder, comparison.tasks)
        tree = comparison.tree or flat_tree(spec.task_names, spec.encoder.depth, spec.encoder.depth)
        size = tree_cost(tree, spec.encoder, comparison.tasks).parameters or 0
        return cls(comparison, resized(spec.encoder, width), width, size)

    @property
    def flat(self) -> BranchTree:
        """The tree that shares all blocks."""
        return flat_tree(tuple(task.name for task in self.comparison.tasks), self.template.depth, self.template.depth)

    def ticket(self) -> Training:
        """Return the last round of pruning all tasks together.

        Raises:
            InvalidInput: the heads alone are larger than the size.
        """
        return Training(self.flat, pruning=Pruning(Pruned.WEIGHTS, self._rounds(self.flat), self.width))

    def shared_tickets(self) -> Training:
        """Return the training of all tasks together after each was pruned alone.

        Raises:
            InvalidInput: the heads, and what each task has for itself, are larger than the size.
        """
        columns = flat_tree(self.flat.tasks, 0, self.template.depth)
        alone = self._rounds(columns)
        if not alone:
            return Training(self.flat, pruning=Pruning(Pruned.WEIGHTS, (), self.width))
        return Training(columns, pruning=Pruning(Pruned.SHARED, (*alone, alone[-1]), self.width))

    @property
    def most_rounds(self) -> int:
        """The trainings of a row that prunes each task down to one weight: no row has more."""
        alone = rounds(kernel_weights(self.flat, self.template), 1)
        return len(self.comparison.tasks) * (1 + len(alone)) + 1

    def _rounds(self, tree: BranchTree) -> tuple[int, ...]:
        """Return what the rounds of one encoder leave, until a tree has the size."""
        left = weights_within(tree, self.template, self.comparison.tasks, self.parameters)
        return rounds(kernel_weights(self.flat, self.template), left)


Network = Callable[[Wide], Training]
"""Makes the last training of a row."""


@lru_cache(maxsize=16)  # every decision asks for it, and it never changes
def network_of(spec: StudySpec, comparison: Comparison, network: Network) -> Training:
    """Return the last training of a row, for a comparison whose tree is known.

    Raises:
        InvalidInput: the encoder is the user's own, or what is never pruned is larger than the tree.
    """
    return network(Wide.of(spec, comparison))


@lru_cache(maxsize=16)
def why_not(spec: StudySpec, comparison: Comparison, network: Network) -> str | None:
    """Return why a network of a study can't be pruned and rewound to its first weights; None if it can."""
    if spec.training.has_trunk:
        return "kept weights go back to those that the seed draws, and the study's models start from a trunk"
    if spec.imported:
        return "an encoder of your own can't be pruned, since nothing is known of its layers"
    if comparison.tree is None or not comparison.tasks:
        return None
    try:
        network_of(spec, comparison, network)
    except InvalidInput as error:
        return error.faults[0].message
    return None


def half_of(part: BranchTree, known: Known) -> Part:
    """Return a part of the delivered tree without the channels that make half of it."""
    made = Prune(size=LEFT).pruning(part, known.spec.encoder, known.comparison.tasks)
    assert made  # a step that prunes prunes every part
    return Part(Training(part, pruning=made[1]), part.tasks)


def half_size(part: BranchTree, spec: StudySpec, comparison: Comparison) -> int:
    """Return how many parameters are left of a part of the delivered tree when whole channels are pruned."""
    return Prune(size=LEFT).left(part, spec.encoder, comparison.tasks)


def parts_of_tree(known: Known) -> tuple[BranchTree, ...]:
    """Return the parts of the delivered tree; none while it is not known."""
    return components(known.comparison.tree) if known.comparison.tree else ()

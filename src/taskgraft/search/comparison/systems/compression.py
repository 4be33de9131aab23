"""Systems `compression`: pruned networks of the delivered tree's size, and smaller forms of that tree."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.algorithms.distil import Distil
from taskgraft.search.comparison.compressed_rows import (
    LEFT,
    Network,
    Wide,
    half_of,
    half_size,
    network_of,
    parts_of_tree,
    why_not,
)
from taskgraft.search.comparison.protocol import Family, Known, Model, Part, System
from taskgraft.search.comparison.refusals import too_few_tasks
from taskgraft.search.evidence.pruned import all_rounds
from taskgraft.search.evidence.trees import components
from taskgraft.search.study.comparison import Comparison
from taskgraft.search.study.recipe_text import recipe_of
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.narrowing import check_channels, one_channel_each
from taskgraft.space.tree import BranchTree

_DISTIL = recipe_of({"algorithm": Distil().to_plain()})


class Compression(Family):
    """All of them, each a system of its own."""

    name = "compression"

    def words(self, spec: StudySpec) -> tuple[str, ...]:
        """Return the name for all rows, and the name of each."""
        return (self.name, *(row.name for row in ROWS))

    def named(self, word: str, spec: StudySpec) -> Sequence[System]:
        """Return all rows, or the one of that name."""
        return [row for row in ROWS if word in (self.name, row.name)]


@dataclass(frozen=True)
class _Row(System):
    """A row of compression; ``said`` is its summary."""

    name: str
    said: str

    @property
    def summary(self) -> str:
        """What it is."""
        return self.said

    @property
    def family(self) -> str:
        """The name for all rows."""
        return Compression.name


@dataclass(frozen=True)
class PrunedWide(_Row):
    """A network that is as large as one for each task, pruned to the size of the delivered tree."""

    network: Network

    def refusal(self, spec: StudySpec, comparison: Comparison) -> str | None:
        """Refuse a single task, models that start from a trunk, and a tree smaller than what is never pruned."""
        return too_few_tasks(spec, 2) or why_not(spec, comparison, self.network)

    def models(self, known: Known) -> Sequence[Model]:
        """Return the network after its last round; nothing before the size of the tree is known."""
        if known.comparison.tree is None:
            return ()
        training = network_of(known.spec, known.comparison, self.network)
        assert training.pruning  # its width is another one than the study's
        rounds = len(training.pruning.keeps)
        note = f"{training.pruning.width:g} times the width, {rounds} round{'s' * (rounds != 1)} of pruning"
        return (Model(self.name, (Part(training, training.tasks),), note),)

    def most_to_come(self, spec: StudySpec, comparison: Comparison) -> int:
        """Return the rounds down to the size of one network, the smallest tree that there can be.

        If that is below what is never pruned, they are those down to one weight.
        """
        if comparison.tree or not comparison.tasks:
            return 0
        try:
            return len(all_rounds(network_of(spec, comparison, self.network)))
        except InvalidInput:
            return Wide.of(spec, comparison).most_rounds


@dataclass(frozen=True)
class OfTree(_Row):
    """The delivered tree in another form: each of its parts is one network."""

    part: Callable[[BranchTree, Known], Part]
    lacks: Callable[[StudySpec, Comparison], str | None] = lambda _, __: None

    def refusal(self, spec: StudySpec, comparison: Comparison) -> str | None:
        """Refuse a single task, and templates that it can't do."""
        return too_few_tasks(spec, 2) or self.lacks(spec, comparison)

    def models(self, known: Known) -> Sequence[Model]:
        """Return the tree; nothing before it is known."""
        parts = tuple(self.part(part, known) for part in parts_of_tree(known))
        return (Model(self.name, parts),) if parts else ()

    def most_to_come(self, spec: StudySpec, comparison: Comparison) -> int:
        """Return one network for each task, while the tree is not known."""
        return 0 if comparison.tree else len(spec.tasks)

    def rests_on_the_search(self) -> bool:
        """Return True: the tree was found by it."""
        return True


def _distilled(part: BranchTree, _: Known) -> Part:
    """Return a part that its baselines teach; a task alone is its own baseline."""
    return Part.whole(part, _DISTIL if len(part.tasks) > 1 else None)


def _has_no_teachers(spec: StudySpec, comparison: Comparison) -> str | None:
    if spec.training.algorithm.taught(spec.task_names):
        return "the study's own algorithm has teachers, so that its tree is the row tree"
    if comparison.tree and not comparison.tree.is_shared:
        return "the study found nothing to share, and baselines teach models of several tasks"
    return None


def _quantised(part: BranchTree, _: Known) -> Part:
    return replace(Part.whole(part), is_quantised=True)


def _needs_channels(spec: StudySpec, comparison: Comparison) -> str | None:
    try:
        check_channels(spec.encoder)
    except InvalidInput as error:
        return error.faults[0].message
    for part in components(comparison.tree) if comparison.tree and comparison.tasks else ():
        left, least = half_size(part, spec, comparison), one_channel_each(part, spec.encoder, comparison.tasks)
        if left < least:
            return f"one channel per convolution leaves {least:,} parameters of {'+'.join(part.tasks)}; got {left:,}"
    return None


ROWS: tuple[System, ...] = (
    PrunedWide(
        "lth",
        "a wider network that shares all blocks, pruned to the tree's size round by round (Frankle and Carbin 2019)",
        Wide.ticket,
    ),
    PrunedWide(
        "lt4rec",
        "the same for each task alone; then all of them share what is left (Xiao 2020, Sun 2020)",
        Wide.shared_tickets,
    ),
    OfTree("tree-distil", "the tree, taught by the baselines (Hinton 2015)", _distilled, _has_no_teachers),
    OfTree(
        "tree-prune", f"the tree without {1 - LEFT:.0%} of it, in whole channels (Li 2017)", half_of, _needs_channels
    ),
    OfTree("tree-int8", "the tree with weights and activations of 8 bits (ONNX static quantisation)", _quantised),
)
"""In the order of the rows."""

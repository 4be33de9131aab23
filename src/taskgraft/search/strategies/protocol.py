"""What a strategy is: the protocol that every one implements, and the values that it answers with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.task_spec import TaskSpec
from taskgraft.search.study.trial import Training
from taskgraft.space.matrix import Pair
from taskgraft.space.tree import BranchTree, Node

Models = list[tuple[TaskSpec, ...]]
"""The tasks of each model that is trained."""


@dataclass(frozen=True, slots=True)
class Questions:
    """The open questions of a study."""

    ready: tuple[Training, ...]
    """May be trained now, the most urgent first."""
    left: int
    """Trainings still to come, those included, as far as can be known now."""
    verifications: int
    """Trainings that the verification of a tree takes, if nothing has to be repaired."""
    tree: Callable[[], BranchTree | None]
    """Returns the tree that follows from the answers so far; None while more answers are needed."""


@dataclass(frozen=True, slots=True)
class OpenCells:
    """Cells that a strategy would still ask about if no budget ended it, and the trainings that would answer them."""

    cells: Mapping[Pair, tuple[int, ...]]
    at_least: int
    at_most: int


@dataclass(frozen=True, slots=True)
class QuestionsLeft:
    """How many questions are still to come; each is asked as often as the study has repeats."""

    most: int
    likely: tuple[float, float]
    """The range that is likely, given how many answers were good so far."""
    longest: int
    """The most questions that follow one another."""
    most_saved: int
    """Blocks that the tree may save at most; each repair of it takes away one of them at least."""


class SearchStrategy(Protocol):
    """Decides what a study asks. Every method is a pure function of the study and of what is known.

    The baselines, and the verification and repair of the tree that follows, are the same for all strategies
    (`taskgraft.search.strategies.strategy.decide`). To add a strategy, implement this in a file of its own, and enter
    it in `taskgraft.search.strategies.registry` under its word in `taskgraft.search.study.spec.Strategy`.
    """

    def open_questions(self, spec: StudySpec, evidence: Evidence) -> Questions:
        """Return what to ask next, and the tree that follows once nothing is open."""
        ...

    def open_cells(self, spec: StudySpec, evidence: Evidence) -> OpenCells:
        """Return the cells that may still be asked about; the baselines must be known."""
        ...

    def questions_left(self, spec: StudySpec, evidence: Evidence) -> QuestionsLeft | None:
        """Return how many questions are still to come; None if only the plan of the whole study bounds them."""
        ...

    def expected_questions(self, spec: StudySpec) -> int:
        """Return how many trainings answer all questions of a study on average, those of its tree included."""
        ...

    def likely_questions(self, spec: StudySpec, most: int, baselines: int) -> int:
        """Return how many trainings are enough for all questions in nearly every study, if only the plan bounds them.

        At most ``most`` trainings are still to come, of which ``baselines`` are baselines.
        """
        ...

    def fewest_models(self, spec: StudySpec) -> Models:
        """Return what the luckiest study trains after its baselines, its tree included."""
        ...

    def fewest_without_sharing(self, spec: StudySpec) -> int:
        """Return how many models a study that finds nothing to share trains at least after its baselines."""
        ...

    def most_models(self, spec: StudySpec) -> Models:
        """Return what the unluckiest study trains to answer its questions."""
        ...

    def wants_affinities(self, training: Training, spec: StudySpec, evidence: Evidence) -> bool:
        """Return whether a training shall measure how much its tasks agree."""
        ...

    def blamed_trees(
        self, pair: Pair, node: Node, of_pair: Sequence[BranchTree], broken: Sequence[BranchTree]
    ) -> Sequence[BranchTree]:
        """Return the trees because of which a pair shares no more than a node's blocks, the most telling first.

        ``of_pair`` are trees of the pair alone that share more, all known and broken, and ``broken`` all trees that do
        not meet the threshold.
        """
        ...

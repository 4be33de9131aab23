"""What a system is: the protocol that every row of a comparison implements, and the values that it answers with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.trees import flat_tree
from taskgraft.search.study.comparison import Comparison
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known while a comparison runs: what is compared, and the trainings that have ended."""

    comparison: Comparison
    evidence: Evidence

    @property
    def spec(self) -> StudySpec:
        """The study that the comparison is."""
        return self.evidence.spec

    @property
    def tasks(self) -> tuple[str, ...]:
        """All tasks, in the order of the study."""
        return self.spec.task_names

    @property
    def depth(self) -> int:
        """How many blocks the template has."""
        return self.spec.encoder.depth

    def flat(self, tasks: Sequence[str], shared: int | None = None) -> BranchTree:
        """Return the tree in which tasks share so many blocks, by default all."""
        return flat_tree(tuple(tasks), self.depth if shared is None else shared, self.depth)

    def have_ended(self, trainings: Sequence[Training]) -> bool:
        """Return whether all of these have a measurement."""
        return all(self.evidence.facts.find(training) is not None for training in trainings)

    def metrics(self, training: Training) -> Mapping[str, float]:
        """Return the validation metrics of a training that has ended."""
        return self.evidence.facts.known[training].metrics


@dataclass(frozen=True, slots=True)
class Part:
    """One network of a model: the training of its first seed, and which of the tasks it is asked about.

    Raises:
        ValueError: no task, or one that it was not trained on.
    """

    training: Training
    answers: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.answers or not set(self.answers) <= set(self.training.tasks):
            raise ValueError(f"a part answers one or more of {self.training.tasks}; got {self.answers}")

    @classmethod
    def whole(cls, tree: BranchTree) -> "Part":
        """Return the network of a tree that answers all of its tasks."""
        return cls(Training(tree), tree.tasks)


@dataclass(frozen=True, slots=True)
class Model:
    """One row: the networks that answer all tasks together, each task by one of them. ``note`` says what is special.

    Raises:
        ValueError: a task that two networks answer.
    """

    name: str
    parts: tuple[Part, ...]
    note: str = ""

    def __post_init__(self) -> None:
        answered = [task for part in self.parts for task in part.answers]
        if len(set(answered)) != len(answered):
            raise ValueError(f"each task is answered by one network; got {answered}")


class System(Protocol):
    """A row of a comparison, or several of one kind. Every method is a pure function of its arguments.

    The baselines are trained for all systems, so that their metrics may be looked at in `asks` and `models`. To add a
    system, implement this in a file of its own in `taskgraft.search.comparison.systems`, and enter it in
    `taskgraft.search.comparison.registry`.
    """

    name: str
    summary: str
    """One line: what it is, and its source."""

    def words(self, spec: StudySpec) -> tuple[str, ...]:
        """Return the words that users may ask for it by: its name, and those of single rows of it."""
        return (self.name,)

    def named(self, word: str) -> "System":
        """Return what a word of `words` asks for."""
        return self

    def refusal(self, spec: StudySpec, comparison: Comparison) -> str | None:
        """Return why it has no row for a study; None if it has one."""
        return None

    def asks(self, known: Known) -> Sequence[Training]:
        """Return the trainings by which the models are chosen, as far as known; they may follow one another."""
        return ()

    def models(self, known: Known) -> Sequence[Model]:
        """Return the models, which are then trained with every seed; none while `asks` has trainings to come."""
        ...

    def most_to_come(self, spec: StudySpec, comparison: Comparison) -> int:
        """Return how many networks may be asked for at most that can't be named before others have ended."""
        return 0

    def looks_ahead(self, training: Training, known: Known) -> bool:
        """Return whether a training shall measure lookahead affinities (`taskgraft.evaluators.lookahead`)."""
        return False

    def rests_on_the_search(self) -> bool:
        """Return whether the trainings of the compared study's search belong to what the row took."""
        return False

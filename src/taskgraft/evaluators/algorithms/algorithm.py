"""Training algorithms: plain values, which studies are checked with before torch is imported.

An algorithm owns the steps of a training: which tasks and clips a step has, what is frozen, teachers, penalties and
phases. Batches, evaluation, checkpoints and their choice are the `taskgraft.evaluators.training.Trainer`'s.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.algorithms.options import Option
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.pools import Pool, by_corpus
from taskgraft.space.tasks import TaskKind
from taskgraft.space.template import Template

if TYPE_CHECKING:
    from taskgraft.evaluators.algorithms.learner import Learner
    from taskgraft.evaluators.algorithms.steps import PlainSteps

NO_OPTIONS: Mapping[str, Option] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Algorithm(ABC):
    """How the steps of a training go. Its fields are the options of a study file.

    Raises:
        InvalidInput: with every option that is wrong, at its name.
    """

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Option]] = NO_OPTIONS
    is_like_alone: ClassVar[bool] = False
    """Whether a task learns as fast as its baseline does, so that the baseline tells what it may still gain."""
    has_phases: ClassVar[bool] = False
    """Whether it takes the planned steps once for each task, so that only its last checkpoints are whole models."""
    learns_from_unlabelled: ClassVar[bool] = False
    """Whether clips without a label change its result."""

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in self.options}
        faults = {name: option.fault(given[name]) for name, option in self.options.items()}
        if any(faults.values()):
            raise InvalidInput(Fault(name, f"{rule}; got {given[name]!r:.80}") for name, rule in faults.items() if rule)

    def faults(self, tasks: Mapping[str, TaskKind]) -> Iterator[Fault]:
        """Yield why it can't train a study of these tasks, at the option that says so; "" if it is none."""
        yield from ()

    def taught(self, tasks: Sequence[str]) -> Sequence[str]:
        """Return the tasks of a model whose baselines teach it; none if it does without teachers."""
        return ()

    def among(self, tasks: Sequence[str]) -> "Algorithm":
        """Return an algorithm that trains models of some tasks in the very same way, the plainest that there is."""
        return self

    @property
    def nuisance_label(self) -> tuple[str, str | None] | None:
        """The label column that it trains against, with its dataset if it is named; None if there is none."""
        return None

    def phases(self, tasks: Sequence[str]) -> int:
        """Return how many times a model of these tasks takes the planned steps."""
        return len(tasks) if self.has_phases else 1

    def pools(self, tasks: Sequence[TaskData], size: int) -> Mapping[str, Pool]:
        """Return the clips that its steps draw from, in batches of ``size``."""
        return by_corpus(tasks, size)

    def template(self, given: Template) -> Template:
        """Return the template of the models that it trains, if a study names ``given``."""
        return given

    @abstractmethod
    def begin(self, learner: "Learner") -> "PlainSteps":
        """Return the steps of one training. Needs torch."""

    def to_plain(self) -> str | dict[str, Any]:
        """Return the name, or name and options if there are any, as plain data."""
        said = {name: getattr(self, name) for name in self.options}
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}
        return {"name": self.name, **plain} if plain else self.name

"""What a finished study found: the verdict on its model, and the figures of every task."""

from dataclasses import dataclass
from enum import StrEnum

from taskgraft.errors import InvalidInput


class FinalVerdict(StrEnum):
    """Whether a delivered model keeps the threshold Q."""

    VERIFIED = "verified"
    """The upper bound of every task is at most Q."""
    NOT_REFUTED = "not_refuted"
    """The test split cannot tell."""
    REFUTED = "refuted"
    """The lower bound of some task is above Q."""

    @property
    def words(self) -> str:
        """The verdict as people read it."""
        return self.value.replace("_", " ")


@dataclass(frozen=True, slots=True)
class TaskResult:
    """One task of the delivered model on the test split; all figures but errors are fractions.

    ``reduction`` is ``1 - final / baseline``, for errors ``final / baseline - 1``: below 0 when the task gained.
    ``upper`` bounds it with an error of 5 %, ``lower`` with 5 % divided by the number of tasks in the verdict.
    ``test_groups`` are the independent groups that bounds rest on, None when clips are taken as independent. A task
    whose baseline is at chance, or not above 0, is part of no verdict: its reduction and bounds are None.

    Raises:
        InvalidInput: a task above chance without bounds, or bounds that do not hold the reduction.
    """

    name: str
    metric: str
    baseline: float
    final: float
    test_clips: int
    test_groups: int | None = None
    at_chance: bool = False
    reduction: float | None = None
    lower: float | None = None
    upper: float | None = None

    def __post_init__(self) -> None:
        if self.at_chance:
            if (self.reduction, self.lower, self.upper) != (None, None, None):
                raise InvalidInput.at(self.name, "a task at chance has no reduction")
        elif self.reduction is None or self.lower is None or self.upper is None:
            raise InvalidInput.at(self.name, "a task above chance has a reduction and its bounds")
        elif not self.lower <= self.reduction <= self.upper:
            raise InvalidInput.at(
                self.name, f"bounds hold the reduction; got {self.reduction} in {self.lower} to {self.upper}"
            )

    @property
    def bounds(self) -> tuple[float, float]:
        """Lower and upper bound; those of a task at chance say nothing."""
        return (0.0 if self.lower is None else self.lower, 0.0 if self.upper is None else self.upper)


@dataclass(frozen=True, slots=True)
class RetrainedTask:
    """One task over all further seeds, on the test split: means, and the 95 % interval of the reduction."""

    name: str
    metric: str
    baseline: float
    final: float
    reduction: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Retrained:
    """A tree that was trained again with further seeds; all on the test split.

    ``ars`` has the AR of each seed against the mean baselines, ``ar_mean`` is their mean, and ``ar_interval`` is
    the 95 % interval of its expectation over clips and seeds. Tasks that share nothing, or are at chance, are not
    listed.
    """

    seeds: int
    ar_mean: float
    ar_interval: tuple[float, float]
    ars: tuple[float, ...]
    tasks: tuple[RetrainedTask, ...]


@dataclass(frozen=True, slots=True)
class EightBits:
    """The model of 8 bits, as the runtime answers with it on the test split; ``weight_bytes`` is what its numbers take.

    ``verdict`` is None if no task is part of one.
    """

    weight_bytes: int
    float_weight_bytes: int
    ar: float
    verdict: FinalVerdict | None


@dataclass(frozen=True, slots=True)
class Compressed:
    """What a study's compression made of its tree. The ``steps`` are their names.

    ``is_pruned`` is whether the pruned tree is what was delivered; ``parameters`` count what pruning has set to 0, too,
    ``stored_bytes`` is the size of the tensors, and ``packed_bytes`` that of values and bit masks.
    """

    steps: tuple[str, ...]
    is_pruned: bool
    parameters: int
    stored_bytes: int
    packed_bytes: int
    eight_bits: EightBits | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a finished study found, on the test split.

    ``verdict`` is about the weights in the bundle; ``scope`` says what they were compared with. ``verified_for`` is the
    smallest threshold that they would be verified for, None when there is none below 1. ``ar`` and its 95 % interval,
    and ``tasks``, are what it follows from. ``retrained`` says what the tree keeps on average when it is trained again;
    None unless the study asked for that. Results from before verdicts had bounds have no tasks. ``parameters`` are
    those that are not 0; ``compression`` says what was made of the tree, None if nothing was asked for.
    """

    verdict: FinalVerdict
    ar: float
    ar_interval: tuple[float, float]
    parameters: int
    independent_parameters: int
    macs_per_second: int
    verified_for: float | None = None
    scope: str = ""
    tasks: tuple[TaskResult, ...] = ()
    retrained: Retrained | None = None
    compression: Compressed | None = None

    @property
    def verified(self) -> bool:
        """Whether the verdict is ``verified``."""
        return self.verdict is FinalVerdict.VERIFIED

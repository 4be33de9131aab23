"""`training.epochs: auto`: the length of all trainings of a study, chosen from its baselines before any pair.

The rule and its equations: docs/training_length.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from taskgraft.evaluators.measurement import Measurement, Outcomes
from taskgraft.search.evidence.chance import is_at_chance
from taskgraft.search.statistics.repeats import Repeats
from taskgraft.search.statistics.training_length import (
    DOUBLINGS,
    Gain,
    SeedSpread,
    SeedSpreads,
    is_doubling_worth,
    training_lengths,
)
from taskgraft.search.study.fields import AUTO
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree


class Finding(StrEnum):
    """What the baselines of one length say about it."""

    OPEN = "open"
    """Some of them are still to be trained."""
    GAIN = "gain"
    """Too short: twice the length is better by more than Q / 2."""
    SEEDS = "seeds"
    """Too short: seeds add more than Q / 2 to the noise of clips."""
    NOTHING_LEARNT = "nothing learnt"
    """Too short: no task is better than chance, after twice the length neither."""
    LONG_ENOUGH = "long enough"

    @property
    def is_too_short(self) -> bool:
        """Whether the search goes on at twice the length."""
        return self in (Finding.GAIN, Finding.SEEDS, Finding.NOTHING_LEARNT)


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of one length. Tasks at chance say nothing and are left out."""

    epochs: int
    finding: Finding
    gains: Mapping[str, Gain] = field(default_factory=lambda: MappingProxyType({}))
    spreads: Mapping[str, SeedSpread] = field(default_factory=lambda: MappingProxyType({}))

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "epochs": self.epochs,
            "finding": self.finding.value,
            "gains": {task: asdict(gain) for task, gain in self.gains.items()},
            "spreads": {task: asdict(spread) for task, spread in self.spreads.items()},
        }


@dataclass(frozen=True, slots=True)
class LengthLeft:
    """What the choice of a length still takes; the unit of work is a training of the first length."""

    at_most: int = 0
    """Baselines that it may still ask for."""
    work: tuple[float, float] = (0.0, 0.0)
    """What is known to come, and the most that may come."""
    chain: float = 0.0
    """The most work that follows one another."""
    longest: float = 1.0
    """The longest training that may be under way."""
    stretch: tuple[float, float] = (1.0, 1.0)
    """How long all other trainings will be, at least and at most."""


def study_lengths(spec: StudySpec, epoch_clips: int) -> tuple[int, ...]:
    """Return the lengths that a study may try, in epochs of so many clips; empty if it says how long to train."""
    if spec.training.epochs != AUTO:
        return ()
    return training_lengths(-(-epoch_clips // spec.training.batch_size))


def length_warnings(spec: StudySpec, spreads: SeedSpreads) -> list[str]:
    """Say that the epochs which a study says are too few: its baselines differ by their seed more than by their clips.

    Empty if they are not, if nothing was trained twice, or if the study leaves its length open.
    """
    epochs, task = spec.training.epochs, spreads.worst
    if epochs == AUTO or task is None or not spreads.exceed(spec.ar_threshold / 2):
        return []
    seeds, clips = spreads.by_task[task].seeds, spreads.by_task[task].clips
    return [
        f"training: {epochs} epochs are short: seeds of {task} differ by {100 * seeds:.1f} % where clips explain "
        f"{100 * clips:.1f} %; try {2 * epochs} or `epochs: auto`"
    ]


class LengthSearch:
    """The search of one study for its training length, over what is ``known`` at the time of each call.

    At each length, the first baselines are trained there and at twice the length; if that gains too little, second
    baselines show what seeds do. ``lengths`` ascend; readers of a ledger leave them out, since its shortest training is
    of the first length.
    """

    def __init__(
        self,
        spec: StudySpec,
        known: Mapping[Training, Measurement],
        baselines: Mapping[str, BranchTree],
        lengths: Sequence[int] = (),
    ) -> None:
        self._metrics = spec.metrics
        self._worth = spec.ar_threshold / 2
        self._has_trunk = spec.training.has_trunk
        self._known = known
        self._baselines = baselines
        self._lengths = tuple(lengths)
        self._closed: dict[int, Look] = {}
        self._used: int | None = None

    def take_looks(self, other: "LengthSearch") -> None:
        """Take the looks that another search has closed already, over trainings that this one knows, too."""
        self._lengths, self._used = other._lengths, other._used
        self._closed.update(other._closed)

    @property
    def lengths(self) -> tuple[int, ...]:
        """The lengths that may be tried, in epochs; empty if nothing tells."""
        if not self._lengths:
            shortest = min((one.epochs for one in self._known if one.epochs), default=None)
            return tuple(shortest * 2**doubling for doubling in range(DOUBLINGS + 1)) if shortest else ()
        return self._lengths

    @property
    def epochs(self) -> int | None:
        """The length that the study uses: the chosen one.

        While none is chosen, or if the budget ended before, it is the longest whose first baselines are all known; else
        the first.
        """
        return self._in_use() or self.chosen or self._longest_known()

    def _in_use(self) -> int | None:
        """Return the length of models of several tasks: once there is one, it stays."""
        if self._used is None:
            self._used = next((one.epochs for one in self._known if len(one.tasks) > 1), None)
        return self._used

    @property
    def chosen(self) -> int | None:
        """The length that the rule chose; None while it is open."""
        looks = self.looks()
        if not looks or looks[-1].finding is Finding.OPEN:
            return None
        return self.lengths[-1] if looks[-1].finding.is_too_short else looks[-1].epochs

    @property
    def is_open(self) -> bool:
        """Whether more baselines would be trained to choose the length, if the budget has room for them."""
        return self._in_use() is None and self.chosen is None

    def looks(self) -> tuple[Look, ...]:
        """Return what is known of every length that was tried so far, shortest first."""
        return tuple(self._looks())

    def _looks(self) -> Iterator[Look]:
        for epochs, twice in pairwise(self.lengths):
            look = self._closed.get(epochs) or self._look(epochs, twice)
            yield look
            if not look.finding.is_too_short:
                return

    def wanted(self) -> tuple[Training, ...]:
        """Return the baselines that have to end before the search goes on; empty once the length is chosen."""
        looks = self.looks()
        if not self.is_open or not looks:
            return ()
        epochs = looks[-1].epochs
        first = (*self._missing(epochs, 0), *self._missing(2 * epochs, 0))
        return first or self._missing(epochs, 1)

    def stretch(self, training: Training) -> float:
        """Return how many times as long as one of the first length a training takes."""
        return training.epochs / self.lengths[0] if training.epochs and self.lengths else 1.0

    def _missing(self, epochs: int, repeat: int) -> tuple[Training, ...]:
        wanted = (Training(tree, repeat, epochs=epochs) for tree in self._baselines.values())
        return tuple(training for training in wanted if training not in self._known)

    def _to_train(self, epochs: int, repeat: int) -> int:
        """Return how many baselines of a length are still to be trained, with the trunk that they may wait for."""
        missing = len(self._missing(epochs, repeat))
        return missing + self._has_trunk if missing else 0

    def _longest_known(self) -> int | None:
        known = [epochs for epochs in self.lengths if not self._missing(epochs, 0)]
        return max(known, default=next(iter(self.lengths), None))

    def _look(self, epochs: int, twice: int) -> Look:
        if self._missing(epochs, 0) or self._missing(twice, 0):
            return Look(epochs, Finding.OPEN)
        look = self._compare(epochs, twice)
        if look.finding is not Finding.OPEN:
            self._closed[epochs] = look
        return look

    def _compare(self, epochs: int, twice: int) -> Look:
        tasks = [task for task in self._baselines if not self._is_at_chance(task, epochs, twice)]
        if not tasks:
            return Look(epochs, Finding.NOTHING_LEARNT)
        gains = {task: Gain.of(self._summary(task, epochs, 1), self._summary(task, twice, 1)) for task in tasks}
        if is_doubling_worth(gains.values(), self._worth):
            return Look(epochs, Finding.GAIN, gains)
        if self._missing(epochs, 1):
            return Look(epochs, Finding.OPEN, gains)
        spreads = SeedSpreads.of({task: self._summary(task, epochs, 2) for task in tasks})
        finding = Finding.SEEDS if spreads.exceed(self._worth) else Finding.LONG_ENOUGH
        return Look(epochs, finding, gains, spreads.by_task)

    def _said(self, task: str, epochs: int, repeat: int = 0) -> Outcomes:
        return self._known[Training(self._baselines[task], repeat, epochs=epochs)].outcomes[task]

    def _summary(self, task: str, epochs: int, repeats: int) -> Repeats:
        return Repeats.of(self._metrics[task], [self._said(task, epochs, repeat) for repeat in range(repeats)])

    def _is_at_chance(self, task: str, *lengths: int) -> bool:
        return all(is_at_chance(self._metrics[task], self._said(task, epochs)) for epochs in lengths)

    def least_wanted(self) -> int:
        """Return how many baselines the search still asks for at least, `wanted` included."""
        wanted = self.wanted()
        looks_again = (
            any(not training.repeat for training in wanted) and self.looks()[-1].epochs * 2 != self.lengths[-1]
        )
        return len(wanted) + looks_again * (len(self._baselines) + self._has_trunk)

    def left(self) -> "LengthLeft":
        """Return what an open choice still takes, and how long trainings may become by it."""
        first, tried = self.lengths[0], self.looks()[-1].epochs
        missing = [(epochs, repeat) for epochs in self.lengths for repeat in range(1 + (epochs != self.lengths[-1]))]
        work = [(epochs / first, self._to_train(epochs, repeat)) for epochs, repeat in missing]
        wanted = [self.stretch(training) for training in self.wanted()]
        return LengthLeft(
            sum(count for _, count in work),
            (sum(wanted), sum(stretch * count for stretch, count in work)),
            sum(stretch for stretch, count in work if count),
            max(wanted),
            (tried / first, self.lengths[-1] / first),
        )

    def left_when_chosen(self) -> LengthLeft:
        """Return what is left when the length that the study uses is not going to change."""
        stretch = self.epochs / self.lengths[0] if self.epochs else 1.0
        return LengthLeft(longest=stretch, stretch=(stretch, stretch))

    def to_json(self) -> dict[str, Any]:
        """Return plain data: the epochs, whether the rule chose them, and what each length showed."""
        return {
            "epochs": self.epochs,
            "chosen": self.chosen is not None,
            "looks": [look.to_json() for look in self.looks()],
        }

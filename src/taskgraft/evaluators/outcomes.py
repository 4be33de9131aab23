"""What a model said about a split, as named tables that any metric can be computed and resampled from. Plain numpy."""

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from taskgraft.errors import InvalidInput

CLASSES = "classes"
"""Class answers: which class was taken for which, or whether an event was found present in a time step."""
SCORES = "scores"
"""Scores of yes-or-no answers: truth 0 or 1, and the bin of the probability, 0 to `BINS` - 1, by label."""
TAGS = "tags"
"""Yes-or-no answers by label, which is the tag: truth and answer 0 or 1."""
EVENTS = "events"
"""Events by label, which is the event's class: hits (1, 1), misses (1, 0) and false alarms (0, 1)."""
SEGMENTS = "segments"
"""The same for segments of fixed length in which an event of the class is there, or is found."""
VALUES = "values"
"""Numbers: the true and the predicted one, by label."""
TABLES = (CLASSES, SCORES, TAGS, EVENTS, SEGMENTS, VALUES)

_EXACT = 2**24
BINS = 1024
"""Bins of probabilities between 0 and 1."""

_SEPARATOR, _NAMED = " ", ":"
"""Neither is in the alphabet of base 85."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Answers in columns of one length.

    Row i says that in clip ``clips[i]``, question ``labels[i]`` of the task had the true answer ``truth[i]`` and got
    ``predicted[i]``, ``counts[i]`` times. Tasks of one question have labels 0. Classes are whole numbers, exact up to
    2^24. Every clip that was asked about has a row: pairs (0, 0) say that nothing was there and nothing was found.

    Raises:
        InvalidInput: columns of different lengths; a clip, label or count below 0.
    """

    clips: NDArray[np.int32]
    labels: NDArray[np.int32]
    truth: NDArray[np.float32]
    predicted: NDArray[np.float32]
    counts: NDArray[np.int32]

    def __post_init__(self) -> None:
        if len({len(column) for column in self._columns}) != 1:
            raise InvalidInput.at("outcomes", "all columns have one length")
        if any(column.min(initial=0) < 0 for column in (self.clips, self.labels, self.counts)):
            raise InvalidInput.at("outcomes", "clips, labels and counts are 0 or more")

    @property
    def _columns(self) -> tuple[NDArray[Any], ...]:
        return self.clips, self.labels, self.truth, self.predicted, self.counts

    @classmethod
    def of(cls, clips: ArrayLike, labels: ArrayLike, truth: ArrayLike, predicted: ArrayLike, counts: ArrayLike) -> Self:
        """Make a table of columns of any type."""
        numbers, answers = np.int32, np.float32
        return cls(
            np.asarray(clips, numbers),
            np.asarray(labels, numbers),
            np.asarray(truth, answers),
            np.asarray(predicted, answers),
            np.asarray(counts, numbers),
        )

    @property
    def classes(self) -> int:
        """How many classes the answers tell apart, if they are classes: one more than the largest."""
        return 1 + int(max(self.truth.max(initial=0), self.predicted.max(initial=0)))

    @property
    def questions(self) -> int:
        """How many questions there are: one more than the largest label."""
        return 1 + int(self.labels.max(initial=0))

    def to_array(self) -> NDArray[np.int32]:
        """Return [5, rows] whole numbers; answers by their bits."""
        clips, labels, truth, predicted, counts = self._columns
        return np.stack([clips, labels, truth.view(np.int32), predicted.view(np.int32), counts])

    @classmethod
    def from_array(cls, table: NDArray[np.int32]) -> Self:
        """Read what `to_array` returned."""
        clips, labels, truth, predicted, counts = np.ascontiguousarray(table, np.int32)
        return cls(clips, labels, truth.view(np.float32), predicted.view(np.float32), counts)


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What a model said about every labelled clip of one split, for one task: tables by name (`TABLES`).

    All tables are about the same clips. That is all that a metric needs, and it can be resampled clip by clip.

    Raises:
        InvalidInput: no table, or a name that is none of `TABLES`.
    """

    tables: Mapping[str, Table]

    def __post_init__(self) -> None:
        if not self.tables or not self.tables.keys() <= set(TABLES):
            raise InvalidInput.at(
                "outcomes", f"one table or more of {', '.join(TABLES)}; got {', '.join(self.tables) or 'none'}"
            )

    @classmethod
    def of_classes(cls, clips: ArrayLike, truth: ArrayLike, predicted: ArrayLike, counts: ArrayLike) -> Self:
        """Return what a model said about the classes of clips, or of time steps."""
        return cls({CLASSES: Table.of(clips, np.zeros(np.shape(clips)), truth, predicted, counts)})

    @property
    def classes(self) -> Table:
        """The table of class answers."""
        return self.tables[CLASSES]

    @property
    def clips(self) -> NDArray[np.int32]:
        """The clips that there are answers about [n], ascending."""
        every = np.concatenate([table.clips for table in self.tables.values()])
        return np.flatnonzero(np.bincount(every)).astype(np.int32)  # far cheaper than a sort

    @property
    def clip_count(self) -> int:
        """How many clips there are answers about."""
        return len(self.clips)

    @property
    def is_plain(self) -> bool:
        """Whether there are class answers to one question, all of them numbers of classes, and nothing else."""
        if self.tables.keys() != {CLASSES}:
            return False
        table = self.classes
        return not table.labels.any() and _are_classes(table.truth) and _are_classes(table.predicted)

    def to_plain_array(self) -> NDArray[np.int32]:
        """Return plain outcomes as [4, rows]: clips, truth, answers and counts."""
        table = self.classes
        return np.stack([table.clips, table.truth.astype(np.int32), table.predicted.astype(np.int32), table.counts])

    def to_text(self) -> str:
        """Return a compact text for the ledger; that of plain outcomes has no names, as in earlier versions."""
        if self.is_plain:
            return _packed(self.to_plain_array())
        named = (f"{name}{_NAMED}{_packed(table.to_array())}" for name, table in self.tables.items())
        return _SEPARATOR.join(named)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` wrote.

        Raises:
            InvalidInput: it names no known table.
        """
        if _NAMED not in text:
            return cls.of_classes(*_unpacked(text, 4))
        named = (part.partition(_NAMED) for part in text.split(_SEPARATOR))
        return cls({name: Table.from_array(_unpacked(packed, 5)) for name, _, packed in named})


def _are_classes(answers: NDArray[np.float32]) -> bool:
    """Return whether answers are whole numbers from 0 on that single precision holds exactly."""
    return bool(((answers >= 0) & (answers < _EXACT) & (answers % 1 == 0)).all())


def _packed(table: NDArray[np.int32]) -> str:
    return base64.b85encode(zlib.compress(table.astype("<i4").tobytes(), 9)).decode("ascii")


def _unpacked(text: str, columns: int) -> NDArray[np.int32]:
    content = zlib.decompress(base64.b85decode(text))
    return np.frombuffer(content, "<i4").reshape(columns, -1).astype(np.int32)

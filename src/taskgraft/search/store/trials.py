"""Single trials and pages of them, without reading the rest of the ledger."""

import json
import threading
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from sqlalchemy import Connection

from taskgraft.errors import InvalidInput, NotFound
from taskgraft.search.store.database import Database
from taskgraft.search.store.trial_rows import TrialKey, find_optuna_studies, read_keys, read_trials
from taskgraft.search.study.trial import Training, Trial

MAX_PAGE = 500
_STUDIES_KEPT = 32

Repeat = tuple[int, int | None]
"""A repeat of a study's trainings, and their length if the study leaves that open."""
Baselines = Mapping[Repeat, Mapping[str, float]]
"""The metrics of the baselines of each repeat and length."""


@dataclass(frozen=True, slots=True)
class TrialPage:
    """Trials in the order of recording, without outcomes; ``next_after`` is where the next page begins, if any."""

    items: tuple[Trial, ...]
    baselines: Baselines
    next_after: int | None = None


@dataclass(frozen=True, slots=True)
class _Located:
    """Where the trials of a ledger are at some moment."""

    numbers: Sequence[int]
    rows: Sequence[int]
    baselines: Baselines

    def places(self, start: int, end: int) -> Sequence[tuple[int, int]]:
        """Return rows and numbers of some trials."""
        return list(zip(self.rows[start:end], self.numbers[start:end], strict=True))


@dataclass(slots=True)
class _Known:
    """What is known of one ledger: where its trials are. It only grows, since a recorded trial never changes."""

    study_id: str
    optuna_studies: frozenset[int]
    last_row: int = -1
    next_number: int = 0
    numbers: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    keys: set[bytes] = field(default_factory=set)
    """Digests of the keys."""
    baselines: dict[Repeat, dict[str, float]] = field(default_factory=dict)

    def catch_up(self, connection: Connection) -> None:
        """Learn of the trials that were recorded since; if one training was recorded twice, the first one counts."""
        alone: list[TrialKey] = []
        for found in read_keys(connection, self.study_id, self.last_row, self.next_number):
            self.last_row, self.next_number = found.row, found.number + 1
            digest = blake2b(found.key.encode(), digest_size=16).digest()
            if digest in self.keys:
                continue
            self.keys.add(digest)
            self.numbers.append(found.number)
            self.rows.append(found.row)
            if len(json.loads(found.key)[0]["tasks"]) == 1:
                alone.append(found)
        for trial in read_trials(connection, [(found.row, found.number) for found in alone], with_outcomes=False):
            if trial.measurement is not None and not trial.training.is_variant:
                of_repeat = self.baselines.setdefault(_repeat_of(trial.training), {})
                of_repeat.update(trial.measurement.metrics)

    def located(self) -> _Located:
        """Return what is known now; it stays as it is while more becomes known."""
        baselines = {repeat: dict(metrics) for repeat, metrics in self.baselines.items()}
        return _Located(tuple(self.numbers), tuple(self.rows), baselines)


def _repeat_of(training: Training) -> Repeat:
    return training.repeat, training.epochs


class TrialTable:
    """The trials of the studies of one database, read in parts. May be used from any thread.

    Where trials are is kept for the studies asked for last, a few dozen bytes a trial; their measurements are not. All
    methods raise `Unavailable` if the database fails.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, _Known] = {}
        self._turn = threading.Lock()

    def count(self, study_id: str) -> int:
        """Return how many trials the study has."""
        return len(self._locate(study_id).numbers)

    def page(self, study_id: str, after: int = -1, limit: int = 100) -> TrialPage:
        """Return trials whose number is above ``after``, in the order of recording, and all baselines known by now.

        Trials that are recorded meanwhile come last, so that going on from ``next_after`` shows every trial once.

        Raises:
            InvalidInput: a limit outside 1..500.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise InvalidInput.at("limit", f"1 to {MAX_PAGE} trials a page; got {limit}")
        known = self._locate(study_id)
        start = bisect_right(known.numbers, after)
        items = self._read(study_id, known.places(start, start + limit))
        has_more = len(known.rows) > start + limit
        return TrialPage(items, known.baselines, items[-1].number if has_more else None)

    def get(self, study_id: str, number: int) -> tuple[Trial, Baselines]:
        """Return one whole trial, and all baselines known by now.

        Raises:
            NotFound: the study has no such trial.
        """
        known = self._locate(study_id)
        place = bisect_right(known.numbers, number) - 1
        if place < 0 or known.numbers[place] != number:
            raise NotFound(f"study {study_id} has no trial {number}")
        (trial,) = self._read(study_id, known.places(place, place + 1), with_outcomes=True)
        return trial, known.baselines

    def _locate(self, study_id: str) -> "_Located":
        """Return where the study's trials are by now."""
        with self._turn, self._database.begin() as connection:  # in this order: nobody waits who holds a connection
            known = self._catch_up(connection, study_id)
            return known.located() if known else _Located((), (), {})

    def _read(
        self, study_id: str, places: Sequence[tuple[int, int]], *, with_outcomes: bool = False
    ) -> tuple[Trial, ...]:
        try:
            with self._database.begin() as connection:
                return tuple(read_trials(connection, places, with_outcomes=with_outcomes))
        except LookupError:
            raise NotFound(f"the trials of study {study_id} were deleted at this moment") from None

    def _catch_up(self, connection: Connection, study_id: str) -> _Known | None:
        """Return what is known of the ledger, up to date; None if there is none."""
        numbers = find_optuna_studies(connection, study_id)  # SQLite gives those of a deleted study to another one
        known = self._known.pop(study_id, None)
        if not numbers:
            return None
        if known is None or known.optuna_studies != numbers:
            known = _Known(study_id, numbers)
        try:
            known.catch_up(connection)
        except LookupError:  # the study was deleted at this moment
            return None
        self._known[study_id] = known
        while len(self._known) > _STUDIES_KEPT:
            del self._known[next(iter(self._known))]
        return known

"""Recorded facts: the trainings of a study that have ended, and how many count for what."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.study.trial import Training, Trial, TrialState


class Facts:
    """The trainings of a study that have ended. Grows by `add`; the mappings are live views of it."""

    def __init__(self) -> None:
        self._known: dict[Training, Measurement] = {}
        self._confirming: dict[Training, Measurement] = {}
        self._trunks: dict[Training, Measurement] = {}
        self._by_other_recipes: dict[Training, Measurement] = {}
        self._failures: dict[Training, str] = {}
        self._taken_over = self._apart_taken_over = 0
        self.known: Mapping[Training, Measurement] = MappingProxyType(self._known)
        """What the trainings of the search measured."""
        self.confirming: Mapping[Training, Measurement] = MappingProxyType(self._confirming)
        """Trainings of a tree that was chosen already; no decision looks at them."""
        self.trunks: Mapping[Training, Measurement] = MappingProxyType(self._trunks)
        """Trunks, which answer nothing: other trainings start from their weights."""
        self.by_other_recipes: Mapping[Training, Measurement] = MappingProxyType(self._by_other_recipes)
        """Trainings of another recipe than the study's own, trunks left out; no decision of a search looks at them."""
        self.failures: Mapping[Training, str] = MappingProxyType(self._failures)
        """Trainings that failed, and why."""

    def add(self, trial: Trial) -> None:
        """Add one more finished training; what confirms a chosen tree, or has another recipe, is kept apart."""
        self._taken_over += trial.taken_over_from is not None
        if trial.state is TrialState.COMPLETE and trial.measurement:
            self._apart_taken_over += _is_apart(trial.training) and trial.taken_over_from is not None
            self._of_kind(trial.training)[trial.training] = trial.measurement
        else:
            self._failures[trial.training] = trial.error or "unknown error"

    def _of_kind(self, training: Training) -> dict[Training, Measurement]:
        if training.is_trunk:
            return self._trunks
        if training.is_variant:
            return self._by_other_recipes
        return self._confirming if training.is_confirming else self._known

    def of(self, training: Training) -> Measurement | None:
        """Return what a training of any kind measured; None if it has not ended, or has failed."""
        return self._of_kind(training).get(training)

    def take_all(self, other: "Facts") -> None:
        """Take what another one knows; this one must be empty."""
        self._known.update(other._known)
        self._confirming.update(other._confirming)
        self._trunks.update(other._trunks)
        self._by_other_recipes.update(other._by_other_recipes)
        self._failures.update(other._failures)
        self._taken_over, self._apart_taken_over = other._taken_over, other._apart_taken_over

    @property
    def count(self) -> int:
        """How many trainings have ended."""
        apart = len(self._confirming) + len(self._trunks) + len(self._by_other_recipes)
        return len(self._known) + apart + len(self._failures)

    @property
    def taken_over(self) -> int:
        """How many of the trainings that have ended were taken over from other studies."""
        return self._taken_over

    @property
    def trained(self) -> int:
        """How many of the trainings that have ended were trained by this study's search: what its budget counts."""
        others = sum(not _is_apart(training) for training in (*self._trunks, *self._failures))
        return len(self._known) + others - (self._taken_over - self._apart_taken_over)

    @property
    def measurements(self) -> Iterable[Measurement]:
        """What the finished trainings of the search measured."""
        return self._known.values()


def _is_apart(training: Training) -> bool:
    """Return whether a training is no part of the search: it confirms a tree, or is one of another recipe."""
    return training.is_confirming or training.is_variant

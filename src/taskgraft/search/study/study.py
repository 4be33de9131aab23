"""Studies: one request each, and how far the answer is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from taskgraft.search.study.comparison import Comparison
from taskgraft.search.study.comparison_table import ComparisonTable
from taskgraft.search.study.result import Result
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage, State


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a study is.

    ``trials_planned`` counts what is done and what is still to come at least, as far as can be known, so it may grow;
    ``trials_at_most`` counts the worst case. The time left is likely between ``eta_seconds`` and
    ``eta_seconds_at_most``, in wall seconds; both are None before the first training has ended. ``taken_over`` of the
    trials that are done were trained by other studies.
    """

    trials_done: int = 0
    trials_planned: int = 0
    fraction: float = 0.0
    eta_seconds: float | None = None
    eta_seconds_at_most: float | None = None
    trials_at_most: int | None = None
    taken_over: int = 0


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """A training under way: which tasks share how many blocks, how far it is (0..1), where it runs.

    One that is made ``ahead`` has not been asked for yet; if it never is, the study drops it. A ``trunk`` answers
    nothing: the others of its repeat start from it. ``recipe`` is None for the study's own.
    """

    tasks: tuple[str, ...]
    shared: int
    repeat: int
    fraction: float
    seconds: float
    worker: str
    ahead: bool = False
    trunk: bool = False
    recipe: str | None = None


@dataclass(frozen=True, slots=True)
class Study:
    """A study as the store knows it.

    ``facts`` holds the versions of the datasets that it uses, and what was found when it first started: fingerprints of
    its datasets, which a resumed study checks, what its tasks are, and its device. ``tree`` is the tree that is
    delivered, in the public form. ``parent`` is the study whose tree this one makes for another threshold, or that it
    compares with other systems; that one may have been deleted. ``made_by`` is the id of the token that made
    it, if any.
    """

    id: str
    spec: StudySpec
    state: State
    created_at: datetime
    updated_at: datetime
    stage: Stage | None = None
    progress: Progress = Progress()
    running: tuple[RunningTrial, ...] = ()
    reason: str | None = None
    result: Result | None = None
    tree: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    parent: str | None = None
    made_by: str | None = None

    @property
    def datasets(self) -> Mapping[str, int]:
        """The version of each registered dataset that it uses."""
        versions: Mapping[str, int] = self.facts.get("datasets", {})
        return versions

    @property
    def device(self) -> str | None:
        """What it trains on, "cpu" or "cuda"; None before it first starts. Those from before it was kept: "cpu"."""
        known: str | None = self.facts.get("device", "cpu" if "fingerprints" in self.facts else None)
        return known

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know before the result is there, such as thresholds that its test clips cannot verify."""
        return tuple(self.facts.get("warnings", ()))

    @property
    def training_length(self) -> Mapping[str, Any] | None:
        """How the training length was chosen: a `LengthSearch` of `search/evidence/` in plain data.

        None if the study says its length, and before it first starts.
        """
        return self.facts.get("training_length")

    @property
    def comparison(self) -> Comparison | None:
        """What it compares; None if it searches for a tree."""
        asked = self.facts.get("comparison")
        return None if asked is None else Comparison.from_json(asked)

    @property
    def comparison_table(self) -> ComparisonTable | None:
        """What it found, if it is a comparison; None before it has succeeded."""
        found = self.facts.get("comparison_table") if self.state is State.SUCCEEDED else None
        return None if found is None else ComparisonTable.from_json(found)

    @property
    def epochs(self) -> int | None:
        """The training length that it chose; None if it says it, or has not chosen yet."""
        return (self.training_length or {}).get("epochs")

    def at_threshold(self, ar_threshold: float) -> StudySpec:
        """Return this study's specification at another threshold, of the training length that it uses.

        Raises:
            InvalidInput: a threshold that is not at least 0 and below 1.
        """
        return self.spec.at_threshold(ar_threshold, self.epochs)

    @property
    def resolution(self) -> tuple[Mapping[str, Any], ...]:
        """What the test clips of each task can decide: a `Resolution` of `search/evidence/` in plain data."""
        return tuple(self.facts.get("resolution", ()))

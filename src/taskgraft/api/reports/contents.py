"""What a report shows of a study, and where it comes from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import TypeAdapter

from taskgraft.api.pictures import TrainedTree, is_baseline_of
from taskgraft.api.schemas import MatrixView, TrialView
from taskgraft.api.tree_schemas import TradeoffView
from taskgraft.api.trial_schemas import TrialDetail
from taskgraft.search.study.comparison_table import ComparisonTable
from taskgraft.search.study.result import FinalVerdict
from taskgraft.search.study.trial import TrialState

MOST_CURVES = 30
"""Trainings whose learning curves are drawn."""

JSON = Mapping[str, Any]


class Source(Protocol):
    """A study whose findings can be read, as the public API returns them."""

    def study(self) -> JSON:
        """Return the study (`StudyView`)."""

    def comparison(self) -> JSON | None:
        """Return the table of the newest comparison of the study that has one."""

    def matrix(self) -> MatrixView:
        """Return the reduction matrix as far as it is known."""

    def tree(self) -> JSON | None:
        """Return the tree form; None as long as there is no tree."""

    def tradeoff(self) -> TradeoffView | None:
        """Return every threshold at which the tree changes; None as long as that is not known."""

    def trials(self) -> Iterable[TrialView]:
        """Return every training that ended."""

    def detail(self, number: int) -> TrialDetail:
        """Return one training with its learning curve."""

    def labels(self) -> Mapping[str, Sequence[str]]:
        """Return the names of each task's classes; no task if there is no bundle."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a report shows; what a study does not have (yet) is None or empty."""

    study: JSON
    matrix: MatrixView | None
    tree: JSON | None
    tradeoff: TradeoffView | None
    comparison: ComparisonTable | None
    trials: Sequence[TrialView]
    baselines: Sequence[TrialDetail]
    """One for each task."""
    references: Sequence[TrialDetail]
    """Trainings of single tasks, by which those that are drawn are judged."""
    details: Sequence[TrialDetail]
    """Trainings of several tasks whose curves are drawn: trees of all tasks first, then groups in task order."""
    not_drawn: int
    """Trainings of several tasks whose curves are left out."""
    labels: Mapping[str, Sequence[str]]

    @property
    def threshold(self) -> float:
        """Q of the study."""
        return float(self.study["spec"]["ar_threshold"])

    @property
    def trained(self) -> Sequence[TrainedTree]:
        """The tree that was delivered, as a point of the trade-off."""
        if not (result := self.study["result"]):
            return ()
        return (TrainedTree(self.threshold, result["parameters"], FinalVerdict(result["verdict"])),)


def gather(source: Source) -> Contents:
    """Read what a report shows.

    Raises:
        TaskgraftError: whatever the source raises.
    """
    study, table = source.study(), source.comparison()
    is_search = not study["comparison"]
    trials = list(source.trials())
    baselines = _baselines(trials)
    wanted = list(_of_several_tasks(trials, len(study["spec"]["tasks"])))
    drawn = [*wanted[:MOST_CURVES], *baselines]
    references = [one for one in _complete(trials) if any(is_baseline_of(one, trial) for trial in drawn)]
    details = {number: source.detail(number) for number in {trial.number for trial in (*drawn, *references)}}
    return Contents(
        study=study,
        matrix=source.matrix() if is_search else None,
        tree=source.tree() if is_search else None,
        tradeoff=source.tradeoff() if is_search else None,
        comparison=None if table is None else TypeAdapter(ComparisonTable).validate_python(table),
        trials=trials,
        baselines=[details[trial.number] for trial in baselines],
        references=[details[trial.number] for trial in references],
        details=[details[trial.number] for trial in wanted[:MOST_CURVES]],
        not_drawn=max(0, len(wanted) - MOST_CURVES),
        labels=source.labels(),
    )


def _complete(trials: Iterable[TrialView]) -> Iterator[TrialView]:
    return (trial for trial in trials if trial.state is TrialState.COMPLETE and not trial.trunk)


def _baselines(trials: Iterable[TrialView]) -> list[TrialView]:
    """Return one training of each task alone: the longest one, of the first repeat."""
    alone = [trial for trial in _complete(trials) if len(trial.tasks) == 1]
    alone.sort(key=lambda trial: (trial.repeat, -(trial.epochs or 0), trial.number))
    found: dict[str, TrialView] = {}
    for trial in alone:
        found.setdefault(trial.tasks[0], trial)
    return sorted(found.values(), key=lambda trial: trial.number)


def _of_several_tasks(trials: Iterable[TrialView], tasks: int) -> Iterator[TrialView]:
    """Yield the newest training of every tree of several tasks, those of all tasks first, the newest of them first."""
    newest = {str(trial.tree): trial for trial in _complete(trials) if len(trial.tasks) > 1}
    whole = [trial for trial in newest.values() if len(trial.tasks) == tasks]
    yield from sorted(whole, key=lambda trial: -trial.number)
    parts = [trial for trial in newest.values() if len(trial.tasks) < tasks]
    yield from sorted(parts, key=lambda trial: (-trial.depth, trial.number))

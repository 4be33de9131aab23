"""What a study's page says in words: where the study stands, its result, what is left."""

from dataclasses import dataclass

from taskgraft.api.pages.words import duration
from taskgraft.api.schemas import StudyView, TaskResultView
from taskgraft.evaluators.metrics import METRICS
from taskgraft.search.evidence.verdict import percent_up
from taskgraft.search.study.result import FinalVerdict
from taskgraft.search.study.states import Stage
from taskgraft.search.study.study import Progress

_STAGES = {
    Stage.BASELINES: "train each task alone",
    Stage.PAIRS: "train pairs that share blocks",
    Stage.SYNTHESIS: "find the tree",
    Stage.VERIFICATION: "train the tree, and repair it",
    Stage.COMPRESSION: "make it smaller",
    Stage.COMPARISON: "train the rows",
    Stage.EXPORT: "measure on test, and export",
}


def time_left(progress: Progress) -> str:
    """Return the time that a study still takes, as a range; empty before that is known.

    >>> time_left(Progress(1, 9, 0.1, 60.0, 600.0))
    'between 60 s and 10 min left'
    """
    least, most = progress.eta_seconds, progress.eta_seconds_at_most
    if least is None:
        return ""
    if most is None or duration(least) == duration(most):
        return f"about {duration(least)} left"
    return f"between {duration(least)} and {duration(most)} left"


def metric_shown(value: float, metric: str) -> str:
    """Return a metric as people read it, with its unit if it has one."""
    return METRICS[metric].shown(value, 1)


@dataclass(frozen=True, slots=True)
class StageStep:
    """A stage in the order in which studies go through them."""

    name: str
    words: str
    is_done: bool
    is_current: bool


@dataclass(frozen=True, slots=True)
class Telling:
    """What there is to say about a study."""

    study: StudyView

    @property
    def is_moving(self) -> bool:
        """Whether the page may look different soon."""
        return not self.study.state.is_final

    @property
    def worst(self) -> TaskResultView | None:
        """The task that loses most."""
        result = self.study.result
        lost = [task for task in result.tasks if task.reduction is not None] if result else []
        return max(lost, key=lambda task: task.reduction or 0.0, default=None)

    @property
    def saved(self) -> float | None:
        """Share of the parameters of independent models that the tree saves."""
        result = self.study.result
        if result is None or not result.independent_parameters:
            return None
        return 1 - result.parameters / result.independent_parameters

    @property
    def verdict(self) -> str:
        """What the verdict means."""
        result = self.study.result
        if result is None:
            return ""
        if result.verdict is FinalVerdict.VERIFIED:
            return "Verified: the upper bound of every task keeps what you accept."
        least, then = result.verified_for, ""
        if least is not None:
            then = f"; the nearest that it is verified for is {percent_up(least)}"
        elif result.tasks:  # results of the first versions have no bounds
            then = "; it is verified for no threshold"
        if result.verdict is FinalVerdict.REFUTED:
            return f"Refuted: at least one task loses more than you accept{then}."
        return f"Not refuted: the test clips cannot tell whether it keeps what you accept{then}."

    @property
    def stages(self) -> list[StageStep]:
        """The stages of this study."""
        study = self.study
        left_out = set() if study.spec.compression else {Stage.COMPRESSION}
        if study.comparison:
            names = [Stage.COMPARISON]
        else:
            names = [stage for stage in Stage if stage not in left_out | {Stage.COMPARISON}]
        place = names.index(study.stage) if study.stage in names else -1
        return [StageStep(name, _STAGES[name], at < place, at == place) for at, name in enumerate(names)]

    @property
    def time_left(self) -> str:
        """The time left, as a range."""
        return time_left(self.study.progress)

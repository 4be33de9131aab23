"""What the answers look like: typed, so that the OpenAPI document is."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict

from taskgraft.search.evidence.compared import ComparedTrial
from taskgraft.search.evidence.length import Finding
from taskgraft.search.study.comparison import MAX_SEEDS
from taskgraft.search.study.comparison_table import ComparisonTable
from taskgraft.search.study.result import Compressed, FinalVerdict, Retrained
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage, State
from taskgraft.search.study.study import Progress, RunningTrial, Study
from taskgraft.search.study.trial import TrialState
from taskgraft.space.matrix import Cell, Pair, ReductionMatrix
from taskgraft.space.tasks import TaskKind
from taskgraft.space.template import Template

Fraction = Annotated[float, Field(description="a fraction: 0.02 = 2 %")]


class TaskResultView(BaseModel):
    """One task of the delivered model on the test split."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    metric: str
    baseline: Fraction = Field(description="the metric of a model of its own, mean over its seeds; errors as they are")
    final: Fraction = Field(description="the metric in the delivered model")
    reduction: float | None = Field(
        description="1 - final / baseline, for errors final / baseline - 1: below 0 if it gained; null at chance"
    )
    lower: float | None = Field(description="one-sided bound of the reduction, error 5 % divided by the tasks judged")
    upper: float | None = Field(description="one-sided 95 % bound of the reduction")
    test_clips: int
    test_groups: int | None = Field(description="independent groups of these clips; null without a column `group`")
    at_chance: bool = Field(
        description="the baseline is no better than a constant answer, or not above 0: part of no verdict"
    )


class ResultView(BaseModel):
    """What a finished study found, on the test split."""

    model_config = ConfigDict(from_attributes=True)

    verdict: FinalVerdict = Field(
        description="about the weights in the bundle: verified (every task's upper bound is at most the threshold), "
        "refuted (some task's lower bound is above it), or not_refuted"
    )
    verified: bool = Field(description="whether the verdict is `verified`")
    verified_for: float | None = Field(description="the smallest threshold that the model would be verified for")
    scope: str = Field(description="what the verdict compares; empty in results of earlier versions")
    ar: Fraction
    ar_interval: tuple[float, float] = Field(description="two-sided, 95 %")
    tasks: list[TaskResultView] = Field(description="every task; empty in results of earlier versions")
    retrained: Retrained | None = Field(
        description="what the tree keeps on average when it is trained again; null unless the study has `confirm`"
    )
    parameters: int = Field(description="those that are not 0")
    independent_parameters: int
    macs_per_second: int
    compression: Compressed | None = Field(
        description="what was made of the tree that was found; null unless the study has `compression`"
    )


class ResolutionView(BaseModel):
    """What the test split of one task can decide."""

    task: str
    q_min: float = Field(description="the smallest threshold that a model without any loss is verified for in 80 %")
    test_clips: int
    test_groups: int | None
    clips_needed: int | None = Field(description="test clips that would do for the study's threshold; null: none do")
    metric: str = Field("accuracy", description="what baseline is a value of")
    baseline: Fraction = Field(description="of the task's own model")
    disagreement: Fraction = Field(
        description="share of the clips on which two trainings are right and wrong, or mean square by which clips move "
        "the metric between them"
    )
    measured: bool = Field(description="false while baseline and disagreement are guesses")


class GainView(BaseModel):
    """What twice the training length gains for a task."""

    share: Fraction
    error: Fraction = Field(description="its standard error, over clips")


class SpreadView(BaseModel):
    """Standard deviations between trainings of a task that differ by their seed, as shares of its metric."""

    seeds: Fraction = Field(description="as seen")
    clips: Fraction = Field(description="what clips explain on which trainings differ by chance")
    excess: Fraction = Field(description="what seeds add to that, pooled over the tasks")


class LookView(BaseModel):
    """What the baselines of one training length showed; tasks at chance are left out."""

    epochs: int
    finding: Finding = Field(description="gain, seeds and nothing learnt: too short")
    gains: dict[str, GainView]
    spreads: dict[str, SpreadView]


class TrainingLengthView(BaseModel):
    """How the training length was chosen (docs/training_length.md)."""

    epochs: int | None = Field(description="what the study uses, as far as is known; null before the first baseline")
    chosen: bool = Field(description="false while it is open, or if the budget ended before it was found")
    looks: list[LookView] = Field(description="every length that was looked at, shortest first")


class ComparisonView(BaseModel):
    """A comparison and its table."""

    systems: tuple[str, ...] = Field(description="in the order of their rows")
    seeds: int = Field(description="trainings of every model; figures are means over them")
    group_budget: int | None = Field(description="parameters that rows of groups may have; null: those of the tree")
    groups: int | None = Field(description="networks that such a row may have by that")
    nuisance: str | None = Field(description="the label column that the row `adversarial` trains against, if chosen")
    nuisance_dataset: str | None = Field(description="its dataset, if it was named")
    table: ComparisonTable | None = Field(description="the rows, on the test split; null until it has succeeded")

    @classmethod
    def of(cls, study: Study) -> Self | None:
        """Return what the API shows of a comparison; None if the study is not one."""
        asked = study.comparison
        if asked is None:
            return None
        column, dataset = asked.nuisance or (None, None)
        return cls(
            systems=asked.systems,
            seeds=asked.seeds,
            group_budget=asked.group_budget,
            groups=asked.groups,
            nuisance=column,
            nuisance_dataset=dataset,
            table=study.comparison_table,
        )


_A_TEXT: dict[str, Any] = {"anyOf": [{"type": "string", "minLength": 1, "maxLength": 256}, {"type": "null"}]}


def _whole(most: int | None = None) -> dict[str, Any]:
    """Return the schema of a whole number from 1, or null."""
    limits = {"minimum": 1} | ({} if most is None else {"maximum": most})
    return {"anyOf": [{"type": "integer", **limits}, {"type": "null"}]}


class ComparisonRequest(BaseModel):
    """A request to compare a study's tree with other systems."""

    model_config = ConfigDict(extra="forbid")

    systems: list[str] = Field(
        default=["all"], description="names of systems, or `all`", examples=[["independent", "flat", "tree"]]
    )
    seeds: Annotated[int, Strict()] | None = Field(
        None, description="by default as many as the study has repeats", json_schema_extra=_whole(MAX_SEEDS)
    )
    group_budget: Annotated[int, Strict()] | None = Field(
        None,
        description="parameters that rows of groups may have; those of the tree by default",
        json_schema_extra=_whole(),
    )
    nuisance: str | None = Field(
        None,
        description="a label column that is no task, for the row `adversarial` to train against; no row by default",
        examples=["dialect"],
        json_schema_extra=_A_TEXT,
    )
    nuisance_dataset: str | None = Field(
        None, description="the dataset of that column, if the study has several", json_schema_extra=_A_TEXT
    )


class StudyView(BaseModel):
    """A study: what was asked for, how far it is, what came out."""

    id: str
    name: str
    state: State
    stage: Stage | None = Field(description="null before it first starts")
    progress: Progress
    running: tuple[RunningTrial, ...] = Field(description="the trainings under way")
    trainings: "TrainingCounts"
    reason: str | None = Field(description="why it failed, stopped, or could not keep its threshold")
    warnings: list[str] = Field(description="what to know before the result is there; empty before it first starts")
    resolution: list[ResolutionView] = Field(description="what the test clips of each task can decide")
    training_length: TrainingLengthView | None = Field(
        description="how `training.epochs: auto` was settled; null if the study says its epochs, or has not started"
    )
    result: ResultView | None = Field(description="null until the study has succeeded")
    datasets: dict[str, int] = Field(description="the version of each registered dataset that it uses")
    device: str | None = Field(description="what it trains on: cpu or cuda; null before it first starts")
    spec: StudySpec = Field(description="the study as posted, defaults filled in")
    parent: str | None = Field(
        description="the study whose tree this one makes for another threshold, or that it compares, if any"
    )
    comparison: ComparisonView | None = Field(description="what it compares; null if it searches for a tree")
    made_by: str | None = Field(None, description="the id of the token that made it; null if the service was open")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, study: Study) -> Self:
        """Return what the API shows of ``study``."""
        return cls(
            id=study.id,
            name=study.spec.name,
            state=study.state,
            stage=study.stage,
            progress=study.progress,
            running=study.running,
            trainings=TrainingCounts.of(study.progress),
            reason=study.reason,
            warnings=list(study.warnings),
            resolution=[ResolutionView.model_validate(found) for found in study.resolution],
            training_length=TrainingLengthView.model_validate(study.training_length) if study.training_length else None,
            result=None if study.result is None else ResultView.model_validate(study.result),
            datasets=dict(study.datasets),
            device=study.device,
            spec=study.spec,
            parent=study.parent,
            comparison=ComparisonView.of(study),
            made_by=study.made_by,
            created_at=study.created_at,
            updated_at=study.updated_at,
        )


class TrainingCounts(BaseModel):
    """The trainings of a study that have ended, by who trained them."""

    trained: int = Field(description="by this study")
    taken_over: int = Field(description="by other studies of this service, with the very same result")

    @classmethod
    def of(cls, progress: Progress) -> Self:
        """Return what the API shows of ``progress``."""
        return cls(trained=progress.trials_done - progress.taken_over, taken_over=progress.taken_over)


class TreeRequest(BaseModel):
    """Another threshold for a study's tree."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    ar_threshold: Annotated[float, Strict()] = Field(
        ge=0, lt=1, description="Q: the accuracy reduction that is still accepted", examples=[0.05]
    )


class SummaryView(BaseModel):
    """A study in a list; the study itself says the rest."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    ar_threshold: Fraction = Field(description="Q: the accuracy reduction that is accepted")
    state: State
    stage: Stage | None = Field(description="null before it first starts")
    progress: Progress
    reason: str | None = Field(description="why it failed, stopped, or could not keep its threshold")
    result: ResultView | None = Field(description="null until the study has succeeded")
    parent: str | None = Field(
        description="the study whose tree this one makes for another threshold, or that it compares, if any"
    )
    is_comparison: bool = Field(description="whether it compares a tree; otherwise it searches for one")
    created_at: datetime
    updated_at: datetime


class StudyPage(BaseModel):
    """Some of the studies, newest first."""

    items: list[SummaryView]
    next_cursor: str | None = Field(description="pass it as `cursor` for the next page; null on the last")


class StudyList(BaseModel):
    """Some studies of one kind, oldest first."""

    items: list[StudyView]
    next_cursor: str | None = Field(description="pass it as `cursor` for the next page; null on the last")


class TrialView(BaseModel):
    """One training that ended."""

    number: int
    tasks: tuple[str, ...]
    depth: int = Field(description="how many blocks all its tasks share")
    tree: dict[str, Any] = Field(description="which blocks each task goes through: the root of the tree form")
    trunk: bool = Field(description="whether it answers nothing, and the others of its repeat start from it")
    repeat: int
    epochs: int | None = Field(description="its length, if the study leaves that open; null if the study says it")
    recipe: str | None = Field(
        description="a preset's name, or the fields of `training` that differ as JSON; null for the study's own recipe"
    )
    seed: int
    state: TrialState
    metrics: dict[str, float] | None = Field(description="each task's metric on the validation split")
    ar: float | None = Field(description="against the baselines of the same repeat; null before they are known")
    reductions: dict[str, float] | None = Field(
        description="each task's own reduction; below 0 if it gained; without tasks whose baseline is not above 0"
    )
    seconds: float | None
    worker: str | None
    ended_early: bool = Field(description="further steps could not change the decision; ar is an upper bound")
    patience_ended: bool = Field(description="its recipe's patience ended it before the last planned step; ar is exact")
    error: str | None = Field(description="why there is no measurement")
    taken_over_from: str | None = Field(description="the study that trained it, if that is another one")

    @classmethod
    def of(cls, compared: ComparedTrial) -> Self:
        """Return what the API shows of a trial that was compared with the baselines of its repeat and length."""
        trial, lost = compared.trial, compared.reductions
        training, measured = trial.training, trial.measurement
        return cls(
            number=trial.number,
            tasks=training.tasks,
            depth=training.shared,
            tree=training.tree.to_json(),
            trunk=training.is_trunk,
            repeat=training.repeat,
            epochs=training.epochs,
            recipe=training.recipe,
            seed=trial.seed,
            state=trial.state,
            metrics=None if measured is None else dict(measured.metrics),
            ar=compared.ar,
            reductions=None if lost is None else dict(lost),
            seconds=None if measured is None else measured.own_seconds,
            worker=None if measured is None else measured.worker,
            ended_early=measured is not None and measured.is_censored,
            patience_ended=measured is not None and measured.steps_spared > 0,
            error=trial.error,
            taken_over_from=trial.taken_over_from,
        )


class TrialListPage(BaseModel):
    """Some of the trainings of a study, in the order in which they ended."""

    items: list[TrialView]
    next_cursor: str | None = Field(description="pass it as `cursor` for the next page; null on the last")


class UnknownView(BaseModel):
    """Depths at which nothing was trained that tells whether the pair keeps the threshold."""

    task_a: str
    task_b: str
    depths: list[int]


class CellView(BaseModel):
    """The accuracy reduction of one pair at one depth."""

    task_a: str
    task_b: str
    depth: int
    ar: Fraction
    ar_interval: tuple[float, float] | None = Field(
        description="95 %, over clips and, if trainings were repeated, over seeds"
    )
    at_most: bool = Field(description="ar is an upper bound: the training ended early, or a larger group stands for it")


class MatrixView(BaseModel):
    """The reduction matrix; while pairs are still trained it holds those that are known."""

    tasks: tuple[str, ...]
    cells: list[CellView]
    not_asked: list[UnknownView] = Field([], description="depths of the study at which a pair has no cell")
    trials: int | None = Field(None, description="how many trainings it rests on; further ones may have ended since")

    @classmethod
    def of(cls, matrix: ReductionMatrix, depths: Iterable[int] = (), trials: int | None = None) -> Self:
        """Return what the API shows of ``matrix``, whose pairs might have a cell at each of ``depths``."""
        cells = [
            CellView(
                task_a=first,
                task_b=second,
                depth=depth,
                ar=cell.ar,
                ar_interval=None if cell.low is None or cell.high is None else (cell.low, cell.high),
                at_most=cell.is_bound,
            )
            for first, second in matrix.pairs()
            for depth, cell in sorted(matrix.cells.get((first, second), {}).items())
        ]
        missing = {
            (first, second): sorted(set(depths) - set(matrix.cells.get((first, second), ())))
            for first, second in matrix.pairs()
        }
        not_asked = [UnknownView(task_a=a, task_b=b, depths=there) for (a, b), there in missing.items() if there]
        return cls(tasks=matrix.tasks, cells=cells, not_asked=not_asked, trials=trials)

    def to_matrix(self) -> ReductionMatrix:
        """Return the matrix that `of` shows.

        Raises:
            InvalidInput: cells that make no reduction matrix.
        """
        cells: dict[Pair, dict[int, Cell]] = defaultdict(dict)
        for cell in self.cells:
            low, high = cell.ar_interval or (None, None)
            cells[cell.task_a, cell.task_b][cell.depth] = Cell(cell.ar, low, high, cell.at_most)
        return ReductionMatrix(self.tasks, cells)


class ArtifactView(BaseModel):
    """A file of the bundle."""

    name: str
    bytes: int
    sha256: str
    href: str


class ArtifactList(BaseModel):
    """The files of the bundle, by name."""

    items: list[ArtifactView]


class TemplateView(BaseModel):
    """An encoder that studies may ask for."""

    name: str
    summary: str
    blocks: int
    default_depths: tuple[int, ...]
    kinds: tuple[TaskKind, ...]
    encoder_parameters: int
    encoder_macs_per_second: int
    sample_rate: int

    @classmethod
    def of(cls, template: Template) -> Self:
        """Return what the API shows of ``template``."""
        return cls(
            name=template.name,
            summary=template.summary,
            blocks=template.depth,
            default_depths=template.default_depths,
            kinds=template.kinds,
            encoder_parameters=template.encoder_parameters,
            encoder_macs_per_second=template.macs_per_second,
            sample_rate=template.front_end.sample_rate,
        )


class TemplateList(BaseModel):
    """The templates by name."""

    items: list[TemplateView]


class Health(BaseModel):
    """That the service answers."""

    status: Literal["ok"] = "ok"

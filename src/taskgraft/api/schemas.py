"""What the answers look like: typed, so that the OpenAPI document is."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field

from taskgraft.evaluators.metrics import accuracy_reduction, reductions
from taskgraft.search.spec import StudySpec
from taskgraft.search.study import Progress, Result, RunningTrial, Stage, State, Study
from taskgraft.search.trial import Trial, TrialState
from taskgraft.space.matrix import Cell, Pair, ReductionMatrix
from taskgraft.space.template import Template

Fraction = Annotated[float, Field(description="a fraction: 0.02 = 2 %")]


class StudyView(BaseModel):
    """A study: what was asked for, how far it is, what came out."""

    id: str
    name: str
    state: State
    stage: Stage | None = Field(description="null before it first starts")
    progress: Progress
    running: tuple[RunningTrial, ...] = Field(description="the trainings under way")
    reason: str | None = Field(description="why it failed, stopped, or could not keep its threshold")
    result: Result | None = Field(description="null until there is a verified tree, or none could be")
    spec: StudySpec = Field(description="the study as posted, defaults filled in")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, study: Study) -> Self:
        """How the API shows ``study``."""
        return cls(
            id=study.id,
            name=study.spec.name,
            state=study.state,
            stage=study.stage,
            progress=study.progress,
            running=study.running,
            reason=study.reason,
            result=study.result,
            spec=study.spec,
            created_at=study.created_at,
            updated_at=study.updated_at,
        )


class StudyPage(BaseModel):
    """Some of the studies, newest first."""

    items: list[StudyView]
    next_cursor: str | None = Field(description="pass it as `cursor` for the next page; null on the last")


class TrialView(BaseModel):
    """One training that ended."""

    number: int
    tasks: tuple[str, ...]
    depth: int = Field(description="how many blocks all its tasks share")
    tree: dict[str, Any] = Field(description="which blocks each task goes through: the root of the tree form")
    repeat: int
    seed: int
    state: TrialState
    metrics: dict[str, float] | None = Field(description="each task's metric on the validation split")
    ar: float | None = Field(description="against the baselines of the same repeat; null before they are known")
    reductions: dict[str, float] | None = Field(description="each task's own reduction; below 0 where it gained")
    seconds: float | None
    worker: str | None
    ended_early: bool = Field(description="further steps could not change the decision; ar is an upper bound")
    error: str | None = Field(description="why there is no measurement")

    @classmethod
    def of(cls, trial: Trial, baselines: Mapping[str, float]) -> Self:
        """How the API shows ``trial``, held against the ``baselines`` of its repeat as far as they are known."""
        training, measured = trial.training, trial.measurement
        lost = ar = None
        if measured is not None and baselines.keys() >= measured.metrics.keys():
            lost = reductions(baselines, measured.metrics)
            ar = accuracy_reduction(baselines, measured.metrics)
        return cls(
            number=trial.number,
            tasks=training.tasks,
            depth=training.shared,
            tree=training.tree.to_json(),
            repeat=training.repeat,
            seed=trial.seed,
            state=trial.state,
            metrics=None if measured is None else dict(measured.metrics),
            ar=ar,
            reductions=lost,
            seconds=None if measured is None else measured.seconds,
            worker=None if measured is None else measured.worker,
            ended_early=measured is not None and measured.is_censored,
            error=trial.error,
        )


class TrialList(BaseModel):
    """Every training of a study, in the order they ended."""

    items: list[TrialView]

    @classmethod
    def of(cls, trials: Sequence[Trial]) -> Self:
        """How the API shows ``trials``, each against the baselines of its repeat."""
        baselines: dict[int, dict[str, float]] = defaultdict(dict)
        for trial in trials:
            if trial.measurement is not None and len(trial.training.tasks) == 1:
                baselines[trial.training.repeat] |= trial.measurement.metrics
        return cls(items=[TrialView.of(trial, baselines[trial.training.repeat]) for trial in trials])


class CellView(BaseModel):
    """The accuracy reduction of one pair at one depth."""

    task_a: str
    task_b: str
    depth: int
    ar: Fraction
    ar_interval: tuple[float, float] | None = Field(
        description="95 %, over clips and, where they were repeated, over seeds"
    )
    at_most: bool = Field(description="ar is an upper bound: the training ended early, or a larger group stands for it")


class MatrixView(BaseModel):
    """The reduction matrix; while pairs are still trained it holds those that are known."""

    tasks: tuple[str, ...]
    cells: list[CellView]

    @classmethod
    def of(cls, matrix: ReductionMatrix) -> Self:
        """How the API shows ``matrix``."""
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
        return cls(tasks=matrix.tasks, cells=cells)

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


class NodeView(BaseModel):
    """A node: the half-open range of blocks that its tasks share, and what branches off behind them."""

    tasks: list[str]
    blocks: tuple[int, int]
    children: list["NodeView"]


class TreeView(BaseModel):
    """The tree form."""

    schema_: Literal["taskgraft.tree/1"] = Field(alias="schema")
    template: str
    ar_threshold: Fraction
    root: NodeView
    encoder_parameters: int
    parameters: int | None
    independent_parameters: int | None


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
    encoder_parameters: int
    sample_rate: int

    @classmethod
    def of(cls, template: Template) -> Self:
        """How the API shows ``template``."""
        return cls(
            name=template.name,
            summary=template.summary,
            blocks=template.depth,
            default_depths=template.default_depths,
            encoder_parameters=sum(block.parameters for block in template.blocks),
            sample_rate=template.front_end.sample_rate,
        )


class TemplateList(BaseModel):
    """The templates by name."""

    items: list[TemplateView]


class Health(BaseModel):
    """That the service answers."""

    status: Literal["ok"] = "ok"

"""Study specifications: what a user asks for."""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    field_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import InitErrorDetails

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.metrics import lower_is_better
from taskgraft.search.study.compression_spec import CompressionSteps, Steps
from taskgraft.search.study.encoder import OWN_ENCODER, check_heads, template_of
from taskgraft.search.study.fields import (
    AUTO,
    NuisanceLabel,
    Number,
    Value,
    Whole,
    WholeOrAuto,
    fault_again,
    fault_at,
)
from taskgraft.search.study.task_spec import TaskSpec
from taskgraft.search.study.training_spec import TrainingSpec
from taskgraft.space.exact import MAX_EXACT_TASKS
from taskgraft.space.imported import ImportedEncoder, is_place
from taskgraft.space.matrix import Decision
from taskgraft.space.synthesis import Synthesis
from taskgraft.space.tasks import MAX_NAME, NAME_PATTERN, NAME_RULE, is_valid_name
from taskgraft.space.template import Template
from taskgraft.space.templates.registry import TEMPLATES

_SUFFIX = re.compile(r"-q[0-9.]+(e-[0-9]+)?$")
"""What `StudySpec.at_threshold` appends to a study's name."""
MAX_TASKS = 64
MAX_GIVEN_REPEATS = 20
MAX_CONFIRM = 20
BASELINE_REPEATS = 2
"""Of `repeats: auto`, to start with: without any repeat, nothing is known of the noise of seeds."""
MAX_REPEATS = 6
"""Of `repeats: auto`. The margin of error shrinks with their root, so that more of them buy little."""
_MAY_IMPORT = "may import"
"""Key of pydantic's context: whether the study may be of an encoder that was imported. Requests have no context."""
_repeats = WholeOrAuto(MAX_GIVEN_REPEATS)
_Repeats = Annotated[int | Literal["auto"], PlainValidator(_repeats.read), WithJsonSchema(_repeats.schema())]


class Strategy(StrEnum):
    """What is trained, and in which order."""

    EXHAUSTIVE = "exhaustive"
    """Every pair at every depth: the published sweep."""
    ADAPTIVE = "adaptive"
    """Every pair from the deepest depth down, up to the first that keeps the threshold."""
    BISECTION = "bisection"
    """Every pair at its deepest depth, then by bisection: what breaks the threshold is taken to break it deeper."""
    GROUPS = "groups"
    """Whole groups of tasks, then parts of them: one that keeps the threshold answers for all of its pairs."""
    TREES = "trees"
    """Whole candidate trees: the tasks that lose say which branch to move, and accepted parts are delivered."""

    @property
    def asks_groups(self) -> bool:
        """Whether groups of tasks are trained that answer for all of their pairs, and the tree is made of them."""
        return self in (Strategy.GROUPS, Strategy.TREES)

    @property
    def moves_those_that_lose(self) -> bool:
        """Whether the question after a tree that broke the threshold hangs on which of its tasks lose."""
        return self is Strategy.TREES

    @property
    def accepts_on_a_level(self) -> bool:
        """Whether a point estimate keeps the threshold only with a margin for its noise."""
        return self is Strategy.TREES

    @property
    def fewest_tasks(self) -> int:
        """How many tasks a study needs at least."""
        return 2 if self is Strategy.TREES else 1

    @property
    def fewest_trees(self) -> int:
        """How many trainings beside the baselines a budget has to hold at least."""
        return 1 if self is Strategy.TREES else 0

    @property
    def needs_exact_figures(self) -> bool:
        """Whether every training takes all its steps, because its figures count and not only its answer.

        Of a candidate tree, every task's figure counts: one that was given up early does not tell who loses.
        """
        return self in (Strategy.EXHAUSTIVE, Strategy.TREES)


def _at_least_one_if_given(schema: dict[str, Any]) -> None:
    """Describe a list whose default is not the empty list that stands for it in the model."""
    schema["minItems"] = 1
    del schema["default"]


class BudgetSpec(Value):
    """Where to stop asking; null means no limit. Baselines are trained in any case.

    ``trials`` counts what this study trains; what it takes over from other studies is free.
    """

    trials: Whole | None = Field(default=None, ge=1)
    seconds: Number | None = Field(default=None, gt=0)

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return self.trials is not None or self.seconds is not None


class StudySpec(Value):
    """A study as a user writes it."""

    name: str = Field("study", description=NAME_RULE, json_schema_extra={"pattern": NAME_PATTERN})
    ar_threshold: Number = Field(ge=0, lt=1, description="Q: the accuracy reduction that is still accepted")
    tasks: tuple[TaskSpec, ...] = Field(json_schema_extra={"minItems": 1, "maxItems": MAX_TASKS})
    imported: Annotated[SkipJsonSchema[ImportedEncoder | None], Field(exclude_if=lambda found: found is None)] = None
    """What was measured of a template of the user's own, which whoever runs the study has imported."""
    template: str = "cnn8"
    width: Number = Field(1.0, gt=0, le=1, description="times the channels of the template's layers")
    front_end: str | None = Field(None, description="another front end than the template's, by name")
    depths: tuple[Annotated[Whole, Field(ge=1)], ...] = Field(
        default=(),
        validate_default=True,
        description="by default the template's upper half",
        json_schema_extra=_at_least_one_if_given,
    )
    strategy: Strategy = Strategy.ADAPTIVE
    synthesis: Synthesis = Synthesis.RECURSIVE
    decision: Decision = Decision.POINT
    repeats: _Repeats = Field(1, description="seeds of every training; auto: more if the answer is open")
    confirm: Whole = Field(
        0, ge=0, le=MAX_CONFIRM, description="further seeds that the chosen tree and its baselines are trained with"
    )
    seed: Whole = Field(0, ge=0, lt=2**31)
    training: TrainingSpec = TrainingSpec()
    compression: CompressionSteps = Field(
        default=(),
        description="what makes the tree smaller once it is found: a name, or a list of steps",
        exclude_if=lambda steps: not steps,
    )
    budget: BudgetSpec = BudgetSpec()
    nuisance: Annotated[SkipJsonSchema[NuisanceLabel | None], Field(exclude=True)] = None
    """A label that rows of a comparison train against. `Comparison` keeps it: it is neither read nor written here."""

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not is_valid_name(name):
            raise ValueError(f"a study's name has {NAME_RULE}")
        return name

    @field_validator("tasks", mode="wrap")
    @classmethod
    def _tasks(cls, given: Any, read: ValidatorFunctionWrapHandler) -> tuple[TaskSpec, ...]:
        """Read the tasks; a repeated name is reported together with all other faults."""
        if isinstance(given, list | tuple) and not 1 <= len(given) <= MAX_TASKS:
            raise ValueError(f"a study has 1 to {MAX_TASKS} tasks; got {len(given)}")
        faults = _repeated_names(given)
        try:
            tasks: tuple[TaskSpec, ...] = read(given)
        except ValidationError as error:
            faults += map(fault_again, error.errors())
        if faults:
            raise ValidationError.from_exception_data("tasks", faults)
        return tasks

    @field_validator("imported", mode="before")
    @classmethod
    def _is_no_request(cls, imported: object, info: ValidationInfo) -> object:
        """Refuse what a request says of an encoder: workers would import what it names."""
        if imported is not None and not (info.context or {}).get(_MAY_IMPORT):
            raise ValueError(OWN_ENCODER)
        return imported

    @field_validator("nuisance", mode="before")
    @classmethod
    def _is_not_said_here(cls, label: object) -> object:
        if label is not None:
            raise ValueError("is said in training.algorithm, or when a comparison is asked for")
        return label

    @field_validator("template")
    @classmethod
    def _template(cls, name: str, info: ValidationInfo) -> str:
        """Refuse an unknown name, and a template without a head for a kind of task that the study has."""
        imported = info.data.get("imported")
        if imported and name != imported.place:
            raise ValueError(f"what is said of {imported.place} as imported is not about this template")
        if is_place(name) and not imported:
            raise ValueError(OWN_ENCODER)
        if name not in TEMPLATES and not imported:
            raise ValueError(f"there is no such template; there is {', '.join(sorted(TEMPLATES))}")
        template = template_of(imported, name)
        tasks: tuple[TaskSpec, ...] = info.data.get("tasks", ())
        if others := [task.name for task in tasks if task.kind not in template.kinds and not task.head]:
            wanted = {task.kind for task in tasks}
            able = [one for one in TEMPLATES if wanted <= set(TEMPLATES[one].kinds)]
            why = f" ({imported.why_no_steps})" if imported else ""
            answers = f"{name} answers {', '.join(template.kinds)} tasks only{why}"
            raise ValueError(
                f"{answers}, and {', '.join(others)} is of another kind; take it out, or use {', '.join(able)}"
            )
        try:
            check_heads(template, [task.to_task(task.kind.form.least) for task in tasks])
        except InvalidInput as error:
            raise ValueError(error.faults[0].message) from None
        return name

    @field_validator("width")
    @classmethod
    def _width(cls, width: float, info: ValidationInfo) -> float:
        if width != 1 and info.data.get("imported"):
            raise ValueError("an encoder of your own is as wide as it is: leave this out")
        return width

    @field_validator("front_end")
    @classmethod
    def _front_end(cls, name: str | None, info: ValidationInfo) -> str | None:
        """Refuse an unknown name, and what the template can't take."""
        if name is not None and "template" in info.data:
            try:
                width = float(info.data.get("width", 1.0))
                template = template_of(info.data.get("imported"), info.data["template"], width, name)
                check_heads(template, [task.to_task(task.kind.form.least) for task in info.data.get("tasks", ())])
            except InvalidInput as error:
                raise ValueError(error.faults[0].message) from None
        return name

    @field_validator("depths", mode="before")
    @classmethod
    def _one_depth_or_more(cls, depths: object) -> object:
        """Refuse an empty list; the empty tuple is the default."""
        if depths == []:
            raise ValueError("one depth or more; leave this out for the template's upper half")
        return depths

    @field_validator("depths")
    @classmethod
    def _depths(cls, depths: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        if "template" not in info.data:
            return depths
        template = template_of(info.data.get("imported"), info.data["template"])  # its width changes no depth
        if len(set(depths)) != len(depths):
            raise ValueError("each depth is tried once")
        if max(depths, default=0) > template.depth:
            raise ValueError(f"{template.name} has {template.depth} blocks: use depths from 1 to {template.depth}")
        return depths or template.default_depths

    @field_validator("strategy")
    @classmethod
    def _has_enough_tasks(cls, strategy: Strategy, info: ValidationInfo) -> Strategy:
        given = len(info.data.get("tasks", ())) or strategy.fewest_tasks
        if given < strategy.fewest_tasks:
            needed = f"takes {strategy.fewest_tasks} tasks or more, and this study has {given}"
            raise ValueError(f"strategy {strategy.value} {needed}: add a task, or use {Strategy.ADAPTIVE.value}")
        return strategy

    @field_validator("training")
    @classmethod
    def _fits_tasks_and_template(cls, training: TrainingSpec, info: ValidationInfo) -> TrainingSpec:
        """Refuse a trunk of one task, and a length of crops that the template does not have."""
        if {"template", "front_end"} <= info.data.keys():
            template = template_of(info.data.get("imported"), info.data["template"], front_end=info.data["front_end"])
            front_end = template.front_end
            if front_end.crop and training.clip_seconds:
                seconds = front_end.crop / front_end.frames_per_second
                raise ValueError(f"clip_seconds: the front end takes crops of {seconds:g} s only: leave it out")
        if training.has_trunk and len(info.data.get("tasks", ())) == 1:
            raise ValueError("start: trunk takes 2 tasks or more, and this study has 1: leave it out")
        return training

    @field_validator("training")
    @classmethod
    def _fits_the_study(cls, training: TrainingSpec, info: ValidationInfo) -> TrainingSpec:
        """Refuse an algorithm that can't train the tasks, and what can't be done to the rows of the front end."""
        kinds = {task.name: task.kind for task in info.data.get("tasks", ())}
        found = list(training.algorithm_faults(kinds)) if kinds else []
        if {"template", "front_end"} <= info.data.keys():
            template = template_of(info.data.get("imported"), info.data["template"], front_end=info.data["front_end"])
            found += training.augmentation_faults(template.front_end)
        if found:
            raise ValidationError.from_exception_data("training", [fault_at(*fault) for fault in found])
        return training

    @field_validator("training")
    @classmethod
    def _weighs_its_tasks(cls, training: TrainingSpec, info: ValidationInfo) -> TrainingSpec:
        """Refuse a weighting that does not say what it has to about the study's tasks."""
        if "tasks" in info.data:
            found = list(training.weighting_faults([task.name for task in info.data["tasks"]]))
            if found:
                faults = [fault_at(where, rule, training.loss_weighting.to_plain()) for where, rule in found]
                raise ValidationError.from_exception_data("training", faults)
        return training

    @field_validator("compression")
    @classmethod
    def _can_be_smaller(cls, steps: Steps, info: ValidationInfo) -> Steps:
        """Refuse a template that can't be made smaller, and first weights that no seed draws."""
        if {"template", "front_end", "training"} <= info.data.keys():
            named = template_of(info.data.get("imported"), info.data["template"], front_end=info.data["front_end"])
            template = info.data["training"].algorithm.template(named)
            for step in steps:
                try:
                    step.check_template(template)
                except InvalidInput as error:
                    raise ValueError(f"{step.name}: {error.faults[0].message}") from None
        has_trunk = "training" in info.data and info.data["training"].has_trunk
        if has_trunk and (rewinding := [step.name for step in steps if step.rewinds]):
            why = "goes back to the weights that the seed draws, and training.start is trunk"
            raise ValueError(f"{rewinding[0]} {why}: leave one of them out")
        return steps

    @field_validator("budget")
    @classmethod
    def _is_large_enough(cls, budget: BudgetSpec, info: ValidationInfo) -> BudgetSpec:
        """Refuse fewer trials than baselines, and what the strategy cannot do without: such a study could not end."""
        repeats, strategy = info.data.get("repeats", 1), info.data.get("strategy", Strategy.ADAPTIVE)
        seeds = BASELINE_REPEATS if repeats == AUTO else repeats
        has_trunk = "training" in info.data and info.data["training"].has_trunk
        baselines = (len(info.data.get("tasks", ())) + has_trunk) * seeds
        trees = strategy.fewest_trees * (1 if repeats == AUTO else repeats)
        if budget.trials is not None and budget.trials < baselines + trees:
            with_trunks = ", with their trunks," if has_trunk else ""
            message = f"the baselines of these tasks and repeats alone{with_trunks} take {baselines} trainings"
            if trees:
                message += f", and strategy {strategy.value} one tree more: {baselines + trees} would do"
            raise ValidationError.from_exception_data("budget", [fault_at(("trials",), message, budget.trials)])
        return budget

    @field_validator("synthesis")
    @classmethod
    def _is_made_of_pairs(cls, synthesis: Synthesis, info: ValidationInfo) -> Synthesis:
        strategy = info.data.get("strategy")
        if strategy and strategy.asks_groups and synthesis is not Synthesis.RECURSIVE:
            raise ValueError(f"strategy {strategy.value} puts the tree together while it asks; leave this out")
        return synthesis

    @field_validator("synthesis")
    @classmethod
    def _few_enough(cls, synthesis: Synthesis, info: ValidationInfo) -> Synthesis:
        tasks = len(info.data.get("tasks", ()))
        if synthesis is Synthesis.EXACT and tasks > MAX_EXACT_TASKS:
            raise ValueError(f"exact takes at most {MAX_EXACT_TASKS} tasks, and this study has {tasks}")
        return synthesis

    def at_threshold(self, ar_threshold: float, epochs: int | None = None) -> Self:
        """Return the same study at another threshold, named after both; this one if the threshold is its own.

        If it leaves its training length open, and ``epochs`` are what it chose, the other one says them: both have the
        same trainings.

        Raises:
            InvalidInput: a threshold that is not at least 0 and below 1.
        """
        if ar_threshold == self.ar_threshold:
            return self
        suffix = f"-q{ar_threshold:g}" if isinstance(ar_threshold, int | float) else ""
        name = f"{_SUFFIX.sub('', self.name)[: MAX_NAME - len(suffix)]}{suffix}"
        training = self.training.lasting(epochs) if epochs and self.training.epochs == AUTO else self.training
        changed = {"ar_threshold": ar_threshold, "name": name, "training": training.model_dump(mode="json")}
        return self.parse({**self.to_plain(), **changed})

    def reading(self, label: NuisanceLabel | None) -> Self:
        """Return the same study, but that its data have this label beside those that it asks for itself."""
        return self if label == self.nuisance else self.model_copy(update={"nuisance": label})

    @property
    def stops_early(self) -> bool:
        """Whether a training of several tasks may end before its last step.

        Not if every figure has to be exact, and not if several repeats decide together. Nor if the checkpoint is not
        chosen by metric: a later one may be worse than one that meets the threshold. Nor if tasks are trained one
        after the other: only the last checkpoints are whole models.
        """
        exact = self.strategy.needs_exact_figures or not self.training.optimisation.choice.is_by_metric
        return self.repeats == 1 and not exact and not self.training.algorithm.has_phases

    @property
    def least_repeats(self) -> int:
        """How often a training of several tasks is run at least."""
        return 1 if self.repeats == AUTO else int(self.repeats)

    @property
    def most_repeats(self) -> int:
        """How often a training of several tasks is run at most."""
        return MAX_REPEATS if self.repeats == AUTO else int(self.repeats)

    @property
    def baseline_repeats(self) -> int:
        """How often every baseline is trained at least."""
        return BASELINE_REPEATS if self.repeats == AUTO else int(self.repeats)

    @property
    def encoder(self) -> Template:
        """The template, as wide as the study wants it, and as its algorithm trains it."""
        named = template_of(self.imported, self.template, float(self.width), self.front_end)
        return self.training.algorithm.template(named)

    @property
    def task_names(self) -> tuple[str, ...]:
        """Names of the tasks, in the order of the study."""
        return tuple(task.name for task in self.tasks)

    @property
    def metrics(self) -> dict[str, str]:
        """The metric of each task."""
        return {task.name: task.metric for task in self.tasks}

    @property
    def errors(self) -> frozenset[str]:
        """The tasks whose metric is an error: better if it is lower."""
        return lower_is_better(self.metrics)

    @classmethod
    def parse(cls, body: object) -> Self:
        """Read a study from plain data (of JSON or YAML) that is no request: it may say what was imported.

        Raises:
            InvalidInput: with every fault at once, each naming its field, the rule and the value.
        """
        try:
            return cls.model_validate(body, context={_MAY_IMPORT: True})
        except ValidationError as error:
            raise InvalidInput(map(as_fault, error.errors(include_url=False))) from None

    def to_plain(self) -> dict[str, Any]:
        """Return plain data that `parse` reads back."""
        return self.model_dump(mode="json")


def _repeated_names(tasks: Iterable[Any]) -> list[InitErrorDetails]:
    faults, seen = [], set()
    for place, task in enumerate(tasks if isinstance(tasks, list | tuple) else ()):
        name = task.get("name") if isinstance(task, Mapping) else getattr(task, "name", None)
        if isinstance(name, str):
            if name in seen:
                faults.append(fault_at((place, "name"), "task names are unique", name))
            seen.add(name)
    return faults


_OUR_WORDS = MappingProxyType(
    {
        "missing": "is required",
        "extra_forbidden": "there is no such field",
        "model_type": "is an object",
        "tuple_type": "is a list",
    }
)


def as_fault(error: Mapping[str, Any]) -> Fault:
    """Return one of pydantic's errors in our words: field, rule, value."""
    where = ".".join(str(part) for part in error["loc"])
    message = _OUR_WORDS.get(error["type"], str(error["msg"]).removeprefix("Value error, "))
    if error["type"] == "missing" or "; got" in message:
        return Fault(where, message)
    return Fault(where, f"{message}; got {error['input']!r:.80}")

"""How a study makes its tree smaller: ``compression: prune``, or a list of steps, each a name or a name and options."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer, PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.compression.rounds import rounds
from taskgraft.search.study.fields import Number, Value, fault_again, fault_at, name_and_options
from taskgraft.search.study.pruning import Pruned, Pruning
from taskgraft.space.cost import tree_cost
from taskgraft.space.narrowing import check_channels, one_channel_each
from taskgraft.space.pruning import kernel_weights, weights_within
from taskgraft.space.tasks import Task
from taskgraft.space.template import Template
from taskgraft.space.tree import BranchTree


class Compression(Value):
    """One step of making a tree smaller."""

    name: str

    @property
    def prunes(self) -> bool:
        """Whether it takes trainings, which leave something out."""
        return False

    @property
    def rewinds(self) -> bool:
        """Whether weights go back to values from before they were trained."""
        return False

    def check_template(self, template: Template) -> None:
        """Check that it can make models of a template smaller.

        Raises:
            InvalidInput: at ``template``: it can't.
        """

    def pruning(self, part: BranchTree, template: Template, tasks: Sequence[Task]) -> tuple[BranchTree, Pruning] | None:
        """Return the tree and the last round of what becomes of a part of the delivered tree; None if it stays.

        Raises:
            InvalidInput: at ``size``: what is never pruned is larger.
        """
        return None

    @classmethod
    def options(cls) -> tuple[str, ...]:
        """Return the names of its options."""
        return tuple(field for field in cls.model_fields if field != "name")

    def to_plain(self) -> Any:
        """Return plain data: the name alone if there are no options."""
        return self.model_dump(mode="json") if self.options() else self.name


class _Sized(Compression):
    """A step that leaves a share of the parameters."""

    size: Number = Field(0.5, gt=0, lt=1, description="share of the tree's parameters that stay, heads included")

    @property
    def prunes(self) -> bool:
        """True."""
        return True

    def left(self, part: BranchTree, template: Template, tasks: Sequence[Task]) -> int:
        """Return how many parameters stay of a part."""
        whole = tree_cost(part, template, tasks).parameters or 0
        return min(whole - 1, round(float(self.size) * whole))


class Lth(_Sized):
    """Prunes the smallest weights of the tree round by round, and trains what is left from its first values."""

    name: Literal["lth"] = "lth"
    rewind: Number = Field(0.0, ge=0, le=0.5, description="share of the steps after which values are taken; 0: none")

    @property
    def rewinds(self) -> bool:
        """True."""
        return True

    def check_template(self, template: Template) -> None:
        """Refuse encoders of a user's own: nothing is known of their layers."""
        if template.imported:
            raise InvalidInput.at("template", "an encoder of your own can't be pruned: nothing is known of its layers")

    def pruning(self, part: BranchTree, template: Template, tasks: Sequence[Task]) -> tuple[BranchTree, Pruning] | None:
        """Return the same tree and its last round."""
        left = weights_within(part, template, tasks, self.left(part, template, tasks))
        return part, Pruning(Pruned.WEIGHTS, rounds(kernel_weights(part, template), left), rewind=float(self.rewind))


class Lt4rec(Lth):
    """Prunes each task's own network; then the tasks of a part of the tree share what is left, each by its mask."""

    name: Literal["lt4rec"] = "lt4rec"  # type: ignore[assignment]

    def pruning(self, part: BranchTree, template: Template, tasks: Sequence[Task]) -> tuple[BranchTree, Pruning] | None:
        """Return columns that share weights, or what `Lth` does of a task that is alone."""
        if len(part.tasks) == 1:
            return super().pruning(part, template, tasks)
        columns = BranchTree.flat(part.tasks, 0, part.depth)
        left = weights_within(columns, template, tasks, self.left(part, template, tasks))
        return columns, Pruning(Pruned.SHARED, (*rounds(template.kernels, left), left), rewind=float(self.rewind))


class Prune(_Sized):
    """Takes whole channels out of the trained tree, and trains on."""

    name: Literal["prune"] = "prune"

    def check_template(self, template: Template) -> None:
        """Refuse templates that can't do without single channels."""
        check_channels(template)

    def pruning(self, part: BranchTree, template: Template, tasks: Sequence[Task]) -> tuple[BranchTree, Pruning] | None:
        """Return the same tree and how many parameters stay."""
        left, least = self.left(part, template, tasks), one_channel_each(part, template, tasks)
        if left < least:
            raise InvalidInput.at("size", f"one channel per convolution leaves {least:,} parameters; got {left:,}")
        return part, Pruning(Pruned.CHANNELS, (left,))


class Int8(Compression):
    """Weights and activations of 8 bits, in a further file of the bundle."""

    name: Literal["int8"] = "int8"


COMPRESSIONS: Mapping[str, type[Compression]] = MappingProxyType(
    {"lth": Lth, "lt4rec": Lt4rec, "prune": Prune, "int8": Int8}
)
Steps = tuple[Compression, ...]


def read_steps(given: object) -> Steps:
    """Return the steps that a study names.

    Raises:
        ValueError: more than one of them prunes, or one comes behind ``int8``.
        ValidationError: with every fault of a step at its place.
    """
    steps = given if isinstance(given, list | tuple) else [given]
    found: list[Compression] = []
    faults: list[InitErrorDetails] = []
    for place, step in enumerate(steps):
        where = (place,) if isinstance(given, list | tuple) else ()
        try:
            found.append(_read(step))
        except ValueError as error:
            inner = error.errors() if isinstance(error, ValidationError) else None
            faults += (
                [fault_at(where, str(error), step)] if inner is None else [fault_again(one, where) for one in inner]
            )
    if faults:
        raise ValidationError.from_exception_data("compression", faults)
    names = [step.name for step in found]
    if sum(step.prunes for step in found) > 1 or len(set(names)) != len(names):
        raise ValueError(f"one step prunes, and each is named once; got {', '.join(names)}")
    if any(step.prunes for step in found[1:]):
        raise ValueError(f"int8 comes last, since it is not trained any more; got {', '.join(names)}")
    return tuple(found)


def _read(given: object) -> Compression:
    if isinstance(given, Compression):
        return given
    name, said = name_and_options(given, COMPRESSIONS)
    kind = COMPRESSIONS[name]
    if foreign := [str(option) for option in said if option not in kind.model_fields]:
        options = ", ".join(kind.options())
        known = f"{name} has the options {options}" if options else f"{name} has no options"
        raise ValidationError.from_exception_data(
            "compression", [fault_at((one,), f"there is no such option; {known}", said.get(one)) for one in foreign]
        )
    return kind.model_validate(dict(said))


def _to_plain(steps: Steps) -> list[Any]:
    return [step.to_plain() for step in steps]


def _schema() -> dict[str, Any]:
    steps = {name: _schema_of(name, kind) for name, kind in COMPRESSIONS.items()}
    first = {"anyOf": [step for name, step in steps.items() if COMPRESSIONS[name] is not Int8]}
    two = {"type": "array", "prefixItems": [first, steps["int8"]], "minItems": 2, "maxItems": 2}
    one = {"type": "array", "items": {"anyOf": [*steps.values()]}, "maxItems": 1}
    return {"anyOf": [*steps.values(), one, two]}


def _schema_of(name: str, kind: type[Compression]) -> dict[str, Any]:
    return {"anyOf": [{"type": "string", "const": name}, kind.model_json_schema() | {"required": ["name"]}]}


CompressionSteps = Annotated[Steps, PlainValidator(read_steps), PlainSerializer(_to_plain), WithJsonSchema(_schema())]
"""The field of a study."""


def check_sizes(steps: Steps, template: Template, tasks: Sequence[Task]) -> None:
    """Check that every tree that a study may deliver can be made as small as asked for.

    What is never pruned is a share of sums over blocks. It is largest if all tasks share the blocks up to some place
    and none behind it, or for a task alone.

    Raises:
        InvalidInput: at ``compression``: what is never pruned is larger than that.
    """
    names, depth = [task.name for task in tasks], template.depth
    parts = {f"if all tasks share {shared} blocks": BranchTree.flat(names, shared, depth) for shared in range(1, depth)}
    parts |= {f"if {name} is alone": BranchTree.flat([name], depth, depth) for name in names}
    for when, part in ({"if all tasks share all blocks": BranchTree.flat(names, depth, depth)} | parts).items():
        for step in steps:
            try:
                step.pruning(part, template, tasks)
            except InvalidInput as error:
                why = "; ".join(fault.message for fault in error.faults)
                raise InvalidInput.at("compression", f"{when}, {step.name} can't leave so little: {why}") from None


def prunes(steps: Steps) -> Compression | None:
    """Return the step that prunes; None if there is none."""
    return next((step for step in steps if step.prunes), None)


def is_quantised(steps: Steps) -> bool:
    """Return whether the bundle has a model of 8 bits."""
    return any(isinstance(step, Int8) for step in steps)

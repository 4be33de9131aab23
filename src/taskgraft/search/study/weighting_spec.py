"""How a study names a weighting: ``loss_weighting: dwa`` or ``loss_weighting: {name: dwa, temperature: 1}``."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, ValidationError, WithJsonSchema

from taskgraft.evaluators.weighting.protocol import LossWeighting
from taskgraft.evaluators.weighting.registry import WEIGHTINGS, owner_of
from taskgraft.search.study.fields import fault_again, fault_at, name_and_options


def read_weighting(given: object) -> LossWeighting:
    """Return the weighting that a study names.

    Raises:
        ValueError: it names none.
        ValidationError: with every fault of its options.
    """
    if isinstance(given, LossWeighting):
        return given
    name, said = name_and_options(given, WEIGHTINGS)
    return _read(WEIGHTINGS[name], name, said)


def _read(kind: type[LossWeighting], name: str, said: Mapping[Any, Any]) -> LossWeighting:
    foreign = [option for option in said if option not in kind.model_fields]
    faults = [fault_at((str(option),), _why_not(kind, name, str(option)), said[option]) for option in foreign]
    try:
        found = kind.model_validate({option: value for option, value in said.items() if option not in foreign})
    except ValidationError as error:
        faults += map(fault_again, error.errors())
    if faults:
        raise ValidationError.from_exception_data("loss_weighting", faults)
    return found


def _why_not(kind: type[LossWeighting], name: str, option: str) -> str:
    """Return why a weighting has no such option."""
    options = ", ".join(kind.options())
    known = f"{name} has the options {options}" if options else f"{name} has no options"
    owner = owner_of(option)
    return f"is an option of {owner}, and {known}" if owner else f"there is no such option; {known}"


def _schema() -> dict[str, Any]:
    schemas = [kind.model_json_schema() for kind in WEIGHTINGS.values()]
    objects = [schema | {"required": ["name", *schema.get("required", ())]} for schema in schemas]
    return {"anyOf": [{"type": "string", "enum": list(WEIGHTINGS)}, *objects]}


AnyWeighting = Annotated[
    LossWeighting,
    PlainValidator(read_weighting),
    PlainSerializer(LossWeighting.to_plain),
    WithJsonSchema(_schema()),
]
"""A weighting in a study."""

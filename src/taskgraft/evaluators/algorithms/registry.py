"""The training algorithms by name, and how a study file names one. A new one is a file here and a line below."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.algorithms.adversarial import Adversarial
from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.cross import CrossHard, CrossSoft
from taskgraft.evaluators.algorithms.distil import Distil
from taskgraft.evaluators.algorithms.freeze import Freeze
from taskgraft.evaluators.algorithms.hard import Hard
from taskgraft.evaluators.algorithms.mean_teacher import MeanTeacher
from taskgraft.evaluators.algorithms.serial import Serial
from taskgraft.evaluators.algorithms.soft import Soft
from taskgraft.evaluators.algorithms.soft_sharing import SoftSharing
from taskgraft.evaluators.algorithms.task_attention import TaskAttention

ALGORITHMS: Mapping[str, type[Algorithm]] = MappingProxyType(
    {
        Soft.name: Soft,
        Hard.name: Hard,
        CrossSoft.name: CrossSoft,
        CrossHard.name: CrossHard,
        Freeze.name: Freeze,
        Serial.name: Serial,
        MeanTeacher.name: MeanTeacher,
        SoftSharing.name: SoftSharing,
        Adversarial.name: Adversarial,
        Distil.name: Distil,
        TaskAttention.name: TaskAttention,
    }
)
SOFT = Soft()


def read_algorithm(given: object) -> Algorithm:
    """Return the algorithm that a study file names: ``NAME``, or ``{name: NAME, ...}`` with options of its own.

    Raises:
        InvalidInput: with every fault at its option, or at "" or ``name``.
    """
    if isinstance(given, Algorithm):
        return given
    if isinstance(given, str):
        return _made(given, "", {})
    if not isinstance(given, Mapping) or "name" not in given:
        raise InvalidInput.at("", f"a name, or an object with a name and its options; got {given!r:.80}")
    return _made(given["name"], "name", {str(key): value for key, value in given.items() if key != "name"})


def _made(name: object, where: str, said: Mapping[str, Any]) -> Algorithm:
    if not isinstance(name, str) or name not in ALGORITHMS:
        raise InvalidInput.at(where, f"there is {', '.join(ALGORITHMS)}; got {name!r:.80}")
    kind = ALGORITHMS[name]
    faults = [Fault(option, _why_not(option, kind)) for option in said if option not in kind.options]
    missing = [option for option, known in kind.options.items() if known.is_required and option not in said]
    faults += [Fault(option, f"algorithm {name} needs it: {kind.options[option].fault(None)}") for option in missing]
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in said.items()}
    try:
        made = kind(**{key: value for key, value in options.items() if key in kind.options}) if not missing else None
    except InvalidInput as error:
        faults += error.faults
    if faults or made is None:
        raise InvalidInput(faults)
    return made


def _why_not(option: str, kind: type[Algorithm]) -> str:
    others = [one.name for one in ALGORITHMS.values() if option in one.options]
    takes = f"algorithm {kind.name} takes {', '.join(kind.options) or 'no options'}"
    return f"{takes}: this is one of {', '.join(others)}" if others else f"there is no such option; {takes}"


def algorithm_schema() -> dict[str, Any]:
    """Return the JSON schema of what `read_algorithm` reads."""
    plain = [name for name, kind in ALGORITHMS.items() if not any(one.is_required for one in kind.options.values())]
    return {"anyOf": [{"enum": plain}, *(_object_schema(kind) for kind in ALGORITHMS.values())]}


def _object_schema(kind: type[Algorithm]) -> dict[str, Any]:
    required = [name for name, option in kind.options.items() if option.is_required]
    options = {name: option.schema() for name, option in kind.options.items()}
    properties = {"name": {"const": kind.name}, **options}
    return {"type": "object", "properties": properties, "required": ["name", *required], "additionalProperties": False}

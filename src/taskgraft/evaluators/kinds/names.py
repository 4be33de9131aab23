"""Targets by name: what a study asks for must be a column or an event of its dataset."""

from collections.abc import Iterable, Mapping, Sequence

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.datasets.targets import named
from taskgraft.evaluators.kinds.protocol import Target
from taskgraft.space.tasks import TaskKind


def one_target(kind: TaskKind, target: Target) -> str:
    """Return the one name of a target.

    Raises:
        InvalidInput: at ``target``: there are several.
    """
    if isinstance(target, str):
        return target
    raise InvalidInput.at("target", f"a {kind} task has one target, a text; got {list(target)}")


def all_targets(target: Target) -> tuple[str, ...]:
    """Return the names of a target.

    Raises:
        InvalidInput: at ``target``: there is none, or one stands there twice.
    """
    names = (target,) if isinstance(target, str) else target
    if not names or len(set(names)) < len(names):
        raise InvalidInput.at("target", f"one name or more, each once; got {list(names)}")
    return names


def require_column(dataset: str, target: str, columns: Iterable[str], events: Iterable[str]) -> None:
    """Check that a dataset has a label column of this name.

    Raises:
        InvalidInput: at ``target``: there is none; the message says if there is an event of that name.
    """
    known = set(columns)
    if target not in known:
        hint = f"{target!r} is an event of its segments: write kind: frames or events" if target in set(events) else ""
        _refuse(f"{dataset} has no label column {target!r}", hint, known)


def require_event(dataset: str, target: str, events: Iterable[str], columns: Iterable[str]) -> None:
    """Check that the segments of a dataset have an event of this name.

    Raises:
        InvalidInput: at ``target``: they do not; the message says if there is a column of that name.
    """
    known = set(events)
    if target not in known:
        is_column = target in set(columns)
        hint = f"{target!r} is a label column: write kind: clip, tags or value" if is_column else ""
        _refuse(f"{dataset} has no event {target!r} in its segments", hint, known)


def refuse_faults(dataset: str, faults: Mapping[str, Sequence[str]]) -> None:
    """Refuse a target whose columns or events, by name, have faults.

    Raises:
        InvalidInput: at ``target``, with every fault and the name it belongs to.
    """
    listed = [Fault("target", f"{name} of {dataset}: {fault}") for name, found in faults.items() for fault in found]
    if listed:
        raise InvalidInput(listed)


def _refuse(message: str, hint: str, known: Iterable[str]) -> None:
    raise InvalidInput.at("target", f"{message}; " + (hint or f"there are {named(sorted(known)) or 'none'}"))

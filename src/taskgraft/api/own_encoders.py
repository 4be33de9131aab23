"""Encoders of users' own, for the command line and Python: imported here, before a study is read.

Services do not come here. A study that is posted and names such an encoder is refused by `StudySpec`.
"""

# ruff: noqa: PLC0415  # torch is imported only for a study that names an encoder of the user's own
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taskgraft.errors import Fault, InvalidInput
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.imported import ImportedEncoder, is_place
from taskgraft.space.template import Template
from taskgraft.space.templates.imported import imported_template
from taskgraft.space.templates.registry import get_template

_ABOUT_THE_TEMPLATE = frozenset({"template", "imported", "width", "front_end", "depths"})


def parse_study(body: Mapping[str, Any], base: Path) -> StudySpec:
    """Read a study from plain data; imports the encoder if it is of the user's own, also from ``base``.

    Raises:
        InvalidInput: with every fault at once.
    """
    if not is_place(body.get("template")):
        return StudySpec.parse(body)
    try:
        found = _measured(body, base)
    except InvalidInput as error:
        raise InvalidInput([*error.faults, *_other_faults(body)]) from None
    return StudySpec.parse({**body, "imported": found})


def find_template(name: str, width: float, front_end: str | None, base: Path) -> Template:
    """Return a template by name, or the user's own, which is imported, also from ``base``.

    Raises:
        InvalidInput: as `get_template`, or the user's own can't be imported or measured.
    """
    if not is_place(name):
        return get_template(name, width, front_end)
    if width != 1:
        raise InvalidInput.at("width", f"an encoder of your own is as wide as it is: leave this out; got {width!r}")
    return imported_template(_measure(name, front_end, base))


def _measured(body: Mapping[str, Any], base: Path) -> ImportedEncoder:
    """Return what is found of the study's encoder, which has to be what the study says was found, if it does."""
    front_end = body.get("front_end")
    found = _measure(body["template"], front_end if isinstance(front_end, str) else None, base)
    said = body.get("imported")
    if said is not None and said != found.to_plain():
        rule = "what was found of the encoder when this was written; it has changed: leave this out to use it as it is"
        raise InvalidInput.at("imported", rule)
    return found


def _measure(place: str, front_end: str | None, base: Path) -> ImportedEncoder:
    from taskgraft.evaluators.imported.code import look_in
    from taskgraft.evaluators.imported.measuring import measure_encoder

    look_in((base, Path()))
    return measure_encoder(place, front_end)


def _other_faults(body: Mapping[str, Any]) -> list[Fault]:
    """Return the faults of the rest of a study whose encoder is at fault."""
    try:
        StudySpec.parse({name: value for name, value in body.items() if name not in _ABOUT_THE_TEMPLATE})
    except InvalidInput as error:
        return list(error.faults)
    return []

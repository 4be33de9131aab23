"""The encoder of a study: a template by name, or what was measured of the user's own; and the heads behind it."""

from collections.abc import Iterable

from taskgraft.errors import InvalidInput
from taskgraft.space.imported import ImportedEncoder
from taskgraft.space.tasks import Task
from taskgraft.space.template import Template
from taskgraft.space.templates.imported import imported_template
from taskgraft.space.templates.registry import get_template

OWN_ENCODER = (
    "an encoder of your own (module:name) is for `taskgraft run` and `taskgraft.run`, which import it: "
    "a service imports nothing that a study names"
)


def template_of(
    imported: ImportedEncoder | None, name: str, width: float = 1.0, front_end: str | None = None
) -> Template:
    """Return the template of that name, or what was measured of a user's own.

    Raises:
        InvalidInput: as `get_template`, or the user's own was measured behind another front end.
    """
    if imported is None:
        return get_template(name, width, front_end)
    if front_end not in (None, imported.front_end):
        raise InvalidInput.at("front_end", f"{name} was measured behind {imported.front_end!r}; got {front_end!r}")
    return imported_template(imported)


def check_heads(template: Template, tasks: Iterable[Task]) -> None:
    """Check that a template can answer tasks, with the heads that these name.

    Raises:
        InvalidInput: one has no head, or names one that needs time steps that are not there.
    """
    for task in tasks:
        template.head(task)


def check_no_import(imported: ImportedEncoder | None) -> None:
    """Refuse an encoder that would have to be imported: services do not.

    Raises:
        InvalidInput: at ``template``.
    """
    if imported:
        raise InvalidInput.at("template", f"{OWN_ENCODER}; got {imported.place!r}")

"""The public form of a tree: a JSON document that says how it was found and what it costs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from taskgraft.errors import Fault, InvalidInput
from taskgraft.space.cost import independent_parameters, tree_cost
from taskgraft.space.front_ends import PRESETS
from taskgraft.space.gates import read_gate
from taskgraft.space.imported import read_imported
from taskgraft.space.matrix import check_threshold
from taskgraft.space.tasks import Task
from taskgraft.space.template import Template
from taskgraft.space.templates.imported import imported_template
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import SCHEMA, BranchTree

FOUND = "found_root"
"""What a document has beside ``root`` if compression made other blocks of the tree: the root of the one it found."""


@dataclass(frozen=True, slots=True)
class TreeDocument:
    """What a tree document holds, read back; sizes with heads are None where its writer did not know the tasks."""

    tree: BranchTree
    template: Template
    ar_threshold: float
    parameters: int | None
    independent_parameters: int | None


def tree_document(
    tree: BranchTree, template: Template, threshold: float, tasks: Sequence[Task] | None = None
) -> dict[str, Any]:
    """Return the tree form ``taskgraft.tree/1`` of ``tree``; sizes that include heads are null without ``tasks``.

    Raises:
        InvalidInput: as `tree_cost`, or a threshold outside 0 <= Q < 1.
    """
    check_threshold(threshold)
    cost = tree_cost(tree, template, tasks)
    named = {task.name: task for task in tasks or ()}
    return {
        "schema": SCHEMA,
        "template": template.name,
        **_other_than_full(template),
        **({"gate": template.gate.to_plain()} if template.gate.to_plain() else {}),
        "ar_threshold": threshold,
        "root": tree.to_json(),
        "encoder_parameters": cost.encoder_parameters,
        "parameters": cost.parameters,
        "independent_parameters": (
            None if tasks is None else independent_parameters(template, [named[name] for name in tree.tasks])
        ),
    }


def _other_than_full(template: Template) -> dict[str, Any]:
    """Return the width of a narrower encoder, and the name of another front end; or what is known of a user's own."""
    if template.imported:
        return {"imported": template.imported.to_plain()}
    width = {} if template.width == 1 else {"width": template.width}
    front_end = template.front_end
    if front_end == get_template(template.name).front_end:
        return width
    return {**width, "front_end": next(name for name, preset in PRESETS.items() if preset == front_end)}


def read_tree_document(document: object) -> TreeDocument:
    """Read what `tree_document` writes; ``encoder_parameters`` follows from the tree and may be left out.

    Raises:
        InvalidInput: another schema, an unknown template or gate, a threshold or a size that is none, or no legal tree.
    """
    if not isinstance(document, Mapping):
        raise InvalidInput.at("", f"a tree document is an object; got {document!r:.80}")
    if faults := list(_faults(document)):
        raise InvalidInput(faults)
    template = replace(_template(document), gate=read_gate(document.get("gate")))
    return TreeDocument(
        BranchTree.from_json(document.get("root"), template.depth),
        template,
        float(document["ar_threshold"]),
        document.get("parameters"),
        document.get("independent_parameters"),
    )


def _template(document: Mapping[str, Any]) -> Template:
    if "imported" not in document:
        return get_template(document["template"], document.get("width", 1.0), document.get("front_end"))
    imported = read_imported(document["imported"])
    if document["template"] != imported.place:
        raise InvalidInput.at("imported", f"is about {document['template']}; got {imported.place}")
    return imported_template(imported)


def _faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    if document.get("schema") != SCHEMA:
        yield Fault("schema", f"{SCHEMA!r}; got {document.get('schema')!r:.80}")
    if not isinstance(document.get("template"), str):
        yield Fault("template", f"the name of a template; got {document.get('template')!r:.80}")
    width = document.get("width", 1.0)
    if not isinstance(width, int | float) or isinstance(width, bool) or not 0 < width <= 1:
        yield Fault("width", f"a number above 0 and at most 1; got {width!r:.80}")
    front_end = document.get("front_end")
    if not (front_end is None or isinstance(front_end, str)):
        yield Fault("front_end", f"the name of a front end; got {front_end!r:.80}")
    threshold = document.get("ar_threshold")
    if not isinstance(threshold, int | float) or isinstance(threshold, bool) or not 0 <= threshold < 1:
        yield Fault("ar_threshold", f"a number of at least 0 and below 1; got {threshold!r:.80}")
    for key in ("parameters", "independent_parameters"):
        size = document.get(key)
        if size is not None and (type(size) is not int or size < 0):
            yield Fault(key, f"a whole number of at least 0, or null; got {size!r:.80}")

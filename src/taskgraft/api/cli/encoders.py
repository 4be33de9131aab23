"""What `taskgraft templates` shows: every encoder, its sizes, and the published figures beside them."""

from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from taskgraft.api.cli.output import console, count
from taskgraft.space.published import Published
from taskgraft.space.template import Template
from taskgraft.space.templates.registry import TEMPLATES

_COMPARED = (
    "published_setting",
    "published_source",
    "published_setting_parameters",
    "published_setting_macs_per_second",
    "published_parameters",
    "published_macs_per_second",
    "note",
)


def templates_as_plain() -> list[dict[str, Any]]:
    """Return all templates as plain data; sizes are those of one encoder without heads, for one second of audio."""
    return [_plain(template) for template in TEMPLATES.values()]


def _plain(template: Template) -> dict[str, Any]:
    compared = [_compared(template, one) for one in template.published]
    return {
        "name": template.name,
        "parameters": template.encoder_parameters,
        "macs_per_second": template.macs_per_second,
        **(compared[0] if compared else dict.fromkeys(_COMPARED)),
        "further_published": compared[1:],
        "summary": template.summary,
        "blocks": template.depth,
        "default_depths": list(template.default_depths),
        "kinds": [kind.value for kind in template.kinds],
        "sample_rate": template.front_end.sample_rate,
    }


def _compared(template: Template, published: Published) -> dict[str, Any]:
    """Return the figures of a source, and ours for the same heads and tasks."""
    shape = template.shapes(published.frames)
    ours = (
        published.parameters_of_ours(template.layers, shape[-1]),
        published.macs_of_ours(template.layers, shape[0]),
    )
    theirs = (published.parameters, published.macs)
    found = (published.model, published.source, *ours, *theirs, published.remark)
    return dict(zip(_COMPARED, found, strict=True))


def show_templates() -> None:
    """Print a table of all templates, and one of the models that sources print sizes of."""
    shown = templates_as_plain()
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    for name in ("template", "answers"):
        table.add_column(name)
    for name in ("blocks", "parameters", "MACs a second"):
        table.add_column(name, justify="right")
    for one in shown:
        sizes = map(count, (one["blocks"], one["parameters"], one["macs_per_second"]))
        table.add_row(one["name"], ", ".join(one["kinds"]), *sizes)
    console.print(table)
    console.print("Sizes of one encoder without heads. Models whose sizes are published, with heads:\n")
    for one in shown:
        for model in (one, *one["further_published"]):
            if model["published_setting"]:
                _show_published(one["name"], model)


def _show_published(name: str, model: dict[str, Any]) -> None:
    """Print both figures of a model, and how far they are apart."""
    console.print(
        f"{name}, {model['published_setting']} ({model['published_source']})", highlight=False, soft_wrap=True
    )
    for what, key in (("parameters", "parameters"), ("MACs", "macs_per_second")):
        ours, published = model[f"published_setting_{key}"], model[f"published_{key}"]
        if published:
            apart = f"{ours / published - 1:+.1%}"
            console.print(f"  {what}: {ours:,}; published {published:,} ({apart})", highlight=False)
    if model["note"]:
        console.print(f"  {model['note']}", highlight=False, soft_wrap=True)

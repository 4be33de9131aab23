"""The report as one HTML file: no script, and nothing that lies elsewhere."""

from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from taskgraft.api.reports.contents import Contents
from taskgraft.api.reports.drawn import Drawn
from taskgraft.api.reports.words import headline, percent, verdict
from taskgraft.search.evidence.verdict import percent_up
from taskgraft.svg import stylesheet


def render(contents: Contents, pictures: Sequence[Drawn]) -> str:
    """Return the page; what users named is escaped, pictures are taken as they are."""
    environment = Environment(
        loader=PackageLoader("taskgraft.api.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "bound": percent_up}
    own = files("taskgraft.api.reports").joinpath("report.css").read_text("utf-8")
    return environment.get_template("report.html").render(
        study=contents.study,
        headline=headline(contents.study),
        verdict=verdict(contents.study),
        contents=contents,
        pictures={
            section: [(drawn.name, Markup(drawn.svg)) for drawn in pictures if drawn.section == section]  # noqa: S704
            for section in ("matrix", "tree", "tradeoff", "comparison", "curves", "confusion")
        },
        style=Markup(stylesheet() + own),  # noqa: S704
        version=version("taskgraft"),
    )

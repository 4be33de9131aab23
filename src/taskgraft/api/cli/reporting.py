"""The command `report`: a study as one HTML file, and its pictures."""

# ruff: noqa: PLC0415  # a command imports what it needs when it runs, so that the others and --help start at once
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from taskgraft.api.cli.output import AsJson, console, errors_as_exit_codes, print_json
from taskgraft.api.cli.remote import DEFAULT_URL, Token, Url

if TYPE_CHECKING:
    from taskgraft.api.reports import Contents


def report(
    study: Annotated[str, typer.Argument(help="A study's id, or the folder of a local run.", metavar="ID|FOLDER")],
    out: Annotated[Path | None, typer.Option(help="A new folder; NAME-ID-report by default.")] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="Also write pictures as png or pdf (extra `report`); may be repeated."),
    ] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Write a report of a study: one HTML file that needs nothing else, and its pictures as SVG."""
    from taskgraft.api.reports import converters, default_folder, write_report
    from taskgraft.api.reports.formats import read_formats

    with errors_as_exit_codes(as_json):
        convert = converters(read_formats(formats or ()))
        with _contents(study, url, token) as contents:
            found = contents.study
            folder = out or default_folder(found)
            written = write_report(contents, folder, convert)
        if as_json:
            print_json({"report": str(written[0]), "files": [str(path) for path in written]})
        else:
            console.print(escape(str(written[0])))


@contextmanager
def _contents(study: str, url: str, token: str | None) -> Iterator["Contents"]:
    from taskgraft.api.reports import gather
    from taskgraft.api.reports.from_folder import is_run, open_run

    if is_run(Path(study)):
        with open_run(Path(study)) as source:
            yield gather(source)
        return
    from taskgraft.api.client import Client
    from taskgraft.api.reports.from_service import ServiceSource

    with Client(url, token) as client:
        yield gather(ServiceSource(client, study))

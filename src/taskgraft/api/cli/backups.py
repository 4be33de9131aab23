"""Commands that keep a service's database and files, and bring them back."""

# ruff: noqa: PLC0415  # a command imports what it needs when it runs, so that the others and --help start at once
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from taskgraft.api.cli.output import AsJson, console, count, errors_as_exit_codes, print_json

DatabaseUrl = Annotated[str | None, typer.Option(help="The service's database.")]
DataDir = Annotated[Path | None, typer.Option(help="The service's data folder.")]
Folder = Annotated[Path, typer.Argument(help="The folder of the backup.", metavar="DIR")]


def backup(folder: Folder, database_url: DatabaseUrl = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Write a backup of a service to a new folder; the service may be at work. Variables as for `serve`."""
    from taskgraft.search.running.backup import write_backup

    with errors_as_exit_codes(as_json):
        url, data = _places(database_url, data_dir)
        made = write_backup(folder, url, data)
        summary = {"folder": str(folder), "files": len(made.files), "bytes": made.bytes}
        said = f"{escape(str(folder))}: the database and {count(len(made.files))} files, {count(made.bytes)} bytes"
        print_json(summary) if as_json else console.print(said)


def restore(
    folder: Folder, database_url: DatabaseUrl = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Restore a backup into an empty data folder and an empty database. Variables as for `serve`."""
    from taskgraft.search.running.backup import restore_backup

    with errors_as_exit_codes(as_json):
        url, data = _places(database_url, data_dir)
        made = restore_backup(folder, url, data)
        summary = {"data_dir": str(data), "files": len(made.files), "bytes": made.bytes, "created_at": made.created_at}
        said = f"{escape(str(data))}: as it was on {made.created_at}, {count(len(made.files))} files"
        print_json(summary) if as_json else console.print(said)


def _places(database_url: str | None, data_dir: Path | None) -> tuple[str, Path]:
    from taskgraft.api.settings import Settings

    given = {"database_url": database_url, "data_dir": data_dir}
    settings = Settings.from_environment({name: value for name, value in given.items() if value is not None})
    return settings.database_url, settings.data_dir

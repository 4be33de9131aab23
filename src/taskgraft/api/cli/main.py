"""The program: `taskgraft` and its commands."""

import atexit
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from taskgraft.api.cli import backups, comparing, demo, local, published, remote, reporting, tokens
from taskgraft.evaluators.memory import keep_for_good

app = typer.Typer(
    name="taskgraft",
    help="Finds, trains and proves the one tree-shaped audio model that answers all of a device's questions.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
datasets = typer.Typer(help="Work on datasets.", no_args_is_help=True)
token = typer.Typer(help="Say who may use a service.", no_args_is_help=True)

for command in (
    demo.demo,
    remote.serve,
    remote.runner,
    local.run,
    local.plan,
    comparing.compare,
    remote.submit,
    remote.status,
    remote.watch,
    remote.pause,
    remote.resume,
    remote.cancel,
    remote.delete,
    remote.matrix,
    remote.tree,
    remote.download,
    reporting.report,
    backups.backup,
    backups.restore,
    local.synthesize,
    local.size,
    local.templates,
    local.predict,
):
    app.command()(command)
datasets.command("check")(local.check)
datasets.command("add")(published.add)
datasets.command("list")(published.list_all)
datasets.command("show")(published.show)
datasets.command("remove")(published.remove)
app.add_typer(datasets, name="datasets")
token.command("create")(tokens.create)
token.command("list")(tokens.list_all)
token.command("revoke")(tokens.revoke)
app.add_typer(token, name="token")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"taskgraft {version('taskgraft')}")
        raise typer.Exit


@app.callback()
def _program(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Finds, trains and proves the one tree-shaped audio model that answers all of a device's questions."""


def main() -> None:
    """Run the command that the arguments name."""
    atexit.register(keep_for_good)
    for stream in (sys.stdout, sys.stderr):  # names of files may hold bytes that are not text
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    app()

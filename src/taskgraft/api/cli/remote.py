"""Commands around a service: serve, and submit, status, watch, cancel, download through its HTTP."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from taskgraft.api.cli.files import read_study
from taskgraft.api.cli.live import follow
from taskgraft.api.cli.local import StudyFile, show_outcome
from taskgraft.api.cli.output import AsJson, console, errors_as_exit_codes, percent, print_json
from taskgraft.api.client import Client
from taskgraft.api.settings import Settings

Url = Annotated[str, typer.Option(help="The service.", envvar="TASKGRAFT_URL")]
Token = Annotated[str | None, typer.Option(help="What the service asks for.", envvar="TASKGRAFT_TOKEN")]
StudyId = Annotated[str, typer.Argument(help="A study's id.", metavar="ID")]
_URL = "http://127.0.0.1:8080"


@contextmanager
def _service(url: str, token: str | None) -> Iterator[Client]:
    with errors_as_exit_codes(), Client(url, token) as client:
        yield client


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes any free one.")] = None,
    database_url: Annotated[
        str | None, typer.Option(help="sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME")
    ] = None,
    ray_address: Annotated[str | None, typer.Option(help="A Ray cluster; a local Ray by default.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Datasets, features, artifacts, the SQLite file.")] = None,
    no_runner: Annotated[bool, typer.Option("--no-runner", help="Leave the work to runners elsewhere.")] = False,
    as_json: AsJson = False,
) -> None:
    """Serve the API and run what is posted. Every option has a variable: TASKGRAFT_HOST, _PORT, _DATABASE_URL, ..."""
    from taskgraft.api.service import serve as serve_settings  # noqa: PLC0415  # the server is slow to import

    def on_ready(url: str) -> None:
        if as_json:
            print_json({"url": url})
        else:
            console.print(f"listening on {url}, documentation at {url}/docs")
        sys.stdout.flush()

    with errors_as_exit_codes():
        given = {
            "host": host,
            "port": port,
            "database_url": database_url,
            "ray_address": ray_address,
            "data_dir": data_dir,
        }
        serve_settings(_settings(given), on_ready=on_ready, with_runner=not no_runner)


def runner(
    database_url: Annotated[str | None, typer.Option(help="The service's database.")] = None,
    ray_address: Annotated[str | None, typer.Option(help="A Ray cluster; a local Ray by default.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="The folder that the service and all workers share.")] = None,
) -> None:
    """Work on what is posted to a service elsewhere (`serve --no-runner`). Variables as for `serve`."""
    from taskgraft.search.runner import run_until_stopped  # noqa: PLC0415  # torch and Ray are slow to import

    with errors_as_exit_codes():
        given = {"database_url": database_url, "ray_address": ray_address, "data_dir": data_dir}
        settings = _settings(given)
        run_until_stopped(settings.database_url, settings.data_dir, settings.ray_address)


def _settings(given: Mapping[str, Any]) -> Settings:
    """What the command line says, before what the environment says."""
    said = {name: value for name, value in given.items() if value is not None}
    return Settings.from_environment(said)


def submit(study_file: StudyFile, url: Url = _URL, token: Token = None, as_json: AsJson = False) -> None:
    """Post a study to a service; prints its id."""
    with _service(url, token) as client:
        study = client.create_study(read_study(study_file).to_plain())
        print_json(study) if as_json else console.print(study["id"])


def status(
    study_id: Annotated[str | None, typer.Argument(help="A study's id; all studies without.", metavar="[ID]")] = None,
    url: Url = _URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Say how a study stands, or list all."""
    with _service(url, token) as client:
        if study_id is None:
            _list(list(client.studies()), as_json)
            return
        study = client.study(study_id)
        if as_json:
            print_json(study)
            return
        _show(client, study)


def _list(studies: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(studies)
        return
    table = Table("id", "name", "state", "stage", "done", "AR")
    for study in studies:
        result = study["result"]
        ar = percent(result["ar"]) if result else ""
        done = f"{100 * study['progress']['fraction']:.0f} %"
        table.add_row(study["id"], escape(study["name"]), study["state"], study["stage"] or "", done, ar)
    console.print(table)


def _show(client: Client, study: dict[str, Any]) -> None:
    tree = client.tree(study["id"]) if study["result"] else None
    show_outcome(study, client.matrix(study["id"]), tree)


def watch(study_id: StudyId, url: Url = _URL, token: Token = None, as_json: AsJson = False) -> None:
    """Follow a study until it ends, with progress bars. Exit code 0 where it succeeded."""
    with _service(url, token) as client:
        study = dict(follow(client.watch(study_id)))
        print_json(study) if as_json else _show(client, study)
    if study["state"] != "succeeded":
        raise typer.Exit(1)


def cancel(study_id: StudyId, url: Url = _URL, token: Token = None, as_json: AsJson = False) -> None:
    """Cancel a study; what it measured stays readable."""
    with _service(url, token) as client:
        study = client.cancel(study_id)
        print_json(study) if as_json else console.print(study["state"])


def download(
    study_id: StudyId,
    out: Annotated[Path | None, typer.Option(help="Folder for the bundle; NAME-ID by default.")] = None,
    url: Url = _URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Download the model bundle of a study that succeeded."""
    with _service(url, token) as client:
        study = client.study(study_id)
        folder = client.download_model(study_id, out or Path(f"{study['name']}-{study_id}"))
        print_json({"bundle": str(folder)}) if as_json else console.print(str(folder))

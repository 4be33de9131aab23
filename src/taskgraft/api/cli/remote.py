"""Commands around a service: serve, and everything that its HTTP offers on studies."""

# ruff: noqa: PLC0415  # a command imports what it needs when it runs, so that the others and --help start at once
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from taskgraft.api.cli.local import EXIT_CODES, StudyFile
from taskgraft.api.cli.machines import Cores, RayAddress, TrainAhead
from taskgraft.api.cli.output import AsJson, console, errors, errors_as_exit_codes, print_json
from taskgraft.errors import Unavailable

if TYPE_CHECKING:
    from taskgraft.api.client import Client
    from taskgraft.api.settings import Settings

Url = Annotated[str, typer.Option(help="The service.", envvar="TASKGRAFT_URL")]
Token = Annotated[str | None, typer.Option(help="What the service asks for.", envvar="TASKGRAFT_TOKEN")]
Mlflow = Annotated[
    str | None,
    typer.Option(help="Log finished studies to this MLflow: sqlite:///FILE, postgresql://... or http://HOST."),
]
StudyId = Annotated[str, typer.Argument(help="A study's id.", metavar="ID")]
DEFAULT_URL = "http://127.0.0.1:8080"


@contextmanager
def service(url: str, token: str | None, as_json: bool) -> Iterator["Client"]:
    """Give a client of a service; errors become messages and an exit code."""
    from taskgraft.api.client import Client

    with errors_as_exit_codes(as_json), Client(url, token) as client:
        yield client


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes any free one.")] = None,
    database_url: Annotated[
        str | None, typer.Option(help="sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME")
    ] = None,
    ray_address: RayAddress = None,
    cores: Cores = None,
    train_ahead: TrainAhead = None,
    data_dir: Annotated[Path | None, typer.Option(help="Datasets, features, artifacts, the SQLite file.")] = None,
    datasets_root: Annotated[
        list[Path] | None, typer.Option(help="A folder whose manifests may be registered; may be repeated.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(help="A name that the service goes by besides its address, as in Host; may be repeated."),
    ] = None,
    connections: Annotated[int | None, typer.Option(help="Connections at once, at most.")] = None,
    mlflow: Mlflow = None,
    no_runner: Annotated[bool, typer.Option("--no-runner", help="Leave the work to runners elsewhere.")] = False,
    as_json: AsJson = False,
) -> None:
    """Serve the API and run what is posted. Every option has a variable: TASKGRAFT_HOST, _PORT, _DATABASE_URL, ..."""
    from taskgraft.api.service import serve as serve_settings

    def on_ready(url: str) -> None:
        if as_json:
            print_json({"url": url})
        else:
            console.print(f"listening on {escape(url)}, documentation at {escape(url)}/docs")
        sys.stdout.flush()

    with errors_as_exit_codes(as_json):
        given = {
            "host": host,
            "port": port,
            "database_url": database_url,
            "ray_address": ray_address,
            "cores": cores,
            "train_ahead": train_ahead,
            "data_dir": data_dir,
            "datasets_root": tuple(datasets_root) if datasets_root else None,
            "allowed_hosts": tuple(allowed_host) if allowed_host else None,
            "connections": connections,
            "mlflow": mlflow,
        }
        serve_settings(_settings(given), on_ready=on_ready, with_runner=not no_runner)


def runner(
    database_url: Annotated[str | None, typer.Option(help="The service's database.")] = None,
    ray_address: RayAddress = None,
    cores: Cores = None,
    train_ahead: TrainAhead = None,
    data_dir: Annotated[Path | None, typer.Option(help="The folder that the service and all workers share.")] = None,
    mlflow: Mlflow = None,
    as_json: AsJson = False,
) -> None:
    """Work on what is posted to a service elsewhere (`serve --no-runner`). Variables as for `serve`."""
    from taskgraft.search.running.runner import run_until_stopped
    from taskgraft.search.store import Store

    with errors_as_exit_codes(as_json):
        given = {"database_url": database_url, "ray_address": ray_address, "cores": cores, "data_dir": data_dir}
        settings = _settings(given | {"train_ahead": train_ahead, "mlflow": mlflow})
        if as_json:
            Store(settings.database_url).close()  # what is said below is true then
            print_json({"data_dir": str(settings.data_dir), "ray_address": settings.ray_address})
            sys.stdout.flush()
        run_until_stopped(
            settings.database_url, settings.data_dir, settings.machines, settings.log_format, settings.tracking
        )


def _settings(given: Mapping[str, Any]) -> "Settings":
    """Return the settings; the command line goes before the environment."""
    from taskgraft.api.settings import Settings

    return Settings.from_environment({name: value for name, value in given.items() if value is not None})


def submit(study_file: StudyFile, url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """Post a study to a service; prints its id. Manifests that it names by path are registered or uploaded first."""
    from taskgraft.api.cli.dataset_text import describe_dataset
    from taskgraft.api.cli.live import counting
    from taskgraft.api.publishing import publish_study
    from taskgraft.api.study_files import read_posted_study

    with service(url, token, as_json) as client:
        spec = publish_study(
            client,
            read_posted_study(study_file),
            study_file.parent,
            counting,
            lambda dataset: errors.print(escape(describe_dataset(dataset))),
        )
        study = client.create_study(spec.to_plain())
        print_json(study) if as_json else console.print(study["id"])


def status(
    study_id: Annotated[str | None, typer.Argument(help="A study's id; all studies without.", metavar="[ID]")] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Say how a study stands, or list all."""
    from taskgraft.api.cli.text import show_studies

    with service(url, token, as_json) as client:
        if study_id is None:
            studies = list(client.studies())
            print_json(studies) if as_json else show_studies(studies)
        else:
            study = client.study(study_id)
            print_json(study) if as_json else _show(client, study)


def _show(client: "Client", study: dict[str, Any]) -> None:
    from taskgraft.api.cli.text import show_outcome

    tree = client.tree(study["id"]) if study["result"] else None
    show_outcome(study, client.matrix(study["id"]), tree)


def watch(
    study_id: StudyId,
    url: Url = DEFAULT_URL,
    token: Token = None,
    through_pauses: Annotated[
        bool, typer.Option("--through-pauses", help="Keep watching a study that is paused, until somebody resumes it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Follow a study with progress bars until it ends or is paused. Exit code 0 if it succeeded, 130 if paused."""
    from taskgraft.api.cli.live import follow

    with service(url, token, as_json) as client:
        study = dict(follow(client.watch(study_id, stop_when_paused=not through_pauses)))
        print_json(study) if as_json else _show(client, study)
        if study["state"] == "paused":
            errors.print(f"the study is paused; taskgraft resume {escape(study_id)} continues it")
    raise typer.Exit(EXIT_CODES.get(study["state"], 1))


def cancel(study_id: StudyId, url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """Cancel a study; what it measured stays readable."""
    with service(url, token, as_json) as client:
        study = client.cancel(study_id)
        print_json(study) if as_json else console.print(study["state"])


def pause(study_id: StudyId, url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """Pause a study; what it measured is kept, and `resume` continues it."""
    with service(url, token, as_json) as client:
        study = client.pause(study_id)
        print_json(study) if as_json else console.print(study["state"])


def resume(study_id: StudyId, url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """Queue a paused study again."""
    with service(url, token, as_json) as client:
        study = client.resume(study_id)
        print_json(study) if as_json else console.print(study["state"])


def delete(study_id: StudyId, url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """Delete a study that does not run, with its trials and its model. This cannot be undone."""
    with service(url, token, as_json) as client:
        client.delete(study_id)
        print_json({"deleted": study_id}) if as_json else console.print("deleted")


def matrix(
    study_id: StudyId,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, as `synthesize` reads it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the reduction matrix of a study as far as it is known: AR of every pair by blocks shared."""
    from taskgraft.api.cli.text import show_matrix

    with service(url, token, as_json) as client:
        if as_csv:
            sys.stdout.write(client.matrix_csv(study_id))
        elif as_json:
            print_json(client.matrix(study_id))
        else:
            show_matrix(client.matrix(study_id), client.study(study_id)["spec"])


def tree(
    study_id: StudyId,
    url: Url = DEFAULT_URL,
    token: Token = None,
    threshold: Annotated[float | None, typer.Option(help="Q, a fraction; the study's own by default.")] = None,
    svg: Annotated[Path | None, typer.Option(help="A file for the picture.", metavar="FILE.svg")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the tree of a study; at another threshold, the one that its matrix gives, without training."""
    from taskgraft.api.cli.text import show_tree

    with service(url, token, as_json) as client:
        document = client.tree(study_id, threshold)
        if svg:
            _write(svg, client.tree_svg(study_id, threshold))
        print_json(document) if as_json else show_tree(document)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise Unavailable(f"{path} can't be written: {error.strerror}") from error


def download(
    study_id: StudyId,
    out: Annotated[Path | None, typer.Option(help="Folder for the bundle; NAME-ID by default.")] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Download the model bundle of a study that succeeded."""
    with service(url, token, as_json) as client:
        study = client.study(study_id)
        folder = client.download_model(study_id, out or Path(f"{study['name']}-{study_id}"))
        print_json({"bundle": str(folder)}) if as_json else console.print(str(folder))

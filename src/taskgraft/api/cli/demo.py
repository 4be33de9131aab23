"""The demonstration: a service, a study of four tasks, a model on the disk, one clip through it."""

# ruff: noqa: PLC0415  # imported when it runs, so that --help starts at once
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from taskgraft.api.cli.output import AsJson, console, errors, errors_as_exit_codes, print_json
from taskgraft.errors import TrainingFailed, Unavailable

if TYPE_CHECKING:
    from taskgraft.api.client import Client
    from taskgraft.evaluators.prediction import Bundle

_STOP_SECONDS = 40
"""Longer than what the service gives its runner to end in order."""


def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything that the demo makes.")] = Path("taskgraft-demo"),
    as_json: AsJson = False,
) -> None:
    """Serve, make a corpus of synthetic speech, find and prove a tree of four tasks, download it, run it on a clip."""
    from taskgraft.api.cli.corpora import demo_corpus
    from taskgraft.api.client import Client
    from taskgraft.evaluators.prediction import load_bundle

    with errors_as_exit_codes(as_json):
        folder = out.absolute()
        manifest = demo_corpus(folder / "service")
        with _service(folder / "service") as url, Client(url) as client:
            errors.print(f"service at {url}, documentation at {url}/docs")
            outcome = _study(client, folder / "model")
        outcome["clip"] = str(_some_clip(manifest))
        model = load_bundle(folder / "model")
        outcome["predictions"] = model.predict(Path(outcome["clip"]))
        print_json(outcome) if as_json else _show(outcome, model)


def demo_study() -> dict[str, Any]:
    """Return the study that the demo posts."""
    from taskgraft.api.study_files import read_study

    with resources.as_file(resources.files("taskgraft.api.cli") / "demo.yaml") as path:
        return read_study(path).to_plain()


@contextmanager
def _service(data_dir: Path) -> Iterator[str]:
    """Start a service in a process of its own on a free port, and yield its URL; it ends with the block in any case.

    It has its own session, so that Ctrl-C reaches the demo alone. It also ends when its standard input closes, so that
    it does not outlive a demo that is killed.
    """
    command = [sys.executable, "-m", "taskgraft.api.tether", "taskgraft"]
    command += ["serve", "--host", "127.0.0.1", "--port", "0", "--data-dir", str(data_dir), "--json"]
    log = data_dir / "service.log"
    with (
        log.open("wb") as file,
        subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True, start_new_session=True
        ) as service,
    ):
        try:
            yield _url(service, log)
        finally:
            service.terminate()
            try:
                service.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                service.kill()


def _url(service: "subprocess.Popen[str]", log: Path) -> str:
    document = ""
    for line in service.stdout or ():
        document += line
        if line.startswith("}"):
            break
    if "url" not in (said := json.loads(document or "{}")):
        raise Unavailable(f"the service did not start; see {log}")
    return str(said["url"])


def _study(client: "Client", model: Path) -> dict[str, Any]:
    """Post the study, follow it to its end, download the model."""
    from taskgraft.api.cli.live import follow

    _clear_the_way(client)
    posted = client.create_study(demo_study())
    study = dict(follow(client.watch(posted["id"])))
    if study["state"] != "succeeded":
        raise TrainingFailed(f"the study ended as {study['state']}: {study['reason']}")
    shutil.rmtree(model, ignore_errors=True)
    bundle = client.download_model(study["id"], model)
    return {
        "study": study,
        "matrix": client.matrix(study["id"]),
        "tree": client.tree(study["id"]),
        "bundle": str(bundle),
        "metrics": json.loads((bundle / "metrics.json").read_text("utf-8")),
    }


def _clear_the_way(client: "Client") -> None:
    """Cancel what an earlier demo in this folder left unfinished: the runner would work on that first."""
    for study in client.studies():
        if study["state"] in ("queued", "running", "paused"):
            client.cancel(study["id"])


def _some_clip(manifest: Path) -> Path:
    """Return the first clip of the test split."""
    from taskgraft.evaluators.datasets.manifest import read_corpus
    from taskgraft.evaluators.datasets.splits import Split

    corpus = read_corpus(manifest)
    return corpus.audio(corpus.splits.index(Split.TEST))


def _show(outcome: dict[str, Any], model: "Bundle") -> None:
    from taskgraft.api.cli.text import show_answer, show_outcome

    show_outcome(outcome["study"], outcome["matrix"], outcome["tree"])
    show_answer(outcome["clip"], outcome["predictions"], model.tasks)
    console.print(f"model: {escape(outcome['bundle'])} (start with README.md)")

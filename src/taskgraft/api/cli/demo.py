"""The demonstration: a service, a study of four tasks, a model on the disk, one clip through it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.markup import escape

from taskgraft.api.cli.live import follow
from taskgraft.api.cli.local import show_answer, show_outcome
from taskgraft.api.cli.output import AsJson, console, errors, errors_as_exit_codes, print_json
from taskgraft.api.client import Client
from taskgraft.errors import TrainingFailed, Unavailable
from taskgraft.evaluators.datasets.manifest import read_corpus
from taskgraft.evaluators.datasets.registry import resolve_dataset
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.prediction import load_bundle

_STOP_SECONDS = 30


def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything that the demo makes.")] = Path("taskgraft-demo"),
    as_json: AsJson = False,
) -> None:
    """Serve, make a corpus of synthetic speech, find and prove a tree of four tasks, download it, run it on a clip."""
    with errors_as_exit_codes():
        folder = out.absolute()
        errors.print("making the demo corpus: synthetic speech, spoken on this machine")
        manifest = resolve_dataset("demo-speech", folder, folder / "service", allow_paths=False)
        with _service(folder / "service") as url, Client(url) as client:
            errors.print(f"service at {url}, documentation at {url}/docs")
            outcome = _study(client, folder / "model")
        outcome["clip"] = str(_some_clip(manifest))
        outcome["predictions"] = load_bundle(folder / "model").predict(Path(outcome["clip"]))
        _show(outcome, as_json)


def demo_study() -> dict[str, Any]:
    """The study that the demo posts."""
    text = resources.files("taskgraft.api.cli").joinpath("demo.yaml").read_text("utf-8")
    study: dict[str, Any] = yaml.safe_load(text)
    return study


@contextmanager
def _service(data_dir: Path) -> Iterator[str]:
    """A service in a process of its own, as a user would start it, on a free port."""
    command = [sys.executable, "-m", "taskgraft", "serve", "--port", "0", "--data-dir", str(data_dir), "--json"]
    data_dir.mkdir(parents=True, exist_ok=True)
    log = data_dir / "service.log"
    with (
        log.open("wb") as file,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True) as service,  # noqa: S603
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
            url: str = json.loads(document)["url"]
            return url
    raise Unavailable(f"the service did not start; see {log}")


def _study(client: Client, model: Path) -> dict[str, Any]:
    """Post the study, follow it to its end, download the model."""
    posted = client.create_study(demo_study())
    study = dict(follow(client.watch(posted["id"])))
    if study["state"] != "succeeded":
        raise TrainingFailed(f"the study ended as {study['state']}: {study['reason']}")
    if model.exists():
        shutil.rmtree(model)
    bundle = client.download_model(study["id"], model)
    return {
        "study": study,
        "matrix": client.matrix(study["id"]),
        "tree": client.tree(study["id"]),
        "bundle": str(bundle),
        "metrics": json.loads((bundle / "metrics.json").read_text("utf-8")),
    }


def _some_clip(manifest: Path) -> Path:
    """The first clip of the test split."""
    corpus = read_corpus(manifest)
    return corpus.audio(corpus.splits.index(Split.TEST))


def _show(outcome: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(outcome)
        return
    show_outcome(outcome["study"], outcome["matrix"], outcome["tree"])
    show_answer(outcome["clip"], outcome["predictions"])
    console.print(f"model: {escape(outcome['bundle'])} (start with README.md)")

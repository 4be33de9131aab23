"""Commands that need no service: run, plan, synthesize, size, templates, predict, datasets check."""

# ruff: noqa: PLC0415  # a command imports what it needs when it runs, so that the others and --help start at once
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from taskgraft.api.cli.machines import Cores, RayAddress, TrainAhead, given_machines
from taskgraft.api.cli.output import AsJson, console, count, errors_as_exit_codes, print_json, show_error
from taskgraft.errors import InvalidInput
from taskgraft.evaluators.memory import without_collector

if TYPE_CHECKING:
    from taskgraft.evaluators.prediction import Bundle

StudyFile = Annotated[Path, typer.Argument(help="A study file (YAML).", metavar="STUDY.yaml")]

EXIT_CODES = {"succeeded": 0, "paused": 130}
"""What `run` and `watch` end with by the state of its study; 1 in any other. A shell says 130 after Ctrl-C."""


def run(
    study_file: StudyFile,
    out: Annotated[Path | None, typer.Option(help="Where results go; taskgraft-runs/NAME by default.")] = None,
    ray_address: RayAddress = None,
    cores: Cores = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="The tree at another Q: takes over what the folder has, trains what is missing."),
    ] = None,
    train_ahead: TrainAhead = None,
    as_json: AsJson = False,
) -> None:
    """Run one study in the foreground, without a service. Ctrl-C pauses it, the same command resumes it."""
    from taskgraft.api.study_files import read_study

    with errors_as_exit_codes(as_json):
        machines = given_machines(ray_address, cores, train_ahead)
        spec = read_study(study_file)  # before the slow import of what trains
        with without_collector():
            from taskgraft.api.cli.live import Terminal
            from taskgraft.api.runs import default_folder, run_study

        folder = out or default_folder(spec)
        pause_on = (signal.SIGINT, signal.SIGTERM)
        outcome = run_study(
            spec,
            folder,
            study_file.parent,
            machines,
            Terminal(),
            pause_on,
            ar_threshold=threshold,
        ).to_json()
        if as_json:
            print_json(outcome)
        else:
            show_run(outcome)
    raise typer.Exit(EXIT_CODES.get(outcome["study"]["state"], 1))


def show_run(outcome: dict[str, Any]) -> None:
    """Print how the run of a study ended."""
    from taskgraft.api.cli.text import show_outcome

    show_outcome(outcome["study"], outcome["matrix"], outcome["tree"])
    if outcome["study"]["state"] == "succeeded":
        console.print(f"report: {escape(outcome['report'])}")
        console.print(f"picture: {escape(outcome['picture'])}")
        console.print(f"files: {escape(outcome['artifacts'])}")


def plan(study_file: StudyFile, as_json: AsJson = False) -> None:
    """Say what a study would cost: trainings, parameters, time. Trains nothing."""
    from taskgraft.api.cli.corpora import outline_with_bar
    from taskgraft.api.cli.text import show_plan
    from taskgraft.api.study_files import read_study
    from taskgraft.search.strategies.plan import plan_study

    with errors_as_exit_codes(as_json):
        spec = read_study(study_file)
        cost = plan_study(spec, outline_with_bar(spec, study_file.parent)).to_json()
        print_json(cost) if as_json else show_plan(spec.name, cost)


def synthesize(
    pairs: Annotated[Path, typer.Argument(help="A table with task_a,task_b,depth,ar.", metavar="PAIRS.csv")],
    threshold: Annotated[float, typer.Option(help="Q, a fraction: 0.02 is 2 %.")],
    tasks: Annotated[Path | None, typer.Option(help="A file with a `tasks` key: gives sizes with heads.")] = None,
    template: Annotated[str, typer.Option(help="The encoder to cut from.")] = "cnn8",
    method: Annotated[str, typer.Option(help="recursive, exact or compact.")] = "recursive",
    as_json: AsJson = False,
) -> None:
    """Make the tree of a reduction matrix that was measured already."""
    from taskgraft.api.cli.sizes import tree_of_pairs
    from taskgraft.api.cli.text import show_tree

    with errors_as_exit_codes(as_json):
        document = tree_of_pairs(pairs, threshold, tasks, template, method)
        print_json(document) if as_json else show_tree(document)


def size(
    file: Annotated[Path, typer.Argument(help="A tree, a study, or just its `template` and `tasks`.", metavar="FILE")],
    flat: Annotated[int | None, typer.Option(help="All tasks share this many blocks; 0: independent models.")] = None,
    tasks: Annotated[Path | None, typer.Option(help="The tasks of a tree: gives sizes with heads.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say how large a tree is; of a study, its independent models, or flat sharing."""
    from taskgraft.api.cli.sizes import sizes_of

    with errors_as_exit_codes(as_json):
        sizes = sizes_of(file, flat, tasks)
        if as_json:
            print_json(sizes)
            return
        for name, value in sizes.items():
            console.print(f"{name.replace('_', ' ')}: {count(value)}")


def templates(as_json: AsJson = False) -> None:
    """List the encoders that studies may ask for: their sizes, beside published ones."""
    from taskgraft.api.cli.encoders import show_templates, templates_as_plain

    with errors_as_exit_codes(as_json):
        if as_json:
            print_json(templates_as_plain())
        else:
            show_templates()


def predict(
    bundle: Annotated[Path, typer.Argument(help="A downloaded bundle: folder or zip.", metavar="BUNDLE")],
    clips: Annotated[list[Path], typer.Argument(help="Recordings, and folders of them.", metavar="CLIP.wav...")],
    as_json: AsJson = False,
) -> None:
    """Run a downloaded bundle on recordings. Exit code 2 if one of them could not be read; the others are answered."""
    from taskgraft.api.cli.text import show_answer
    from taskgraft.evaluators.prediction import load_bundle

    with errors_as_exit_codes(as_json):
        answers: dict[str, Any] = {}
        model = load_bundle(bundle)
        for clip, answer in _answers(model, clips):
            answers[clip] = answer
            if not as_json and not _failed(answer):
                show_answer(clip, answer, model.tasks)
        if as_json:
            print_json(answers)
    if any(map(_failed, answers.values())):
        raise typer.Exit(2)


def _failed(answer: dict[str, Any]) -> bool:
    """Return whether there is a message in place of the answers; a task may be called "error", too."""
    return isinstance(answer.get("error"), str)


def _answers(model: "Bundle", paths: Iterable[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each recording with its answers; with ``{"error": MESSAGE}`` if there are none, which is printed, too."""
    from taskgraft.api.cli.clips import find_clips

    for clip in find_clips(paths):
        try:
            if isinstance(clip, InvalidInput):
                raise clip
            yield str(clip), model.predict(clip)
        except InvalidInput as error:
            for fault in error.faults:
                show_error(fault)
            yield error.faults[0].where, {"error": "; ".join(fault.message for fault in error.faults)}


def check(
    manifest: Annotated[
        Path, typer.Argument(help="A manifest, a folder that holds one, or a copy of a known corpus.", metavar="PATH")
    ],
    as_json: AsJson = False,
) -> None:
    """Check a manifest and every clip it names: all faults with their lines, counts per label and split."""
    from taskgraft.api.cli.corpora import check_with_bar
    from taskgraft.api.cli.dataset_text import show_check

    with errors_as_exit_codes(as_json):
        report = check_with_bar(manifest)
        print_json(report.to_json()) if as_json else show_check(report)
    if not report.ok:
        raise typer.Exit(2)

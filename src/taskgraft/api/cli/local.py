"""Commands that need no service: run, plan, synthesize, size, predict, datasets check."""

# ruff: noqa: PLC0415  # a command imports what it needs when it runs, so that the others and --help start at once
import signal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from taskgraft.api.cli.output import AsJson, console, count, errors_as_exit_codes, print_json

StudyFile = Annotated[Path, typer.Argument(help="A study file (YAML).", metavar="STUDY.yaml")]

_EXIT_CODES = {"succeeded": 0, "paused": 130}
"""What `run` ends with by the state of its study; 1 in any other. A shell says 130 after Ctrl-C."""


def run(
    study_file: StudyFile,
    out: Annotated[Path | None, typer.Option(help="Where results go; taskgraft-runs/NAME by default.")] = None,
    ray_address: Annotated[str | None, typer.Option(help="A Ray cluster; a local Ray by default.")] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="The tree at another Q: takes over what the folder has, trains what is missing."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run one study in the foreground, without a service. Ctrl-C pauses it, the same command resumes it."""
    from taskgraft.api.cli.files import read_study

    with errors_as_exit_codes(as_json):
        spec = read_study(study_file)  # before the slow import of what trains
        from taskgraft.api.cli.live import Terminal
        from taskgraft.api.runs import default_folder, run_study

        folder = out or default_folder(spec)
        pause_on = (signal.SIGINT, signal.SIGTERM)
        outcome = run_study(
            spec, folder, study_file.parent, ray_address, Terminal(), pause_on, ar_threshold=threshold
        ).to_json()
        if as_json:
            print_json(outcome)
        else:
            _show_run(outcome)
    raise typer.Exit(_EXIT_CODES.get(outcome["study"]["state"], 1))


def _show_run(outcome: dict[str, Any]) -> None:
    from taskgraft.api.cli.text import show_outcome

    show_outcome(outcome["study"], outcome["matrix"], outcome["tree"])
    if outcome["study"]["state"] == "succeeded":
        console.print(f"picture: {escape(outcome['picture'])}")
        console.print(f"files: {escape(outcome['artifacts'])}")


def plan(study_file: StudyFile, as_json: AsJson = False) -> None:
    """Say what a study would cost: trainings, parameters, time. Trains nothing."""
    from taskgraft.api.cli.corpora import prepare_with_bar
    from taskgraft.api.cli.files import read_study
    from taskgraft.api.cli.text import show_plan
    from taskgraft.api.settings import Settings
    from taskgraft.search.plan import plan_study

    with errors_as_exit_codes(as_json):
        spec = read_study(study_file)
        prepared = prepare_with_bar(spec, Settings.from_environment().data_dir, study_file.parent)
        cost = plan_study(spec, prepared).to_json()
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


def predict(
    bundle: Annotated[Path, typer.Argument(help="A downloaded bundle: folder or zip.", metavar="BUNDLE")],
    clips: Annotated[list[Path], typer.Argument(help="Recordings.", metavar="CLIP.wav...")],
    as_json: AsJson = False,
) -> None:
    """Run a downloaded bundle on recordings."""
    from taskgraft.api.cli.text import show_answer
    from taskgraft.evaluators.prediction import load_bundle

    with errors_as_exit_codes(as_json):
        model = load_bundle(bundle)
        answers = {str(clip): model.predict(clip) for clip in clips}
        if as_json:
            print_json(answers)
            return
        for clip, answer in answers.items():
            show_answer(clip, answer)


def check(
    manifest: Annotated[Path, typer.Argument(help="A manifest (CSV or Parquet).", metavar="MANIFEST.csv")],
    as_json: AsJson = False,
) -> None:
    """Check a manifest and every clip it names: all faults with their lines, counts per label and split."""
    from taskgraft.api.cli.live import counting
    from taskgraft.api.cli.text import show_check
    from taskgraft.evaluators.datasets.check import check_manifest

    with errors_as_exit_codes(as_json):
        with counting("reading", "clips") as progress:
            report = check_manifest(manifest, progress)
        print_json(report.to_json()) if as_json else show_check(report)
    if not report.ok:
        raise typer.Exit(2)

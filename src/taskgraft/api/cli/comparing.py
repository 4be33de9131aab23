"""`taskgraft compare`: a study's tree against other systems, on the same data, steps and seeds."""

# ruff: noqa: PLC0415  # a command imports what it needs when it runs, so that the others and --help start at once
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from taskgraft.api.cli.local import EXIT_CODES, StudyFile, show_run
from taskgraft.api.cli.machines import Cores, RayAddress, given_machines
from taskgraft.api.cli.output import AsJson, console, errors_as_exit_codes, print_json
from taskgraft.evaluators.memory import without_collector

if TYPE_CHECKING:
    from taskgraft.search.study.comparison import Comparison
    from taskgraft.search.study.spec import StudySpec


def compare(
    study_file: StudyFile,
    systems: Annotated[str, typer.Option(help="`all`, or names with commas between them.")] = "all",
    seeds: Annotated[
        int | None, typer.Option(help="Trainings of each model; as many as the study has repeats.")
    ] = None,
    group_budget: Annotated[
        int | None, typer.Option(help="Parameters that a row of groups may have; those of the tree by default.")
    ] = None,
    nuisance: Annotated[
        str | None, typer.Option(help="A label column that is no task, for the row `adversarial` to train against.")
    ] = None,
    nuisance_dataset: Annotated[
        str | None, typer.Option(help="Its dataset, as the study names it, if the study has several.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where results go; taskgraft-runs/NAME by default.")] = None,
    ray_address: RayAddress = None,
    cores: Cores = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would cost, and train nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train the systems that a study's tree is compared with, and print the table. Runs the study first if need be.

    Ctrl-C pauses it, the same command resumes it.
    """
    from taskgraft.api.study_files import read_study
    from taskgraft.search.comparison.beginning import check_request

    with errors_as_exit_codes(as_json):
        machines = given_machines(ray_address, cores, None)
        spec = read_study(study_file)
        asked = check_request(spec, _words(systems), seeds, group_budget, nuisance, nuisance_dataset)
        if dry_run:
            _plan(spec, asked, study_file.parent, out, as_json)
            return
        with without_collector():
            from taskgraft.api.cli.live import Terminal
            from taskgraft.api.comparisons import compare_study
            from taskgraft.api.runs import default_folder

        folder = out or default_folder(spec)
        pause_on = (signal.SIGINT, signal.SIGTERM)
        outcome = compare_study(spec, asked, folder, study_file.parent, machines, Terminal(), pause_on).to_json()
        print_json(outcome) if as_json else _show(outcome)
    raise typer.Exit(EXIT_CODES.get(outcome["study"]["state"], 1))


def _words(systems: str) -> list[str]:
    return [word.strip() for word in systems.split(",") if word.strip()]


def _plan(spec: "StudySpec", asked: "Comparison", base: Path, out: Path | None, as_json: bool) -> None:
    from taskgraft.api.cli.comparison_text import show_comparison_plan
    from taskgraft.api.cli.corpora import outline_with_bar
    from taskgraft.api.comparisons import plan_locally
    from taskgraft.api.runs import default_folder

    plan, study = plan_locally(outline_with_bar(spec, base), asked, out or default_folder(spec))
    document = {"comparison": plan.to_json(), "study": None if study is None else study.to_json()}
    print_json(document) if as_json else show_comparison_plan(spec.name, document)


def _show(outcome: dict[str, Any]) -> None:
    from taskgraft.api.cli.text import show_outcome

    if "comparison" not in outcome:  # the study did not succeed
        show_run(outcome)
        return
    show_outcome(outcome["study"], {}, None)
    if outcome["comparison"]:
        console.print(f"files: {escape(outcome['artifacts'])}")

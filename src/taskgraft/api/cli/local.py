"""Commands that need no service: run, plan, synthesize, size, predict, datasets check."""

import signal
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from taskgraft.api.cli.files import read_mapping, read_study, read_tasks, read_text, tasks_of
from taskgraft.api.cli.live import follow
from taskgraft.api.cli.output import (
    AsJson,
    console,
    count,
    errors,
    errors_as_exit_codes,
    matrix_table,
    percent,
    print_json,
    result_table,
    tree_text,
)
from taskgraft.api.schemas import MatrixView, StudyView
from taskgraft.api.settings import Settings
from taskgraft.errors import Conflict, InvalidInput, Unavailable
from taskgraft.evaluators.datasets.check import CheckReport, check_manifest
from taskgraft.evaluators.prediction import load_bundle
from taskgraft.search.artifacts import artifacts_dir
from taskgraft.search.evidence import reduction_matrix
from taskgraft.search.lease import LEASE_SECONDS
from taskgraft.search.plan import plan_study
from taskgraft.search.preparation import prepare
from taskgraft.search.spec import StudySpec
from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study import State, Study
from taskgraft.space.cost import independent_parameters, tree_cost
from taskgraft.space.document import read_tree_document, tree_document
from taskgraft.space.matrix import ReductionMatrix
from taskgraft.space.synthesis import synthesize as synthesize_tree
from taskgraft.space.template import get_template
from taskgraft.space.tree import BranchTree

if TYPE_CHECKING:
    from taskgraft.search.pipeline import StudyRun

StudyFile = Annotated[Path, typer.Argument(help="A study file (YAML).", metavar="STUDY.yaml")]


def run(
    study_file: StudyFile,
    out: Annotated[Path | None, typer.Option(help="Where results go; taskgraft-runs/NAME by default.")] = None,
    ray_address: Annotated[str | None, typer.Option(help="A Ray cluster; a local Ray by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run one study in the foreground, without a service. Ctrl-C pauses it, the same command resumes it."""
    with errors_as_exit_codes():
        spec = read_study(study_file)
        folder = (out or Path("taskgraft-runs") / spec.name).absolute()
        prepare(spec, data_dir=folder, base=study_file.parent)  # every fault of the input, before anything is made
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"{folder} can't be made: {error.strerror}") from error
        with Store(sqlite_url(folder / "taskgraft.db")) as store:
            ended = _run(store, spec, folder, study_file.parent, ray_address)
            matrix = MatrixView.of(reduction_matrix(spec, store.ledger(ended.id).trials()))
        _show_run(ended, matrix.model_dump(mode="json"), artifacts_dir(folder, ended.id), as_json)
        if ended.state is not State.SUCCEEDED:
            raise typer.Exit(130 if ended.state is State.PAUSED and not ended.reason else 1)


def _run(store: Store, spec: StudySpec, folder: Path, base: Path, ray_address: str | None) -> Study:
    """Take up the folder's study, or start it; one that failed is started afresh."""
    from taskgraft.search.pipeline import StudyRun  # noqa: PLC0415  # torch and Ray are slow to import

    study = _study_of(store, spec, folder)
    if study.state is State.SUCCEEDED:
        return study
    owner = f"run:{uuid.uuid4().hex[:8]}"
    study = store.acquire_study(study.id, owner, LEASE_SECONDS)
    work = StudyRun(store, study, owner, folder, base=base, ray_address=ray_address)
    ended = threading.Event()
    watcher = threading.Thread(target=lambda: follow(_forms(store, study.id, ended)), name="progress")
    with _pausing(store, study.id, work):
        watcher.start()
        try:
            return work.run()
        finally:
            ended.set()
            watcher.join()


def _study_of(store: Store, spec: StudySpec, folder: Path) -> Study:
    try:
        study, _ = store.create_study(spec, idempotency_key="run")
    except InvalidInput:
        message = f"{folder} holds another study; name another folder, or delete this one"
        raise Conflict(message) from None
    if study.state in (State.FAILED, State.CANCELLED):
        store.delete_study(study.id)
        study, _ = store.create_study(spec, idempotency_key="run")
    return study


class _pausing:  # noqa: N801  # used like a function
    """Ctrl-C and SIGTERM pause the study; a second one ends the process as usual."""

    def __init__(self, store: Store, study_id: str, work: "StudyRun") -> None:
        self._store, self._study_id, self._work = store, study_id, work
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._pause)

    def __exit__(self, *details: object) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _pause(self, number: int, frame: FrameType | None) -> None:
        errors.print("pausing; what was measured is kept, and the same command goes on from there")
        self._restore()
        threading.Thread(target=self._store.pause_study, args=(self._study_id,)).start()
        self._work.lease.stop()


def _forms(store: Store, study_id: str, ended: threading.Event) -> Iterator[Mapping[str, Any]]:
    """The study's JSON form once a second until the work on it ended."""
    while not ended.wait(1.0):
        yield StudyView.of(store.get_study(study_id)).model_dump(mode="json")


def _show_run(study: Study, matrix: Mapping[str, Any], artifacts: Path, as_json: bool) -> None:
    view = StudyView.of(study).model_dump(mode="json")
    if as_json:
        tree = None if study.tree is None else dict(study.tree)
        print_json({"study": view, "matrix": matrix, "tree": tree, "artifacts": str(artifacts)})
        return
    show_outcome(view, matrix, study.tree)
    if study.state is State.SUCCEEDED:
        console.print(f"files: {escape(str(artifacts))}")


def show_outcome(view: Mapping[str, Any], matrix: Mapping[str, Any], tree: Mapping[str, Any] | None) -> None:
    """Matrix, tree and result of a study, for people."""
    if matrix["cells"]:
        console.print(matrix_table(matrix, view["spec"]["ar_threshold"]))
    if tree:
        console.print(tree_text(tree))
    if view["result"]:
        console.print(result_table(view))
    else:
        console.print(f"{view['state']}: {escape(view['reason'] or 'no result yet')}")


def plan(study_file: StudyFile, as_json: AsJson = False) -> None:
    """Say what a study would cost: trainings, parameters, time. Trains nothing."""
    with errors_as_exit_codes():
        spec = read_study(study_file)
        cost = plan_study(spec, prepare(spec, data_dir=Settings().data_dir, base=study_file.parent)).to_json()
        if as_json:
            print_json(cost)
            return
        table = Table("", "at least", "at most", title=f"plan of {spec.name}")
        table.add_row("trainings", count(cost["trials_at_least"]), count(cost["trials_at_most"]))
        table.add_row(
            f"hours, estimated for {cost['workers']} cores",
            f"{cost['seconds_at_least'] / 3600:.2f}",
            f"{cost['seconds_at_most'] / 3600:.2f}",
        )
        table.add_row("parameters", count(cost["fully_shared_parameters"]), count(cost["independent_parameters"]))
        console.print(table)
        for name, clips in cost["clips"].items():
            console.print(f"{escape(name)}: " + ", ".join(f"{number:,} {split}" for split, number in clips.items()))


def synthesize(
    pairs: Annotated[Path, typer.Argument(help="task_a,task_b,depth,ar", metavar="PAIRS.csv")],
    threshold: Annotated[float, typer.Option(help="Q, a fraction: 0.02 is 2 %.")],
    tasks: Annotated[Path | None, typer.Option(help="A file with a `tasks` key: gives sizes with heads.")] = None,
    template: Annotated[str, typer.Option(help="The encoder to cut from.")] = "cnn8",
    as_json: AsJson = False,
) -> None:
    """Make the tree of a reduction matrix that was measured already."""
    with errors_as_exit_codes():
        known = read_tasks(tasks, Settings().data_dir) if tasks else None
        matrix = ReductionMatrix.from_csv(read_text(pairs), [task.name for task in known] if known else None)
        encoder = get_template(template)
        tree = synthesize_tree(matrix, threshold, encoder)
        _show_tree(tree_document(tree, encoder, threshold, known), as_json)


def _show_tree(document: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    console.print(tree_text(document))
    console.print(f"encoder parameters: {count(document['encoder_parameters'])}")
    if document["parameters"] is not None:
        console.print(f"parameters: {count(document['parameters'])}")
        console.print(f"independent models: {count(document['independent_parameters'])}")


def size(
    file: Annotated[Path, typer.Argument(help="A tree, a study, or just its `template` and `tasks`.", metavar="FILE")],
    flat: Annotated[int | None, typer.Option(help="All tasks share this many blocks; 0: independent models.")] = None,
    tasks: Annotated[Path | None, typer.Option(help="The tasks of a tree: gives sizes with heads.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say how large a tree is, or flat sharing, or independent models (what a study gets where nothing is said)."""
    with errors_as_exit_codes():
        document = read_mapping(file)
        sizes = _size(document, file, flat, tasks)
        if as_json:
            print_json(sizes)
            return
        for name, value in sizes.items():
            console.print(f"{name.replace('_', ' ')}: {count(value)}")


def _size(document: Mapping[str, Any], file: Path, flat: int | None, tasks_file: Path | None) -> dict[str, int | None]:
    data_dir = Settings().data_dir
    tasks = read_tasks(tasks_file, data_dir) if tasks_file else None
    if "root" in document:
        written = read_tree_document(document)
        tree, template, stored = written.tree, written.template, written
    else:
        stored = None
        template = get_template(str(document.get("template", "cnn8")))
        tasks = tasks or tasks_of(document, file, data_dir)
        tree = BranchTree.flat([task.name for task in tasks], 0, template.depth)
    if flat is not None:
        if not 0 <= flat <= template.depth:
            raise InvalidInput.at("--flat", f"{template.name} has {template.depth} blocks; got {flat}")
        tree = BranchTree.flat(tree.tasks, flat, template.depth)
    cost = tree_cost(tree, template, tasks)
    independent = independent_parameters(template, tasks) if tasks else None
    if stored and not tasks:
        independent = stored.independent_parameters
    as_written = stored.parameters if stored and flat is None else None
    return {
        "parameters": cost.parameters if tasks else as_written,
        "encoder_parameters": cost.encoder_parameters,
        "independent_parameters": independent,
        "macs_per_second": cost.macs_per_second,
    }


def predict(
    bundle: Annotated[Path, typer.Argument(help="A downloaded bundle: folder or zip.", metavar="BUNDLE")],
    clips: Annotated[list[Path], typer.Argument(help="Recordings.", metavar="CLIP.wav...")],
    as_json: AsJson = False,
) -> None:
    """Run a downloaded bundle on recordings."""
    with errors_as_exit_codes():
        model = load_bundle(bundle)
        answers = {str(clip): model.predict(clip) for clip in clips}
        if as_json:
            print_json(answers)
            return
        for clip, answer in answers.items():
            show_answer(clip, answer)


def show_answer(clip: str, answer: Mapping[str, Any]) -> None:
    """What a model says about one recording."""
    console.print(f"[bold]{escape(clip)}[/bold]")
    for task, said in answer.items():
        if "label" in said:
            console.print(f"  {escape(task)}: {escape(said['label'])} ({percent(said['probability'])})")
        else:
            regions = ", ".join(f"{region['onset']:.2f}-{region['offset']:.2f} s" for region in said["regions"])
            console.print(f"  {escape(task)}: {regions or 'nowhere'}")


def check(
    manifest: Annotated[Path, typer.Argument(help="A manifest (CSV or Parquet).", metavar="MANIFEST.csv")],
    as_json: AsJson = False,
) -> None:
    """Check a manifest and every clip it names: all faults with their lines, counts per label and split."""
    with errors_as_exit_codes():
        started = time.perf_counter()
        report = check_manifest(manifest)
        if as_json:
            print_json(report.to_json())
        else:
            _show_check(report, time.perf_counter() - started)
        if not report.ok:
            raise typer.Exit(2)


def _show_check(report: CheckReport, seconds: float) -> None:
    for fault in report.faults:
        errors.print(f"[red]error:[/red] {escape(str(fault))}")
    for warning in report.warnings:
        errors.print(f"[yellow]warning:[/yellow] {escape(str(warning))}")
    console.print(f"{report.clips:,} clips, {report.seconds:,.1f} s of audio, read in {seconds:.1f} s")
    for column, found in report.labels.items():
        if not found.counts:
            console.print(f"{escape(column)}: {found.distinct:,} distinct values")
            continue
        table = Table("label", *found.counts, title=escape(column))
        for label in sorted({label for counts in found.counts.values() for label in counts}):
            table.add_row(escape(label), *(count(counts.get(label, 0)) for counts in found.counts.values()))
        console.print(table)
    for event, heard in report.events.items():
        clips = ", ".join(f"{number:,} {split}" for split, number in heard.clips.items())
        console.print(f"{escape(event)}: {heard.seconds:,.1f} s in clips of {clips}")
    console.print("no faults" if report.ok else f"{report.fault_count:,} faults")

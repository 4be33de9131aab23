"""`taskgraft run` as people run it: to its end, interrupted, killed, and in a folder that is not its own."""

import fcntl
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import soundfile

import taskgraft as taskgraft_package
from taskgraft.api.study_files import read_study
from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study.trial import Trial
from tests.api.cli.commands import (
    LIST_HEAVY_MODULES,
    ONE_CORE,
    PROGRAM,
    Said,
    process,
    taskgraft,
    taskgraft_in,
    trials_of,
    wait_for_trials,
    write,
)
from tests.evaluators.tones import write_tones

pytestmark = pytest.mark.slow

HEAD = """
name: tones
ar_threshold: {threshold}
depths: [6, 8]
training: {{epochs: {epochs}, batch_size: 8, learning_rate: 0.003}}
tasks:
"""
TASKS = (
    "  - {name: pitch, dataset: first/manifest.csv, target: pitch}\n",
    "  - {name: shape, dataset: second/manifest.csv, target: shape}\n",
    "  - {name: tone, dataset: first/manifest.csv, target: tone, kind: frames}\n",
)
PATIENCE = 120


@dataclass(frozen=True)
class Workshop:
    """A folder with a study of up to three tasks on two data sets."""

    root: Path

    def study(self, tasks: int = 3, *, epochs: int = 25, threshold: float = 0.9) -> Path:
        """A threshold of 0.9 lets everything pass, so that each stage takes as little as it can."""
        text = HEAD.format(epochs=epochs, threshold=threshold) + "".join(TASKS[:tasks])
        return write(self.root / "my study.yaml", text)

    @property
    def database(self) -> Path:
        """Of the default folder."""
        return self.root / "taskgraft-runs" / "tones" / "taskgraft.db"

    def trials(self) -> list[Trial]:
        """What the study in the default folder has on record."""
        with Store(sqlite_url(self.database)) as store:
            return trials_of(store)

    def wait_for_a_training(self, running: "subprocess.Popen[str]") -> None:
        wait_for_trials(self.database, running, bool)

    def run(self, *arguments: str | Path) -> Said:
        """The command in this process; tests that train with it use `one_ray`."""
        return taskgraft_in(self.root, "run", "my study.yaml", *ONE_CORE, *arguments)

    @contextmanager
    def running(self, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        """The command under way; killed with the block where it did not end before."""
        command = [*PROGRAM, "run", "my study.yaml", "--json", *ONE_CORE, *arguments]
        with subprocess.Popen(
            command, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as running:
            try:
                yield running
            finally:
                running.kill()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("a workshop")
    write_tones(root / "first", 24, seed=1)
    write_tones(root / "second", 24, seed=2, rate=8_000)
    return root


@pytest.fixture
def workshop(root: Path, tmp_path: Path) -> Workshop:
    for corpus in ("first", "second"):
        (tmp_path / corpus).symlink_to(root / corpus)
    return Workshop(tmp_path)


@pytest.fixture(scope="module")
def finished(root: Path) -> dict[str, Any]:
    """What a run that succeeded said."""
    Workshop(root).study()
    said = process("run", "my study.yaml", "--json", cwd=root)  # on all cores
    assert said.code == 0, said.err
    assert "trainings" in said.err
    document: dict[str, Any] = said.document
    return document


def seconds_of(workshop: Workshop) -> dict[str, float]:
    """How many seconds each training on record took: no two that are alike take the same."""
    with Store(sqlite_url(workshop.database)) as store:
        (study,) = store.list_studies().items
        trials = store.ledger(study.id).trials()
        return {trial.training.key: trial.measurement.seconds for trial in trials if trial.measurement}


def line_with(running: "subprocess.Popen[str]", words: str) -> str:
    assert running.stderr
    for line in running.stderr:
        if words in line:
            return line
    raise AssertionError(f"the run ended without a line that has {words!r}")


def test_a_run_ends_with_a_model(finished: dict[str, Any], root: Path) -> None:
    study = finished["study"]
    assert study["state"] == "succeeded"
    assert (study["progress"]["fraction"], study["progress"]["trials_done"]) == (1.0, 7)
    assert [(cell["task_a"], cell["task_b"], cell["depth"]) for cell in finished["matrix"]["cells"]] == [
        ("pitch", "shape", 8),
        ("pitch", "tone", 8),
        ("shape", "tone", 8),
    ]
    artifacts = Path(finished["artifacts"])
    assert artifacts.is_relative_to(root / "taskgraft-runs" / "tones")
    files = {"tree.json", "model.onnx", "model.safetensors", "README.md", "tree.svg", "matrix.svg"}
    assert files <= {file.name for file in artifacts.iterdir()}


def test_a_run_ends_with_a_report(finished: dict[str, Any]) -> None:
    page = Path(finished["report"])
    assert page.parent.parent == Path(finished["artifacts"]).parent
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert {"tree.svg", "matrix.svg", "tradeoff.svg"} <= {file.name for file in page.parent.iterdir()}


def test_the_same_command_again_answers_at_once(finished: dict[str, Any], root: Path) -> None:
    """Nothing is trained, nothing that trains is imported, and the data sets may be gone."""
    with (root / "first" / "manifest.csv").open("r+") as manifest:
        kept = manifest.read()
        manifest.truncate(0)
    try:
        listing = [sys.executable, "-c", LIST_HEAVY_MODULES, "run", "my study.yaml", "--json"]
        said = subprocess.run(listing, cwd=root, check=False, capture_output=True, text=True)
    finally:
        (root / "first" / "manifest.csv").write_text(kept)
    assert json.loads(said.stdout) == finished
    assert said.stderr.splitlines() == ["0 optuna"]


def test_python_is_given_what_the_command_found(finished: dict[str, Any], root: Path) -> None:
    """A path, a dictionary and a value are the same study; its folder is where the command puts it."""
    path = Workshop(root).study()
    spec = read_study(path)
    out = root / "taskgraft-runs" / "tones"
    forms: list[Any] = []
    outcomes = [
        taskgraft_package.run(str(path), out=out, progress=False),
        taskgraft_package.run(spec.to_plain(), out=str(out), base=root),
        taskgraft_package.run(spec, out=out, base=root, progress=forms.append),
    ]
    for outcome in outcomes:
        assert outcome.to_json() == finished
    outcome = outcomes[0]
    assert (outcome.state, outcome.reason) == ("succeeded", finished["study"]["reason"])
    assert outcome.tree
    assert outcome.tree.to_json() == finished["tree"]["root"]
    assert outcome.result
    assert outcome.result.ar == finished["study"]["result"]["ar"]
    assert len(outcome.matrix.to_records()) == len(finished["matrix"]["cells"])
    assert outcome.bundle == Path(finished["artifacts"])
    sound, rate = soundfile.read(root / "first" / "0.wav")
    model = taskgraft_package.load_bundle(outcome.bundle)
    assert list(model.predict(sound, rate)) == ["pitch", "shape", "tone"]


def test_python_is_told_all_faults_and_nothing_is_made(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workshop.root)
    study = read_study(workshop.study()).to_plain()
    before = sorted(workshop.root.rglob("*"))
    with pytest.raises(taskgraft_package.InvalidInput) as wrong:
        taskgraft_package.run(study | {"depths": [], "seed": -1})
    assert [fault.where for fault in wrong.value.faults] == ["depths", "seed"]
    study["tasks"][0]["dataset"] = "nowhere/manifest.csv"
    with pytest.raises(taskgraft_package.InvalidInput, match=r"tasks\.0"):
        taskgraft_package.run(study)
    assert sorted(workshop.root.rglob("*")) == before


def test_the_same_command_again_shows_the_tree_and_the_files(finished: dict[str, Any], root: Path) -> None:
    text = Workshop(root).run()
    assert text.code == 0
    assert "pitch, shape, tone  blocks 1-8" in text.out
    assert text.out.splitlines()[-2:] == [f"picture: {finished['picture']}", f"files: {finished['artifacts']}"]
    assert Path(finished["picture"]).read_text().startswith("<svg")
    assert Path(finished["picture"]).parent == Path(finished["artifacts"]).parent


def test_the_bundle_answers_and_can_be_weighed(finished: dict[str, Any], root: Path) -> None:
    clips = [root / "first" / "0.wav", root / "second" / "1.wav"]
    answers = taskgraft("predict", finished["artifacts"], *clips, "--json").document
    assert list(answers) == [str(clip) for clip in clips]
    assert all(list(answer) == ["pitch", "shape", "tone"] for answer in answers.values())
    text = taskgraft("predict", finished["artifacts"], clips[0]).out.splitlines()
    assert text[0] == str(clips[0])
    assert re.fullmatch(r"  pitch: (low|high) \(\d+\.\d\d %\)", text[1])
    sizes = taskgraft("size", Path(finished["artifacts"], "tree.json"), "--json").document
    assert sizes["parameters"] == finished["study"]["result"]["parameters"]


@pytest.mark.parametrize(
    ("bundle", "clip", "words"),
    [("nowhere", "first/0.wav", "there is no such bundle"), ("first", "first/0.wav", "preprocessing.json")],
)
def test_predictions_of_nothing(finished: dict[str, Any], root: Path, bundle: str, clip: str, words: str) -> None:
    said = taskgraft("predict", root / bundle, root / clip, "--json")
    assert said.code == 2
    assert words in said.document["errors"][0]["field"] + said.document["errors"][0]["message"]


def test_good_recordings_are_answered_whatever_the_others_are(finished: dict[str, Any], tmp_path: Path) -> None:
    write_tones(tmp_path / "clips" / "deep" / "er", 2)
    clips = [tmp_path / "clips" / "deep" / "er" / f"{place}.wav" for place in range(2)]
    upper = clips[0].rename(clips[0].with_name("A.WAV"))
    broken = write(tmp_path / "clips" / "broken.flac", "no sound")
    (tmp_path / "clips" / "round").symlink_to(tmp_path / "clips")
    (tmp_path / "empty").mkdir()
    paths = [tmp_path / "clips", tmp_path / "empty", tmp_path / "missing.wav"]
    said = taskgraft("predict", finished["artifacts"], *paths, "--json")
    assert said.code == 2
    assert list(said.document) == [str(path) for path in (broken, clips[1], upper, *paths[1:])]
    failed = {name: answer["error"] for name, answer in said.document.items() if "error" in answer}
    assert list(failed) == [str(broken), str(paths[1]), str(paths[2])]
    assert said.err.splitlines() == [f"error: {name}: {message}" for name, message in failed.items()]
    assert failed[str(paths[1])].startswith("holds no recording (.aif")
    text = taskgraft("predict", finished["artifacts"], *paths)
    assert (text.code, text.err) == (2, said.err)
    assert [line for line in text.out.splitlines() if not line.startswith(" ")] == [str(clips[1]), str(upper)]
    good = taskgraft("predict", finished["artifacts"], tmp_path / "clips" / "deep")
    assert (good.code, good.err) == (0, "")


def test_a_folder_holds_one_study(finished: dict[str, Any], root: Path, workshop: Workshop) -> None:
    workshop.study(threshold=0.5)
    said = workshop.run("--out", root / "taskgraft-runs" / "tones", "--json")
    assert said.code == 2
    assert "holds another study: name another folder with --out" in said.err
    assert len(said.document["errors"]) == 1


def test_another_threshold_takes_over_what_the_folder_has(finished: dict[str, Any], root: Path) -> None:
    folder = root / "taskgraft-runs" / "tones"
    command: list[str | Path] = ["run", root / "my study.yaml", *ONE_CORE, "--out", folder, "--threshold"]
    said = taskgraft(*command, "0.95", "--json")
    assert said.code == 0, said.err
    study = said.document["study"]
    assert (study["name"], study["spec"]["ar_threshold"], study["state"]) == ("tones-q0.95", 0.95, "succeeded")
    assert study["parent"] == finished["study"]["id"]
    assert study["trainings"] == {"trained": 0, "taken_over": 7}
    assert Path(said.document["artifacts"], "model.onnx").is_file()
    assert "0, and 7 taken over" in taskgraft(*command, "0.95").out
    assert taskgraft(*command, "0.9", "--json").document["study"]["id"] == finished["study"]["id"]


@pytest.mark.parametrize("threshold", ["1", "-0.1", "nan"])
def test_a_bad_threshold_is_refused(finished: dict[str, Any], root: Path, threshold: str) -> None:
    said = taskgraft("run", root / "my study.yaml", f"--threshold={threshold}", "--json")
    assert said.code == 2
    assert [error["field"] for error in said.document["errors"]] == ["ar_threshold"]


@pytest.mark.usefixtures("one_ray")
def test_ctrl_c_pauses_and_the_same_command_goes_on(workshop: Workshop) -> None:
    workshop.study(2, epochs=50)
    with workshop.running() as running:
        workshop.wait_for_a_training(running)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE)
    assert "pausing; what was measured is kept" in err
    paused = Said(running.returncode, out, err)
    assert (paused.code, paused.document["study"]["state"]) == (130, "paused")
    assert 1 <= len(workshop.trials()) < 4  # two baselines and the pair's probe; its whole training is the fourth
    before = seconds_of(workshop)
    again = workshop.run("--json")
    assert again.code == 0, again.err
    assert before.items() < seconds_of(workshop).items()
    whole = workshop.run("--out", "in one go", "--json")
    assert [again.document[key] for key in ("matrix", "tree")] == [whole.document[key] for key in ("matrix", "tree")]
    assert again.document["study"]["result"] == whole.document["study"]["result"]


def test_a_request_to_end_pauses_too(workshop: Workshop) -> None:
    workshop.study(2, epochs=50)
    with workshop.running() as running:
        workshop.wait_for_a_training(running)
        running.terminate()
        out, err = running.communicate(timeout=PATIENCE)
    assert "pausing" in err
    paused = Said(running.returncode, out, err)
    assert (paused.code, paused.document["study"]["state"]) == (130, "paused")


def test_ctrl_c_while_ray_starts_pauses(workshop: Workshop) -> None:
    workshop.study(1)
    with workshop.running() as running:
        line_with(running, "running baselines: 0 of")
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert Said(130, out, err).document["study"]["state"] == "paused"
    assert "Traceback" not in err


@pytest.mark.usefixtures("one_ray")
def test_a_run_that_was_killed_is_taken_up_at_once(workshop: Workshop) -> None:
    workshop.study(2, epochs=50)
    with workshop.running() as running:
        workshop.wait_for_a_training(running)
        children = psutil.Process(running.pid).children(recursive=True)
        running.kill()
    before = seconds_of(workshop)
    again = workshop.run("--json")
    assert again.code == 0, again.err
    assert before.items() < seconds_of(workshop).items()
    _, left = psutil.wait_procs(children, timeout=PATIENCE)
    assert not left


def test_one_run_at_a_time_works_in_a_folder(workshop: Workshop) -> None:
    workshop.study(1)
    (workshop.root / "out").mkdir()
    with (workshop.root / "out" / "run.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = workshop.run("--out", "out", "--json")
    assert said.code == 2
    assert "another run is at work in" in said.document["errors"][0]["message"]
    assert {file.name for file in (workshop.root / "out").iterdir()} == {"run.lock"}


@pytest.mark.usefixtures("one_ray")
def test_a_study_that_fails_is_started_afresh(workshop: Workshop) -> None:
    study = workshop.study(1)
    study.write_text(study.read_text().replace("first/manifest.csv", "broken/manifest.csv"))
    manifest = write_tones(workshop.root / "broken", 24, seed=1)
    clip = manifest.parent / "5.wav"
    sound = clip.read_bytes()
    clip.write_bytes(b"no sound")
    said = workshop.run("--json")
    assert said.code == 1
    assert said.document["study"]["state"] == "failed"
    assert "5.wav" in said.document["study"]["reason"]
    clip.write_bytes(sound)
    again = workshop.run("--json")
    assert again.code == 0
    assert again.document["study"]["id"] != said.document["study"]["id"]


def test_a_folder_that_cannot_be_made_is_trouble_outside(workshop: Workshop) -> None:
    workshop.study()
    (workshop.root / "file").touch()
    said = workshop.run("--out", "file/folder")
    assert said.code == 1
    assert "can't be written: Not a directory" in said.err

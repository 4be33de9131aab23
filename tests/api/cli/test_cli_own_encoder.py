"""Studies of an encoder of the user's own: the one of the documentation, as people run it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import taskgraft as taskgraft_package
from taskgraft.api.study_files import read_study
from taskgraft.search.store import Store, sqlite_url
from tests.api.cli.commands import ONE_CORE, PROGRAM, taskgraft, taskgraft_in, trials_of, wait_for_trials, write
from tests.evaluators.tones import write_tones

PAGE = Path(__file__).parents[3] / "docs" / "templates.md"
STUDY = """
name: tones
ar_threshold: 0.9
{template}
depths: [2, 4]
training: {{epochs: {epochs}, batch_size: 8, learning_rate: 0.01}}
tasks:
  - {{name: pitch, dataset: tones/manifest.csv, target: pitch}}
  - {{name: tone, dataset: tones/manifest.csv, target: tone, kind: frames}}
"""


def documented(language: str) -> str:
    """The first example of the section on own encoders in this language."""
    section = PAGE.read_text("utf-8").partition("## Your own encoder")[2]
    match = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert match
    return match[1]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tones(tmp_path_factory.mktemp("corpus") / "tones", 24).parent


@pytest.fixture
def workshop(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a study and its encoder; modules and search path are put back afterwards."""
    (tmp_path / "tones").symlink_to(corpus)
    write(tmp_path / "encoders.py", documented("python"))
    write(tmp_path / "study.yaml", STUDY.format(template=documented("yaml"), epochs=25))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "encoders", raising=False)
    return tmp_path


def faults(*arguments: str | Path) -> dict[str, str]:
    said = taskgraft(*arguments, "--json")
    assert said.code == 2
    return {fault["field"]: fault["message"] for fault in said.document["errors"]}


def test_the_documented_encoder_is_planned_and_weighed(workshop: Path) -> None:
    blocks = 144 + 32, 3456 + 48, 5184 + 48, 6912 + 64
    heads = (32 * 4 + 1) * 32 + 33 + 33 * 2, 3 * 28 * (32 * 4 + 28 + 2) + 29
    sizes = taskgraft("size", workshop / "study.yaml", "--json").document
    assert sizes["encoder_parameters"] == 2 * sum(blocks)
    assert sizes["parameters"] == 2 * sum(blocks) + sum(heads)
    plan = taskgraft("plan", workshop / "study.yaml", "--json").document
    assert plan["independent_parameters"] == sizes["parameters"]
    assert plan["fully_shared_parameters"] == sum(blocks) + sum(heads)
    (spec := read_study(workshop / "study.yaml")).encoder.shapes(100)
    assert (spec.encoder.time_stride, spec.encoder.shapes(100)[-1]) == (4, (32, 4, 25))


def test_faults_of_encoder_and_study_are_said_together_and_nothing_is_made(workshop: Path) -> None:
    text = (workshop / "study.yaml").read_text()
    before = sorted(workshop.iterdir())
    study = write(workshop / "study.yaml", text.replace("make_encoder", "mke").replace("0.9", "2"))
    assert list(faults("run", study)) == ["template", "ar_threshold"]
    assert faults("plan", study)["template"].startswith("encoders has no mke")
    assert faults("size", write(study, text + "width: 0.5\n"))["width"].startswith("an encoder of your own is as wide")
    assert list(faults("plan", study)) == ["width"]
    assert list(faults("plan", write(study, text + "front_end: nose\n"))) == ["front_end"]
    assert [path for path in sorted(workshop.iterdir()) if path.name != "__pycache__"] == before


def test_installed_modules_come_before_those_beside_the_study(workshop: Path) -> None:
    (workshop / "json.py").write_text("raise RuntimeError('not this one')\n")
    study = workshop / "study.yaml"
    study.write_text(study.read_text().replace("encoders:make_encoder", "json:dumps"))
    assert "json:dumps can't be made" in faults("plan", study)["template"]


def test_a_tree_of_measured_pairs_is_cut_from_it(workshop: Path) -> None:
    pairs = write(workshop / "pairs.csv", "task_a,task_b,depth,ar\na,b,2,0.01\na,b,4,0.5\n")
    command: list[str | Path] = [
        "synthesize",
        pairs,
        "--threshold",
        "0.1",
        "--template",
        "encoders:make_encoder",
        "--json",
    ]
    document = taskgraft(*command).document
    assert document["template"] == "encoders:make_encoder"
    assert document["root"]["blocks"] == [0, 2]
    tree = write(workshop / "tree.json", taskgraft(*command).out)
    (workshop / "encoders.py").unlink()
    assert taskgraft("size", tree, "--json").document["encoder_parameters"] == document["encoder_parameters"]


def test_a_study_that_says_what_was_measured_is_of_that_encoder(workshop: Path) -> None:
    spec = read_study(workshop / "study.yaml").to_plain()
    spec["imported"]["digest"] = "0" * 64
    with pytest.raises(taskgraft_package.InvalidInput, match="it has changed: leave this out") as refused:
        taskgraft_package.run(spec, base=workshop)
    assert [fault.where for fault in refused.value.faults] == ["imported"]


@pytest.mark.slow(25)
def test_a_run_that_was_killed_goes_on_and_ends_with_a_model(workshop: Path) -> None:
    """From a folder that is not the study's: workers find the module where this process did."""
    elsewhere = workshop / "elsewhere"
    elsewhere.mkdir()
    command: list[Any] = ["run", "../study.yaml", *ONE_CORE, "--out", "../out", "--json"]
    with subprocess.Popen([*PROGRAM, *command], cwd=elsewhere, stdout=subprocess.PIPE, text=True) as running:
        try:
            wait_for_trials(workshop / "out" / "taskgraft.db", running, bool)
        finally:
            running.kill()
    with Store(sqlite_url(workshop / "out" / "taskgraft.db")) as store:
        before = {trial.training.key: trial.measurement.seconds for trial in trials_of(store) if trial.measurement}
    again = taskgraft_in(elsewhere, *command)
    assert again.code == 0, again.err
    with Store(sqlite_url(workshop / "out" / "taskgraft.db")) as store:
        after = {trial.training.key: trial.measurement.seconds for trial in trials_of(store) if trial.measurement}
    assert before.items() < after.items()
    assert again.document["study"]["state"] == "succeeded"
    answers = taskgraft("predict", again.document["artifacts"], workshop / "tones" / "0.wav", "--json").document
    assert list(*answers.values()) == ["pitch", "tone"]
    module = workshop / "encoders.py"
    module.write_text(module.read_text() + "\n# changed\n")
    other = taskgraft_in(elsewhere, *command)
    assert other.code == 2
    assert "holds another study" in other.err

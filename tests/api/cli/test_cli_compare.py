"""`taskgraft compare` as people run it: planned, refused, to its end, interrupted, and again."""

import csv
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from taskgraft.search.store import Store, sqlite_url
from tests.api.cli.commands import ONE_CORE, PROGRAM, taskgraft, taskgraft_in, wait_for_trials, write
from tests.search.corpora import write_beeps

STUDY = """
name: beeps
ar_threshold: 0.99
depths: [6, 8]
training: {epochs: 12, batch_size: 12, learning_rate: 0.005}
tasks:
  - {name: pitch, dataset: beeps/manifest.csv, target: pitch}
  - {name: loud, dataset: beeps/manifest.csv, target: loud}
  - {name: shape, dataset: beeps/manifest.csv, target: shape}
"""
SYSTEMS = "independent,flat-6,tree,splits,hoa,tag,soft,freeze-loud,mean-teacher,soft-sharing-l2,adversarial,dwa"
DATABASE = Path("taskgraft-runs/beeps/taskgraft.db")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("my comparisons")
    manifest = write_beeps(folder / "beeps")
    header, *clips = manifest.read_text().splitlines()
    rows = [f"{header},room", *(f"{clip},{'hall' if place % 2 else 'bath'}" for place, clip in enumerate(clips))]
    write(manifest, "\n".join(rows) + "\n")
    write(folder / "study.yaml", STUDY)
    return folder


def test_a_dry_run_says_what_it_would_take_and_makes_nothing(folder: Path, tmp_path: Path) -> None:
    options = ("--systems", "independent,flat,tree,splits,hoa,tag", "--seeds", "2")
    said = taskgraft("compare", folder / "study.yaml", "--out", tmp_path / "run", "--dry-run", "--json", *options)
    assert said.code == 0, said.err
    plan = said.document["comparison"]
    assert plan["needs_study"]
    assert plan["baselines"] == 6
    by_name = {system["system"]: system for system in plan["systems"]}
    assert list(by_name) == ["independent", "flat", "tree", "splits", "hoa", "tag"]
    assert by_name["flat"]["trainings_at_least"] == 4
    assert (by_name["hoa"]["trainings_at_least"], by_name["hoa"]["trainings_at_most"]) == (3, 3 + 2 * 3)
    assert plan["trainings_at_least"] == 6 + 4 + 3  # tag's joint training is flat sharing of all blocks
    assert said.document["study"]["trials_at_least"] == 3 + 3 + 1
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_for_people_names_rows_that_do_not_apply(folder: Path, tmp_path: Path) -> None:
    lines = STUDY.splitlines()
    study = write(folder / "one.yaml", "\n".join(lines[:-2]))
    said = taskgraft("compare", study, "--out", tmp_path / "run", "--dry-run")
    assert said.code == 0, said.err
    assert "has no row: takes 2 tasks or more" in " ".join(said.out.split())
    assert "the study has to end first" in said.out


def test_a_dry_run_of_all_systems_has_a_line_for_each_row_and_reasons_for_others(folder: Path, tmp_path: Path) -> None:
    said = taskgraft("compare", folder / "study.yaml", "--out", tmp_path / "run", "--dry-run")
    assert said.code == 0, said.err
    rows = [line.split() for line in said.out.splitlines()]
    by_name = {words[0]: words[1] for words in rows if len(words) > 2}
    for name in ("hard", "cross-soft", "freeze-loud", "serial-shape", "soft-sharing-orthogonal", "mean", "dwa"):
        assert by_name[name] == "1"
    assert [by_name[name] for name in ("mean-teacher", "adversarial", "fixed")] == ["none"] * 3
    words = " ".join(said.out.split())
    assert "mean-teacher is for studies with a task of kind events" in words
    assert "has no label to train against: choose one with --nuisance COLUMN" in words


def test_a_dry_run_with_a_label_has_a_row_that_trains_against_it(folder: Path, tmp_path: Path) -> None:
    options = ("--systems", "adversarial", "--nuisance", "room", "--nuisance-dataset", "beeps/manifest.csv")
    said = taskgraft("compare", folder / "study.yaml", *options, "--out", tmp_path / "run", "--dry-run", "--json")
    assert said.code == 0, said.err
    (system,) = said.document["comparison"]["systems"]
    assert (system["system"], system["refusal"], system["trainings_at_least"]) == ("adversarial", None, 1)
    assert said.document["study"]["trials_at_least"] == 3 + 3 + 1


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--systems", "flat,lhth"), "systems"),
        (("--systems", ""), "systems"),
        (("--systems", "flat-7"), "systems"),
        (("--systems", "freeze-tempo"), "systems"),
        (("--seeds", "0"), "seeds"),
        (("--group-budget", "-1"), "group_budget"),
        (("--nuisance", "colour"), "nuisance"),
        (("--nuisance", "loud"), "nuisance"),
        (("--nuisance", "room", "--nuisance-dataset", "birds"), "nuisance_dataset"),
        (("--nuisance-dataset", "beeps/manifest.csv"), "nuisance_dataset"),
    ],
)
@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
def test_bad_input_is_refused_before_anything_is_made(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...], field: str, dry_run: tuple[str, ...]
) -> None:
    said = taskgraft("compare", folder / "study.yaml", *arguments, *dry_run, "--out", tmp_path / "run", "--json")
    assert said.code == 2
    assert [error["field"] for error in said.document["errors"]] == [field]
    assert list(tmp_path.iterdir()) == []


def run_until_it_compares(folder: Path, arguments: list[str]) -> int:
    """Start the command, interrupt it when a training of the comparison has ended; its exit code."""
    command = [*PROGRAM, "compare", "study.yaml", *ONE_CORE, *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        try:
            study = 3 + 3 + 1
            wait_for_trials(folder / DATABASE, running, lambda trials: len(trials) > study + 4)
            running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=120)
            assert "pausing" in said
        finally:
            running.kill()
    return running.returncode


def check_rows(rows: dict[str, dict[str, Any]]) -> None:
    """What each system costs beside the others."""
    assert rows["independent"]["ar"] == 0.0
    assert rows["tree"]["parameters"] < rows["flat-6"]["parameters"] < rows["independent"]["parameters"]
    assert rows["hoa"]["trainings"] == 3 + 3 + 1
    assert rows["soft"]["tasks"] == rows["tree"]["tasks"], "one training: the tree shares all blocks"
    assert (rows["soft"]["system"], rows["dwa"]["system"]) == ("algorithms", "weightings")
    assert rows["freeze-loud"]["parts"][0]["recipe"] == (
        '{"algorithm":{"name":"freeze","order":["loud","pitch","shape"]}}'
    )
    assert rows["adversarial"]["parts"][0]["recipe"] == (
        '{"algorithm":{"dataset":null,"name":"adversarial","nuisance":"room"}}'
    )
    assert rows["adversarial"]["parameters"] == rows["dwa"]["parameters"], "the label's head is not counted"
    assert rows["freeze-loud"]["parameters"] == rows["dwa"]["parameters"] == rows["tree"]["parameters"]
    assert rows["soft-sharing-l2"]["parameters"] == rows["independent"]["parameters"]
    assert len(rows["soft-sharing-l2"]["parts"]) == 1, "columns are trained together"
    assert rows["dwa"]["trainings"] == rows["freeze-loud"]["trainings"] == 3 + 1
    for row in rows.values():
        assert (row["nominal_parameters"], row["packed_bytes"]) == (row["parameters"], row["stored_bytes"])
        assert 3.9 < row["stored_bytes"] / row["parameters"] < 4.3  # float32, and a few running statistics


@pytest.mark.slow(25)
@pytest.mark.usefixtures("one_ray")
def test_a_comparison_is_interrupted_resumed_and_shown_again(folder: Path) -> None:
    arguments = ["--systems", SYSTEMS, "--nuisance", "room"]
    assert run_until_it_compares(folder, arguments) == 130
    with Store(sqlite_url(folder / DATABASE)) as store:
        comparison, study = store.list_studies().items
        assert (comparison.state, comparison.parent, study.state) == ("paused", study.id, "succeeded")
        before = store.ledger(comparison.id).trials()
    said = taskgraft_in(folder, "compare", "study.yaml", *ONE_CORE, *arguments, "--json")
    assert said.code == 0, said.err
    document: dict[str, Any] = said.document
    with Store(sqlite_url(folder / DATABASE)) as store:
        trials = store.ledger(comparison.id).trials()
        seconds = {trial.training: trial.measurement and trial.measurement.seconds for trial in trials}
        assert all(trial.measurement and seconds[trial.training] == trial.measurement.seconds for trial in before)
        assert len({trial.training for trial in trials}) == len(trials)
        assert len(store.list_studies().items) == 2

    rows = {row["name"]: row for row in document["comparison"]["rows"]}
    assert list(rows) == [
        "independent", "flat-6", "tree", "hoa", "tag", "soft", "freeze-loud", "soft-sharing-l2", "adversarial",
        "dwa",
    ]  # fmt: skip
    assert [refusal["system"] for refusal in document["comparison"]["refusals"]] == ["splits", "mean-teacher"]
    assert "nothing is split" in document["comparison"]["refusals"][0]["reason"]
    check_rows(rows)
    baselines = [trial for trial in trials if len(trial.training.tasks) == 1]
    assert {trial.taken_over_from for trial in baselines} == {study.id}, "reading a label changes no other training"
    files = Path(document["artifacts"])
    with (files / "comparison.csv").open() as table:
        lines = list(csv.reader(table))
    assert lines[0][:6] == ["model", "parameters", "pitch", "loud", "shape", "ar"]
    assert [line[0] for line in lines[1:]] == list(rows)

    again = taskgraft_in(folder, "compare", "study.yaml", *arguments)  # at once, for people
    assert again.code == 0, again.err
    assert "splits has no row" in again.out
    assert "comparison" in again.out

    planned = taskgraft("compare", folder / "study.yaml", "--out", folder / DATABASE.parent, "--dry-run", "--json")
    assert planned.document["study"] is None
    assert planned.document["comparison"]["known"] >= 3

    refused = taskgraft_in(folder, "compare", "study.yaml", *ONE_CORE, "--nuisance", "colour", "--json")
    assert (refused.code, [error["field"] for error in refused.document["errors"]]) == (2, ["nuisance"])
    with Store(sqlite_url(folder / DATABASE)) as store:
        assert len(store.list_studies().items) == 2, "no comparison is left half made"

    shown = taskgraft_in(folder, "run", "study.yaml", "--json")  # the study itself is still found
    assert shown.document["study"]["id"] == study.id

"""The benchmark's studies: found, scaled, and their references."""

from pathlib import Path

import pytest
import yaml
from benchmarks.studies import STUDIES, digest, load_study, reference_of

from taskgraft.errors import InvalidInput
from taskgraft.search.study.spec import StudySpec
from tests.search.corpora import beeps_spec, write_beeps


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    write_beeps(tmp_path / "beeps", clips=5)
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(beeps_spec(training={"epochs": 8}).to_plain()))
    return path


def test_data_sets_become_absolute(study_file: Path, tmp_path: Path) -> None:
    spec = load_study(study_file, tmp_path)
    assert {task.dataset for task in spec.tasks} == {str(tmp_path / "beeps" / "manifest.csv")}


@pytest.mark.parametrize(("times", "epochs"), [(1.0, 8), (0.5, 4), (0.01, 1), (2.0, 16)])
def test_epochs_are_scaled_and_one_is_left(study_file: Path, tmp_path: Path, times: float, epochs: int) -> None:
    assert load_study(study_file, tmp_path, times).training.epochs == epochs


def test_recordings_that_are_not_there_are_named(study_file: Path, tmp_path: Path) -> None:
    (tmp_path / "beeps" / "manifest.csv").unlink()
    with pytest.raises(InvalidInput, match=r"beeps/manifest\.csv"):
        load_study(study_file, tmp_path)


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_of_the_benchmark_is_one(name: str) -> None:
    spec = StudySpec.parse(yaml.safe_load(STUDIES[name].read_text()))
    assert spec.repeats == 1  # as the plain program has it
    assert len(spec.tasks) >= 4


def test_a_reference_shares_no_seed_with_its_study() -> None:
    spec = beeps_spec()
    truth = reference_of(spec, 3)
    assert truth.strategy == "exhaustive"
    assert truth.repeats == 3
    seeds = range(truth.seed, truth.seed + truth.repeats)
    assert spec.seed not in seeds
    assert truth.tasks == spec.tasks
    assert truth.training == spec.training


def test_equal_studies_share_a_digest_and_others_do_not() -> None:
    assert digest(beeps_spec()) == digest(beeps_spec())
    assert digest(beeps_spec()) != digest(beeps_spec(seed=1))
    assert digest(reference_of(beeps_spec(), 2)) != digest(reference_of(beeps_spec(), 3))

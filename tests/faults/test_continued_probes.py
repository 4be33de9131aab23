"""A real study whose probe is accepted: the whole training goes on from the probe's state, and nothing else changes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from taskgraft.evaluators.training_state import PackedState
from taskgraft.search.running.artifacts import artifacts_dir, study_dir
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import State
from taskgraft.search.study.study import Study
from taskgraft.search.study.trial import Trial
from tests.evaluators.test_training_state import forge
from tests.faults.killing import run_until_killed
from tests.faults.studies import lenient_spec, new_folder, open_store, take

pytestmark = pytest.mark.usefixtures("one_ray")

PROBE = 4
"""The number of the training that is a probe: three baselines come before it, and the whole training of it after."""
FILES = ("model.safetensors", "model.onnx", "tree.json", "metrics.json", "study.yaml")


def group_spec() -> StudySpec:
    """The three tasks are tried as one group, and everything fits together."""
    return lenient_spec(strategy="groups", confirm=0)


def states(folder: Path, study: str) -> list[Path]:
    return list(study_dir(folder, study).rglob("*.state"))


def finish(folder: Path, study: str | None = None) -> tuple[Study, list[Trial]]:
    """Run a study to its end, a new one if none is given."""
    with open_store(folder) as store:
        known = store.get_study(study) if study else store.create_study(group_spec())[0]
        ended = take(store, known, folder).run()
        assert (ended.state, ended.reason) == (State.SUCCEEDED, None)
        return ended, list(store.ledger(ended.id).trials())


def bundle(folder: Path, study: str) -> dict[str, bytes]:
    return {name: (artifacts_dir(folder, study) / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder whose runner was killed when the probe was recorded, and the study in it."""
    folder = new_folder(tmp_path_factory.mktemp("killed") / "data")
    with open_store(folder) as store:
        study = store.create_study(group_spec())[0].id
        run_until_killed(folder, study, f"recorded:{PROBE}")
        (*_, probe) = store.ledger(study).trials()
        assert probe.training.is_probe
        assert probe.measurement
        assert probe.measurement.is_censored
    assert len(states(folder, study)) == 1
    return folder, study


@pytest.fixture(scope="module")
def from_scratch(killed: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The bundle of the study whose state was removed, so that the model was trained from step 0."""
    folder, study = copy(killed, tmp_path_factory.mktemp("scratch"))
    (state,) = states(folder, study)
    state.unlink()
    ended, trials = finish(folder, study)
    assert steps_before(trials) == 0
    assert not [warning for warning in ended.warnings if "state" in warning], "nothing was wrong"
    return bundle(folder, study)


def copy(killed: tuple[Path, str], root: Path) -> tuple[Path, str]:
    return Path(shutil.copytree(killed[0], root / "data")), killed[1]


def steps_before(trials: list[Trial]) -> int:
    """The steps that the whole training owes to the probe."""
    whole = trials[PROBE].measurement
    assert whole
    return whole.steps_before


def assert_went_on(trials: list[Trial]) -> None:
    probe, whole = (trial.measurement for trial in trials[PROBE - 1 : PROBE + 1])
    assert probe
    assert whole
    assert (whole.steps_before, whole.seconds_before) == (probe.steps, probe.seconds)
    assert whole.own_steps == probe.steps_left < whole.steps == probe.planned_steps
    assert whole.curve[: len(probe.curve)] == probe.curve
    assert 0 < whole.own_seconds < whole.seconds


@pytest.mark.slow(35)
def test_an_undisturbed_study_trains_its_probe_on_and_ends_the_same(
    tmp_path: Path, from_scratch: dict[str, bytes]
) -> None:
    folder = new_folder(tmp_path / "data")
    study, trials = finish(folder)
    assert_went_on(trials)
    assert bundle(folder, study.id) == from_scratch
    assert not states(folder, study.id)


@pytest.mark.slow
def test_a_killed_study_goes_on_from_the_state_of_its_probe(
    tmp_path: Path, killed: tuple[Path, str], from_scratch: dict[str, bytes]
) -> None:
    folder, study = copy(killed, tmp_path)
    _, trials = finish(folder, study)
    assert_went_on(trials)
    assert bundle(folder, study) == from_scratch
    assert not states(folder, study)


def cut_off(state: Path) -> None:
    state.write_bytes(state.read_bytes()[:-1000])


def of_other_code(state: Path) -> None:
    state.write_bytes(forge(PackedState(state.read_bytes()), version=0).content)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "why"), [(cut_off, "it is damaged"), (of_other_code, "it is of version 0 of the training code")]
)
def test_a_state_that_is_of_no_use_is_ignored_and_this_is_said(
    damage: Callable[[Path], None],
    why: str,
    tmp_path: Path,
    killed: tuple[Path, str],
    from_scratch: dict[str, bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder, study = copy(killed, tmp_path)
    (state,) = states(folder, study)
    damage(state)
    ended, trials = finish(folder, study)
    assert steps_before(trials) == 0
    assert bundle(folder, study) == from_scratch
    said = "pitch + loud + shape sharing 8 blocks was trained from step 0 again: the saved state of its probe was not"
    assert [warning for warning in ended.warnings if said in warning and why in warning]
    assert said in caplog.text
    assert not states(folder, study)

from pathlib import Path

import pytest

from taskgraft.evaluators.study_data import StudyData, load_study_data
from taskgraft.search.study.preparation import prepare
from taskgraft.space.templates.registry import get_template
from tests.search.corpora import beeps_spec, write_beeps


@pytest.fixture(scope="session")
def beeps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus in ``beeps``; its name has a space."""
    folder = tmp_path_factory.mktemp("search") / "my data"
    write_beeps(folder / "beeps")
    return folder


@pytest.fixture(scope="session")
def beeps_data(beeps: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    prepared = prepare(beeps_spec(), data_dir=beeps, base=beeps)
    cache = tmp_path_factory.mktemp("features")
    return load_study_data(
        prepared.corpora, prepared.fingerprints(), prepared.labelled, get_template("cnn8"), cache, None
    )

from pathlib import Path

import pytest
import torch

from taskgraft.evaluators.study_data import StudyData
from tests.evaluators.exported import Exported, export_tones
from tests.evaluators.tones import load_tones, write_tones

torch.set_num_threads(1)  # as in training; threads that wait for a busy core cost more than they bring


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of a corpus of 48 tones."""
    return write_tones(tmp_path_factory.mktemp("tones") / "corpus")


@pytest.fixture(scope="session")
def tone_data(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    """Three tasks over the tones: two about the clip, one about its frames."""
    tasks = [("pitch", "tones", "pitch"), ("shape", "tones", "shape"), ("tone", "tones", "tone")]
    return load_tones({"tones": tones}, tasks, tmp_path_factory.mktemp("features"))


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A bundle of a model that has learned tones."""
    return export_tones(tmp_path_factory.mktemp("exported"))

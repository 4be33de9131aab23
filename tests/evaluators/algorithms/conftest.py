from pathlib import Path

import pytest

from taskgraft.evaluators.study_data import StudyData
from taskgraft.space.tasks import TaskKind
from tests.evaluators.algorithms.runs import two_corpora
from tests.evaluators.kinds.chimes import load_chimes, write_chimes


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    """Tasks of two corpora."""
    return two_corpora(tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="session")
def chimes(tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    """Events and a number over clips with strong, with weak and without labels."""
    return _chimes(tmp_path_factory.mktemp("chimes"), weak=[12, 13, 19, 25], unlabelled=[18, 24, 30, 31])


@pytest.fixture(scope="session")
def labelled_chimes(tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    """The same tasks over clips that all have labels, strong or weak."""
    return _chimes(tmp_path_factory.mktemp("labelled"), weak=[12, 13, 19, 25], unlabelled=[])


def _chimes(root: Path, weak: list[int], unlabelled: list[int]) -> StudyData:
    manifest = write_chimes(root / "corpus", weak=weak, unlabelled=unlabelled)
    return load_chimes(manifest, [TaskKind.EVENTS, TaskKind.VALUE], root / "cache")

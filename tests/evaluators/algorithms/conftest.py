from dataclasses import replace
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


@pytest.fixture(scope="session")
def nuisance_data(tone_data: StudyData) -> StudyData:
    """Two tasks, and a third label as the nuisance."""
    return against(tone_data, "pitch")


@pytest.fixture(scope="session")
def two_with_nuisance(corpora: StudyData) -> StudyData:
    """Tasks of two corpora, and a nuisance of the second one."""
    return against(corpora, "shape")


def against(data: StudyData, name: str) -> StudyData:
    """The same data with one of the tasks as the nuisance."""
    task = data.tasks[name]
    others = {other: kept for other, kept in data.tasks.items() if other != name}
    return replace(data, tasks=others, nuisance=replace(task, task=replace(task.task, name="nuisance")))

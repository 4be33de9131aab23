"""Data sets of a study, with a bar while those that Taskgraft makes itself are made."""

from pathlib import Path

from taskgraft.api.cli.live import counting
from taskgraft.evaluators.datasets.registry import known_datasets, resolve_dataset
from taskgraft.search.preparation import PreparedStudy, prepare
from taskgraft.search.spec import StudySpec


def demo_corpus(data_dir: Path) -> Path:
    """The manifest of the demo corpus, which is made where it is not there yet.

    Raises:
        Unavailable: it can't be made.
    """
    return _known_corpus("demo-speech", data_dir)


def prepare_with_bar(spec: StudySpec, data_dir: Path, base: Path) -> PreparedStudy:
    """`prepare`, whose manifests are relative to ``base``, for someone who watches."""
    for name in sorted({task.dataset for task in spec.tasks}.intersection(known_datasets())):
        _known_corpus(name, data_dir)
    return prepare(spec, data_dir=data_dir, base=base)


def _known_corpus(name: str, data_dir: Path) -> Path:
    with counting(f"making the corpus {name}", "clips") as progress:
        return resolve_dataset(name, data_dir, data_dir, allow_paths=False, progress=progress)

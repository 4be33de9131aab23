"""Datasets of a study, with a bar while those that Taskgraft makes itself are made."""

from pathlib import Path

from taskgraft.api.cli.live import Terminal
from taskgraft.api.runs import make_corpus, prepare_study
from taskgraft.search.preparation import PreparedStudy
from taskgraft.search.spec import StudySpec


def demo_corpus(data_dir: Path) -> Path:
    """Return the manifest of the demo corpus, which is made if it does not exist.

    Raises:
        Unavailable: it can't be made.
    """
    return make_corpus("demo-speech", data_dir, Terminal())


def prepare_with_bar(spec: StudySpec, data_dir: Path, base: Path) -> PreparedStudy:
    """Do what `prepare` does, with manifests relative to ``base``, for someone who watches."""
    return prepare_study(spec, data_dir, base, Terminal())

"""Datasets of a study, with a bar while they are checked, or while those that Taskgraft makes itself are made."""

from pathlib import Path

from taskgraft.api.cli.live import Terminal
from taskgraft.evaluators.datasets.check import check_manifest, check_tables
from taskgraft.evaluators.datasets.report import CheckReport
from taskgraft.search.study.outline import StudyOutline, find_local_report, outline_study
from taskgraft.search.study.spec import StudySpec


def demo_corpus(data_dir: Path) -> Path:
    """Return the manifest of the demo corpus, which is made if it does not exist.

    Raises:
        Unavailable: it can't be made.
    """
    from taskgraft.api.runs import make_corpus  # noqa: PLC0415  # it needs a database; checking and planning do not

    return make_corpus("demo-speech", data_dir, Terminal())


def outline_with_bar(spec: StudySpec, base: Path) -> StudyOutline:
    """Check a study's datasets, with manifests relative to ``base``, for someone who watches; makes no corpus.

    Raises:
        InvalidInput: with the faults that `check_manifest` finds, and those of the tasks.
    """
    return outline_study(spec, lambda dataset: find_local_report(dataset, base, check_with_bar))


def outline_tables(spec: StudySpec, base: Path) -> StudyOutline:
    """Do the same from tables alone, without opening a recording.

    Raises:
        InvalidInput: with the faults of tables and tasks.
    """
    return outline_study(spec, lambda dataset: find_local_report(dataset, base, check_tables))


def check_with_bar(manifest: Path) -> CheckReport:
    """Check a manifest and every clip for someone who watches."""
    with Terminal().counting(f"checking {manifest}", "clips") as progress:
        return check_manifest(manifest, progress)

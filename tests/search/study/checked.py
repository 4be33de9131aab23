"""What is said of a study before anything is trained."""

from pathlib import Path

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.check import check_manifest
from taskgraft.search.study.outline import find_local_report, outline_study
from taskgraft.search.study.preparation import prepare
from taskgraft.search.study.spec import StudySpec


def said_before_training(spec: StudySpec, folder: Path) -> dict[str, str]:
    """What the outline of a study, or of a comparison, and its start say: the same."""
    found: list[dict[str, str]] = []
    for check in (
        lambda: outline_study(spec, lambda name: find_local_report(name, folder, check_manifest)),
        lambda: prepare(spec, data_dir=folder, base=folder),
    ):
        try:
            check()
        except InvalidInput as error:
            found.append({fault.where: fault.message for fault in error.faults})
        else:
            found.append({})
    assert found[0] == found[1]
    return found[0]

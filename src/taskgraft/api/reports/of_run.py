"""The report that a local run leaves behind."""

from pathlib import Path

from taskgraft.api.reports.contents import gather
from taskgraft.api.reports.formats import converters
from taskgraft.api.reports.from_folder import StoreSource
from taskgraft.api.reports.writing import PAGE, write_report
from taskgraft.errors import Conflict, Unavailable
from taskgraft.search.running.artifacts import study_dir
from taskgraft.search.store import Store
from taskgraft.search.study.study import Study

_FOLDER = "report"


def report_page(data_dir: Path, study_id: str) -> Path:
    """Return where the page of a run's report is."""
    return study_dir(data_dir, study_id) / _FOLDER / PAGE


def leave_report(store: Store, study: Study, data_dir: Path) -> None:
    """Write the report of a study beside its bundle, unless it is there.

    Raises:
        Unavailable: the folder can't be written.
    """
    out = report_page(data_dir, study.id).parent
    if out.exists():
        return
    try:
        write_report(gather(StoreSource(store, study, data_dir)), out, converters([]))
    except (Conflict, Unavailable):  # another process may have left it meanwhile
        if not out.exists():
            raise

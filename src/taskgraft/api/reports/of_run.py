"""The report that a local run leaves behind."""

from pathlib import Path

from taskgraft.api.reports.contents import gather
from taskgraft.api.reports.formats import converters
from taskgraft.api.reports.from_folder import DATABASE, StoreSource
from taskgraft.api.reports.writing import PAGE, write_report
from taskgraft.api.runs import Outcome
from taskgraft.search.running.artifacts import study_dir
from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study.states import State

_FOLDER = "report"


def leave_report(outcome: Outcome) -> Path | None:
    """Write the report of a run beside its bundle, unless it is there, and return its page; None unless it succeeded.

    Raises:
        Unavailable: the folder can't be written.
    """
    if outcome.state is not State.SUCCEEDED:
        return None
    out = study_dir(outcome.folder, outcome.study.id) / _FOLDER
    if not out.exists():
        with Store(sqlite_url(outcome.folder / DATABASE)) as store:
            write_report(gather(StoreSource(store, outcome.study, outcome.folder)), out, converters([]))
    return out / PAGE

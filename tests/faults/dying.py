"""Runners that are killed at a chosen moment: ``python -m tests.faults.dying``, which forks one for each line of input.

A line is a JSON list of log file, folder, study and moment. When its runner is gone, its process number and exit code
are printed.

``record:N``: the N-th training of the study has ended, and is not recorded yet. ``recorded:N``: it is recorded, and no
other training has started since. ``export``: a part of the bundle is written. ``table``: a part of a comparison is.
"""

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from taskgraft.evaluators.memory import keep_for_good, without_collector

with without_collector():
    from taskgraft.search.running import pipeline
    from taskgraft.search.running.lease import LEASE_SECONDS
    from taskgraft.search.store import Store, sqlite_url
    from taskgraft.search.store.ledger import Ledger
    from taskgraft.search.study.machines import Machines
    from taskgraft.search.study.trial import Trial

OWNER = "runner"
DATABASE = "taskgraft.db"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_record(number: int) -> None:
    record = Ledger.record

    def dying(self: Ledger, *arguments: Any, **more: Any) -> Trial:
        if self.trial_count() + 1 == number:
            die()
        return record(self, *arguments, **more)

    Ledger.record = dying  # type: ignore[method-assign]


def die_when_recorded(number: int) -> None:
    record = Ledger.record

    def dying(self: Ledger, *arguments: Any, **more: Any) -> Trial:
        trial = record(self, *arguments, **more)
        if self.trial_count() == number:
            die()
        return trial

    Ledger.record = dying  # type: ignore[method-assign]


def die_in_export() -> None:
    def dying(folder: Path, **more: Any) -> None:
        (folder / "model.onnx").write_bytes(b"half a model")
        die()

    vars(pipeline)["export_bundle"] = dying


def die_in_table() -> None:
    def dying(folder: Path, *_: object) -> None:
        (folder / "comparison.csv").write_bytes(b"half a table")
        die()

    vars(pipeline)["write_comparison"] = dying


def main(folder: Path, study_id: str, moment: str) -> None:
    kind, _, number = moment.partition(":")
    if kind == "record":
        die_at_record(int(number))
    elif kind == "recorded":
        die_when_recorded(int(number))
    elif kind == "table":
        die_in_table()
    else:
        die_in_export()
    with Store(sqlite_url(folder / DATABASE)) as store:
        held = store.acquire_study(study_id, OWNER, LEASE_SECONDS)
        # One worker: a second one costs seconds to start, and may have trained something ahead when the runner dies.
        pipeline.StudyRun(store, held, folder, base=folder, machines=Machines(cores=1)).run()


def become_runner(log: str, folder: str, study_id: str, moment: str) -> NoReturn:
    """Be a runner, in a session of its own, which all that it starts belongs to."""
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream, target in enumerate((os.open(os.devnull, os.O_RDONLY), output, output)):
        os.dup2(target, stream)
    try:
        main(Path(folder), study_id, moment)
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)  # it was to be killed


def start_runners() -> None:
    keep_for_good()
    for line in sys.stdin:
        runner = os.fork()
        if not runner:
            become_runner(*json.loads(line))
        _, status = os.waitpid(runner, 0)
        print(json.dumps([runner, os.waitstatus_to_exitcode(status)]), flush=True)  # noqa: T201


if __name__ == "__main__":
    start_runners()

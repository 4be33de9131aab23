"""Runners that are killed at a chosen moment: ``python -m tests.faults.dying``, which forks one for each line of input.

A line is a JSON list of log file, folder, study and moment. When its runner is gone, its process number and exit code
are printed. One that is to stop instead has a short lease, and null for its exit code; a line with its number waits
until it has ended.

``record:N``: the N-th training of the study has ended, and is not recorded yet. ``recorded:N``: it is recorded, and no
other training has started since. ``export``: a part of the bundle is written. ``table``: a part of a comparison is.

``stop:training``: a training has reported progress. ``stop:recording``: the first one has ended, nothing of it is kept.
``stop:export``: as ``export``. These runners go on when they are told to.
"""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from taskgraft.errors import Conflict
from taskgraft.evaluators.memory import keep_for_good, without_collector

with without_collector():
    from taskgraft.search.running import pipeline
    from taskgraft.search.running.driver import StudyDriver
    from taskgraft.search.running.lease import LEASE_SECONDS
    from taskgraft.search.store import Store, sqlite_url
    from taskgraft.search.store.ledger import Ledger
    from taskgraft.search.study.lease import Held
    from taskgraft.search.study.machines import Machines
    from taskgraft.search.study.trial import Trial

OWNER = "runner"
SHORT_LEASE = 2.0
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


def sleep_before(method: str, sleep: Callable[[], None]) -> None:
    """Stop when the driver hears of something for the first time."""
    act = getattr(StudyDriver, method)

    def sleeping(self: StudyDriver, *arguments: Any) -> None:
        setattr(StudyDriver, method, act)
        sleep()
        act(self, *arguments)

    setattr(StudyDriver, method, sleeping)


def sleep_in_export(sleep: Callable[[], None]) -> None:
    export = vars(pipeline)["export_bundle"]

    def sleeping(folder: Path, **more: Any) -> None:
        (folder / "model.onnx").write_bytes(b"half a model")
        sleep()
        export(folder, **more)

    vars(pipeline)["export_bundle"] = sleeping


def run_until_it_ends(folder: Path, study_id: str, stage: str) -> None:
    """Take the study when its lease has run out, and work on it with a pause at a stage."""
    with Store(sqlite_url(folder / DATABASE)) as store:
        held = take_when_free(store, study_id, f"{OWNER}-{os.getpid()}", SHORT_LEASE)
        run = pipeline.StudyRun(store, held, folder, base=folder, machines=Machines(cores=1), lease_seconds=SHORT_LEASE)

        def sleep() -> None:
            with run.lease._turn:  # not amid a renewal: nobody could write to the file until this process goes on
                os.kill(os.getpid(), signal.SIGSTOP)

        if stage == "export":
            sleep_in_export(sleep)
        else:
            sleep_before({"training": "on_progress", "recording": "on_measured"}[stage], sleep)
        run.run()


def take_when_free(store: Store, study_id: str, owner: str, seconds: float) -> Held:
    deadline = time.monotonic() + 60
    while True:
        try:
            return store.acquire_study(study_id, owner, seconds)
        except Conflict:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


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
    code = 1  # of one that was to be killed, too
    try:
        kind, _, stage = moment.partition(":")
        if kind == "stop":
            run_until_it_ends(Path(folder), study_id, stage)
            code = 0
        else:
            main(Path(folder), study_id, moment)
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)


def start_runners() -> None:
    keep_for_good()
    for line in sys.stdin:
        wanted = json.loads(line)
        runner = wanted if isinstance(wanted, int) else os.fork()
        if not runner:
            become_runner(*wanted)
        _, status = os.waitpid(runner, 0 if runner == wanted else os.WUNTRACED)
        code = None if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status)
        print(json.dumps([runner, code]), flush=True)  # noqa: T201


if __name__ == "__main__":
    start_runners()

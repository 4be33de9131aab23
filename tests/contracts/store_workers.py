"""What runs in other processes to test stores: everything takes a URL and answers with plain data."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.synchronize import Barrier as BarrierType
from typing import Any

from sqlalchemy import Connection, Engine, event

from taskgraft.errors import Conflict
from taskgraft.search.store import Store
from taskgraft.search.study.dataset import Uploaded
from taskgraft.search.study.lease import Lease
from taskgraft.search.study.trial import TrialState
from tests.search.store.samples import LONG, lease_of, make_measurement, make_spec, make_training, record

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.contracts.store_workers"])


def race(worker: Callable[..., Any], *arguments: Any, processes: int = 2) -> list[Any]:
    """Run ``worker(number, start, *arguments)`` in several processes at once; ``start()`` waits for the others."""
    barrier = CONTEXT.Barrier(processes, timeout=60)
    answers = CONTEXT.SimpleQueue()
    running = [
        CONTEXT.Process(target=_answer, args=(answers, worker, number, barrier, arguments))
        for number in range(processes)
    ]
    for process in running:
        process.start()
    found = [answers.get() for _ in running]
    for process in running:
        process.join()
        process.close()
    return found


def _answer(answers: Any, worker: Callable[..., Any], number: int, barrier: BarrierType, arguments: Any) -> None:
    try:
        answers.put(worker(number, barrier.wait, *arguments))
    except BaseException as error:
        answers.put(repr(error))
        raise


def open_store(number: int, start: Callable[[], int], url: str) -> str:
    start()
    with Store(url) as store:
        study, _ = store.create_study(make_spec(f"study-{number}"))
        record(store, study.id)
        return study.id


def record_the_same(number: int, start: Callable[[], int], url: str, lease: Lease) -> int:
    with Store(url) as store:
        ledger = store.ledger(lease.study_id)
        start()
        return ledger.record(lease, make_training(), number, TrialState.COMPLETE, make_measurement(seed=number)).number


def create_one(number: int, start: Callable[[], int], url: str) -> tuple[str, bool]:
    with Store(url) as store:
        start()
        study, is_new = store.create_study(make_spec(), idempotency_key="one")
        return study.id, is_new


def take_all(number: int, start: Callable[[], int], url: str) -> list[str]:
    taken = []
    with Store(url) as store:
        start()
        while held := store.acquire(f"runner-{number}", LONG):
            taken.append(held.study.id)
    return taken


def take_all_datasets(number: int, start: Callable[[], int], url: str) -> list[str]:
    taken = []
    with Store(url) as store:
        start()
        while dataset := store.datasets.acquire(f"runner-{number}", LONG):
            taken.append(dataset.name)
    return taken


def upload_the_same(number: int, start: Callable[[], int], url: str) -> tuple[int, bool]:
    with Store(url) as store:
        start()
        dataset, is_new = store.datasets.add("same", Uploaded(f"folder-{number}"), "content")
        return dataset.version, is_new


def use_or_delete(number: int, start: Callable[[], int], url: str) -> str:
    """One process creates a study that uses the dataset while the other one deletes it."""
    with Store(url) as store:
        start()
        try:
            if number:
                store.datasets.delete("wanted")
            else:
                store.create_study(make_spec(), datasets={"wanted": 1})
        except Conflict:
            return "refused"
        return "done"


def die_while_recording(url: str, study_id: str, whole: int, moment: str) -> None:
    """Record ``whole`` trials, then be killed inside one more: after a statement that starts so, or at COMMIT."""
    with Store(url) as store:
        ledger, lease = store.ledger(study_id), lease_of(store, study_id)
        for repeat in range(whole):
            ledger.record(lease, make_training(repeat), repeat, TrialState.COMPLETE, make_measurement())

        def after_statement(connection: Connection, _: object, statement: str, *others: object) -> None:
            connection.info["has written"] = statement.startswith(
                "INSERT INTO trial_intermediate_values"
            )  # the last one
            if statement.startswith(moment):
                os.kill(os.getpid(), signal.SIGKILL)

        def at_commit(connection: Connection) -> None:
            if moment == "COMMIT" and connection.info.get("has written"):
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Engine, "after_cursor_execute", after_statement)
        event.listen(Engine, "commit", at_commit)
        ledger.record(lease, make_training(whole), whole, TrialState.COMPLETE, make_measurement())


def record_for_ever(url: str, study_id: str, done: Any) -> None:
    """Record trial after trial, and say so after each."""
    with Store(url) as store:
        ledger, lease = store.ledger(study_id), lease_of(store, study_id)
        repeat = 0
        while True:
            ledger.record(lease, make_training(repeat), repeat, TrialState.COMPLETE, make_measurement())
            done.put(repeat)
            repeat += 1

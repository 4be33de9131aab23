"""Questions about a study whose answers have to be worked out, and the process that does so for a service."""

import logging
import os
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from typing import Any, Protocol

from taskgraft.errors import Conflict, TaskgraftError
from taskgraft.search.evidence.reduction_matrix import reduction_matrix
from taskgraft.search.running.findings import find_tree
from taskgraft.search.running.tradeoff import find_tradeoff
from taskgraft.search.store import Store
from taskgraft.search.study.states import State

_log = logging.getLogger(__name__)

_NICER = 5
"""By how much the process is nicer than the service: requests that are only read go first."""


class Question(Protocol):
    """A question: a value that may be a key, and can go to another process. Equal questions have one answer."""

    def answer(self, store: Store) -> Any:
        """Work the answer out.

        Raises:
            TaskgraftError: there is none.
        """
        ...


@dataclass(frozen=True, slots=True)
class MatrixQuestion:
    """What is the reduction matrix after so many trials? It is kept if the study is final."""

    study_id: str
    trials: int

    def answer(self, store: Store) -> Any:
        """Return the matrix, and how many trials it rests on."""
        study = store.get_study(self.study_id)
        trials = store.ledger(study.id).trials()
        matrix = reduction_matrix(study.spec, trials)
        if study.state.is_final:
            store.findings.keep_matrix(study.id, matrix, len(trials))
        return matrix, len(trials)


@dataclass(frozen=True, slots=True)
class TreeQuestion:
    """What is the tree at a threshold after so many trials?"""

    study_id: str
    trials: int
    ar_threshold: float | None
    stage: str | None
    """Of the study: before its pairs have ended, it may have no tree."""

    def answer(self, store: Store) -> Any:
        """Return the tree form."""
        study = store.get_study(self.study_id)
        return find_tree(study, store.ledger(study.id).trials(), self.ar_threshold)


@dataclass(frozen=True, slots=True)
class TradeoffQuestion:
    """What is the trade-off of a study that has succeeded? It is kept."""

    study_id: str

    def answer(self, store: Store) -> Any:
        """Return nothing: it is read from where it is kept."""
        study = store.get_study(self.study_id)
        if study.state is not State.SUCCEEDED or study.comparison:
            raise Conflict(f"study {study.id} has no trade-off: only a search that has succeeded has one")
        store.findings.keep_tradeoff(study.id, find_tradeoff(study, store.ledger(study.id).trials()))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question: a value, or one of Taskgraft's errors, or the text of any other."""

    value: Any = None
    error: TaskgraftError | None = None
    unexpected: str | None = None


def answer_questions(connection: "Connection[Answer, Question]", database_url: str, idle_seconds: float) -> None:
    """Answer the questions that come in, until there was none for a while; ends at once if the parent process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the service, which then ends this process
    os.nice(_NICER)
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()
    # Whoever asks may have gone, or have given this process up.
    with suppress(EOFError, OSError), Store(database_url, ledgers_kept=1) as store:
        while connection.poll(idle_seconds):
            connection.send(_answer(connection.recv(), store))


def _follow_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _answer(question: Question, store: Store) -> Answer:
    try:
        return Answer(question.answer(store))
    except TaskgraftError as error:
        return Answer(error=error)
    except Exception as error:
        _log.exception("%s has no answer", question)
        return Answer(unexpected=f"{type(error).__name__}: {error}")

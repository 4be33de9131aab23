"""A process that works out answers for the service, so that requests that are only read never wait for it."""

import threading
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any

from taskgraft.errors import Unavailable
from taskgraft.search.running.answering import Answer, Question, answer_questions

_IDLE_SECONDS = 60.0
_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["taskgraft.search.running.answering"])


class Worker:
    """Asks a process of its own one question after the other. The process starts with a question, and ends when idle.

    `ask` is called from one thread at a time; `kill` may be called from any other meanwhile.
    """

    def __init__(self, database_url: str, idle_seconds: float = _IDLE_SECONDS) -> None:
        self._database_url = database_url
        self._idle_seconds = idle_seconds
        self._process: ForkServerProcess | None = None
        self._connection: Connection[Question, Answer] | None = None
        self._change = threading.Lock()
        self._is_closed = False
        self._kills = 0

    def ask(self, question: Question) -> Any:
        """Return the answer.

        Raises:
            TaskgraftError: there is none.
            Unavailable: the process was killed.
            RuntimeError: an unexpected error; the log of the process says which.
        """
        kills = self._kills
        answer = self._ask(question)
        if answer is None and self._kills == kills:  # it was idle, and ended just before the question
            answer = self._ask(question)
        if answer is None:
            raise Unavailable("what works out answers was stopped")
        if answer.error:
            raise answer.error
        if answer.unexpected:
            raise RuntimeError(answer.unexpected)
        return answer.value

    def _ask(self, question: Question) -> Answer | None:
        """Return the answer; None if the process has ended."""
        connection = self._connect()
        if connection is None:
            return None
        try:
            connection.send(question)
            return connection.recv()
        except (EOFError, OSError):
            self._drop(connection)
            return None

    def _connect(self) -> "Connection[Question, Answer] | None":
        """Return the connection to the process, which is started if there is none; None if it is not wanted any more.

        Nobody waits for a start who only wants to end the process: the first one takes seconds.
        """
        with self._change:
            if self._is_closed:
                return None
            if self._connection is not None:
                return self._connection
            kills = self._kills
        process, connection = _start(self._database_url, self._idle_seconds)
        with self._change:
            if self._kills == kills:
                self._process, self._connection = process, connection
                return connection
        process.kill()
        return None

    def _drop(self, connection: "Connection[Question, Answer]") -> None:
        """Forget the process at the other end, unless another one has taken its place already."""
        with self._change:
            if self._connection is connection:
                self._end()

    def kill(self) -> None:
        """End the process, whatever it is doing; the next question starts another one."""
        with self._change:
            self._kills += 1
            self._end()

    def close(self) -> None:
        """End the process for good."""
        with self._change:
            self._is_closed = True
        self.kill()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
        self._process = self._connection = None


def _start(database_url: str, idle_seconds: float) -> "tuple[ForkServerProcess, Connection[Question, Answer]]":
    ours, theirs = _CONTEXT.Pipe()
    arguments = (theirs, database_url, idle_seconds)
    process = _CONTEXT.Process(target=answer_questions, args=arguments, name="taskgraft-answers", daemon=True)
    process.start()
    theirs.close()
    return process, ours

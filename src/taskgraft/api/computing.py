"""What has to be worked out on request: few at a time, once for equal requests, and only as long as somebody waits."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from fastapi import Request

from taskgraft.api.busy import RETRY_SECONDS, Busy
from taskgraft.api.worker import Worker
from taskgraft.errors import Unavailable
from taskgraft.search.running.answering import Question

T = TypeVar("T")

_WORKERS = 1
_WAITING = 16
_PATIENCE = 20.0


@dataclass(slots=True)
class _Shared:
    task: "asyncio.Task[Any]"
    waiting: int = 0


class Computations:
    """Answers questions in ``workers`` processes of their own; at most ``waiting`` different ones are asked at once.

    A request waits ``patience`` seconds at most, and is then told to ask again; meanwhile work goes on for as long as
    clients that were told so may need to come back. Belongs to the event loop that it is first used in.
    """

    def __init__(
        self, database_url: str, workers: int = _WORKERS, waiting: int = _WAITING, patience: float = _PATIENCE
    ) -> None:
        self._workers = [Worker(database_url) for _ in range(workers)]
        self._free = list(self._workers)
        self._turns = asyncio.Semaphore(workers)
        self._waiting = waiting
        self._patience = patience
        self._shared: dict[Question, _Shared] = {}
        self._is_closed = False

    async def answer(self, question: Question) -> Any:
        """Return the answer; equal questions that are asked meanwhile are worked out once.

        Raises:
            Busy: too many other questions wait, or this one takes longer than a request may wait.
            TaskgraftError: there is no answer.
        """
        shared = self._share(question)
        shared.waiting += 1
        linger = 0.0
        try:
            await asyncio.wait({shared.task}, timeout=self._patience)
            if not shared.task.done():
                linger = 2.0 * RETRY_SECONDS
                raise Busy(f"this takes a while to work out: ask again in {RETRY_SECONDS} s")
            if shared.task.cancelled():
                raise Unavailable("the service is stopping")
            return shared.task.result()
        finally:
            shared.waiting -= 1
            self._leave(shared, linger)

    def _share(self, question: Question) -> _Shared:
        if self._is_closed:
            raise Unavailable("the service is stopping")
        if question not in self._shared:
            if len(self._shared) >= self._waiting:
                raise Busy(f"{self._waiting} other answers are being worked out: ask again in {RETRY_SECONDS} s")
            task = asyncio.create_task(self._work_out(question))
            task.add_done_callback(lambda done: self._forget(question, done))
            self._shared[question] = _Shared(task)
        return self._shared[question]

    def _forget(self, question: Question, done: "asyncio.Task[Any]") -> None:
        del self._shared[question]
        if not done.cancelled():
            done.exception()  # whoever asked may be gone: it is no error that nobody has looked at

    def _leave(self, shared: _Shared, linger: float) -> None:
        """Stop the work once nobody has waited for it for so many seconds."""
        if shared.waiting or shared.task.done():
            return
        if linger:
            asyncio.get_running_loop().call_later(linger, self._leave, shared, 0.0)
        else:
            shared.task.cancel()

    async def _work_out(self, question: Question) -> Any:
        async with self._turns:
            worker = self._free.pop()
            try:
                return await _in_thread(partial(worker.ask, question))
            except asyncio.CancelledError:
                await asyncio.to_thread(worker.kill)
                raise
            finally:
                self._free.append(worker)

    def close(self) -> None:
        """Stop all work, and tell whoever waits for it that the service stops."""
        self._is_closed = True
        for shared in list(self._shared.values()):
            shared.task.cancel()
        for worker in self._workers:
            worker.close()


async def _in_thread(work: Callable[[], T]) -> T:
    """Return what is worked out in a thread of its own, for which no exit of the service waits."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            settle = partial(_settle, answer, work())
        except BaseException as error:
            settle = partial(_fail, answer, error)
        with suppress(RuntimeError):  # the event loop has ended
            loop.call_soon_threadsafe(settle)

    threading.Thread(target=run, name="answers", daemon=True).start()
    return await answer


def _settle(answer: "asyncio.Future[T]", value: T) -> None:
    if not answer.done():
        answer.set_result(value)


def _fail(answer: "asyncio.Future[Any]", error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error)


async def while_connected(request: Request, answer: Awaitable[T]) -> T:
    """Return what is awaited; it is cancelled if the client goes away.

    Raises:
        Unavailable: the client has gone, so that nobody will read this.
    """
    working = asyncio.ensure_future(answer)
    leaving = asyncio.ensure_future(_leave(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Unavailable("the client has gone")
    finally:
        working.cancel()
        leaving.cancel()


async def _leave(request: Request) -> None:
    """Return when the client has closed the connection. The request must have no body that is still to be read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass

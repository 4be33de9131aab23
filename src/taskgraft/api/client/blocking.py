"""The client for ordinary programs."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from taskgraft.api.client import calls
from taskgraft.api.client.call import JSON, Answer, BlockingSender, Call
from taskgraft.api.client.connection import is_over, settings, transport_errors
from taskgraft.api.client.download import receiving
from taskgraft.api.client.operations import Operations
from taskgraft.api.client.upload import upload_chunks
from taskgraft.evaluators.datasets.progress import Progress, unnoticed


class Client(Operations, BlockingSender):
    """A running service at ``url``. Use it as a context manager, or `close` it.

    Every method may raise the error of `taskgraft.errors` that the service responds with, and `Unavailable` when the
    service cannot be reached or returns a response that is not Taskgraft's.

    >>> with Client("http://127.0.0.1:8080") as client:  # doctest: +SKIP
    ...     study = client.wait(client.create_study(spec)["id"])
    ...     client.download_model(study["id"], Path("model"))
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._http = httpx.Client(**settings(url, token))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, call: Call[Answer]) -> Answer:
        """Send a request and return its answer."""
        with transport_errors(self._http.base_url):
            response = self._http.request(call.method, call.path, **call.options)
        return call.answer(response)

    def studies(self, state: str | None = None) -> Iterator[JSON]:
        """Yield all studies, newest first, page by page."""
        cursor: str | None = None
        while True:
            items, cursor = self.send(calls.study_page(state, cursor))
            yield from items
            if cursor is None:
                return

    def trials(self, study_id: str) -> list[JSON]:
        """Return every training that ended, read page by page; each is a flat enough record for a table."""
        return self._all(lambda cursor: calls.trial_page(study_id, cursor))

    def comparisons(self, study_id: str) -> list[JSON]:
        """Return the comparisons of a study, oldest first, read page by page."""
        return self._all(lambda cursor: calls.comparison_page(study_id, cursor))

    def _all(self, page: Callable[[str | None], Call[tuple[list[JSON], str | None]]]) -> list[JSON]:
        """Return the items of all pages."""
        items, cursor = self.send(page(None))
        while cursor is not None:
            more, cursor = self.send(page(cursor))
            items += more
        return items

    def datasets(self) -> Iterator[JSON]:
        """Yield all datasets by name, each in its newest version, page by page."""
        cursor: str | None = None
        while True:
            items, cursor = self.send(calls.dataset_page(cursor))
            yield from items
            if cursor is None:
                return

    def upload_dataset(self, name: str, source: Path, progress: Progress = unnoticed) -> JSON:
        """Upload a dataset: a zip, or a manifest (or its folder) whose files are zipped on the way.

        ``progress`` is called with how many bytes were sent, of how many.

        Raises:
            InvalidInput: a manifest that can't be read, or what the service refuses.
        """
        call = calls.upload_dataset(name)
        chunks = upload_chunks(source, progress)
        with transport_errors(self._http.base_url):
            response = self._http.request(call.method, call.path, headers=dict(call.headers), content=chunks)
        return call.answer(response)

    def watch(self, study_id: str, interval: float = 1.0, *, stop_when_paused: bool = False) -> Iterator[JSON]:
        """Yield the study every ``interval`` seconds until its state is final; that one is the last.

        A paused study is waited for until somebody resumes it, unless ``stop_when_paused``.
        """
        while True:
            study = self.study(study_id)
            yield study
            if is_over(study, stop_when_paused=stop_when_paused):
                return
            time.sleep(interval)

    def wait(self, study_id: str, interval: float = 1.0, *, stop_when_paused: bool = False) -> JSON:
        """Return the study as soon as its state is final; see `watch`."""
        for study in self.watch(study_id, interval, stop_when_paused=stop_when_paused):
            last = study
        return last

    def download_model(self, study_id: str, target: Path) -> Path:
        """Fetch the bundle, check its SHA-256, unpack it as the folder ``target``, which appears whole or not at all.

        Raises:
            Conflict: ``target`` exists.
            Unavailable: the bytes do not have the announced SHA-256, the archive is not safe to unpack, or the disk
                cannot be written.
        """
        call = calls.model(study_id)
        with receiving(target) as download:
            with (
                transport_errors(self._http.base_url),
                self._http.stream(call.method, call.path, **call.options) as response,
            ):
                if response.is_error:
                    response.read()
                call.answer(response)
                for chunk in response.iter_bytes():
                    download.write(chunk)
            return download.finish(response.headers.get("etag"))

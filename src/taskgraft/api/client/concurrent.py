"""The client for programs that run on asyncio."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from taskgraft.api.client import calls
from taskgraft.api.client.call import JSON, Answer, AsyncSender, Call
from taskgraft.api.client.connection import is_over, settings, transport_errors
from taskgraft.api.client.download import receiving
from taskgraft.api.client.operations import Operations
from taskgraft.api.client.upload import upload_chunks
from taskgraft.evaluators.datasets.progress import Progress, unnoticed


class AsyncClient(Operations, AsyncSender):
    """A running service at ``url``: the same methods and errors as `Client`, each of them awaited.

    Use it as an asynchronous context manager, or `aclose` it.

    >>> async with AsyncClient("http://127.0.0.1:8080") as client:  # doctest: +SKIP
    ...     study = await client.create_study(spec)
    ...     async for study in client.watch(study["id"]):
    ...         print(study["progress"]["fraction"])
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._http = httpx.AsyncClient(**settings(url, token))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, call: Call[Answer]) -> Answer:
        """Send a request and return its answer."""
        with transport_errors(self._http.base_url):
            response = await self._http.request(call.method, call.path, **call.options)
        return call.answer(response)

    async def studies(self, state: str | None = None) -> AsyncIterator[JSON]:
        """Yield all studies, newest first, page by page."""
        cursor: str | None = None
        while True:
            items, cursor = await self.send(calls.study_page(state, cursor))
            for study in items:
                yield study
            if cursor is None:
                return

    async def trials(self, study_id: str) -> list[JSON]:
        """Return every training that ended, read page by page; each is a flat enough record for a table."""
        return await self._all(lambda cursor: calls.trial_page(study_id, cursor))

    async def comparisons(self, study_id: str) -> list[JSON]:
        """Return the comparisons of a study, oldest first, read page by page."""
        return await self._all(lambda cursor: calls.comparison_page(study_id, cursor))

    async def _all(self, page: Callable[[str | None], Call[tuple[list[JSON], str | None]]]) -> list[JSON]:
        """Return the items of all pages."""
        items, cursor = await self.send(page(None))
        while cursor is not None:
            more, cursor = await self.send(page(cursor))
            items += more
        return items

    async def datasets(self) -> AsyncIterator[JSON]:
        """Yield all datasets by name, each in its newest version, page by page."""
        cursor: str | None = None
        while True:
            items, cursor = await self.send(calls.dataset_page(cursor))
            for dataset in items:
                yield dataset
            if cursor is None:
                return

    async def upload_dataset(self, name: str, source: Path, progress: Progress = unnoticed) -> JSON:
        """Upload a dataset; see `Client.upload_dataset`."""
        call = calls.upload_dataset(name)
        chunks = await asyncio.to_thread(upload_chunks, source, progress)

        async def content() -> AsyncIterator[bytes]:
            while chunk := await asyncio.to_thread(next, chunks, b""):
                yield chunk

        with transport_errors(self._http.base_url):
            response = await self._http.request(call.method, call.path, headers=dict(call.headers), content=content())
        return call.answer(response)

    async def watch(
        self, study_id: str, interval: float = 1.0, *, stop_when_paused: bool = False
    ) -> AsyncIterator[JSON]:
        """Yield the study every ``interval`` seconds until its state is final; see `Client.watch`."""
        while True:
            study = await self.study(study_id)
            yield study
            if is_over(study, stop_when_paused=stop_when_paused):
                return
            await asyncio.sleep(interval)

    async def wait(self, study_id: str, interval: float = 1.0, *, stop_when_paused: bool = False) -> JSON:
        """Return the study as soon as its state is final; see `Client.watch`."""
        async for study in self.watch(study_id, interval, stop_when_paused=stop_when_paused):
            last = study
        return last

    async def download_model(self, study_id: str, target: Path) -> Path:
        """Fetch the bundle and unpack it as the folder ``target``; see `Client.download_model`."""
        call = calls.model(study_id)
        with receiving(target) as download:
            with transport_errors(self._http.base_url):
                async with self._http.stream(call.method, call.path, **call.options) as response:
                    if response.is_error:
                        await response.aread()
                    call.answer(response)
                    async for chunk in response.aiter_bytes():
                        download.write(chunk)
            return await asyncio.to_thread(download.finish, response.headers.get("etag"))

"""A client of a running service; its errors are those of the error tree."""

import hashlib
import re
import stat
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

import httpx

from taskgraft.api.problems import error_of
from taskgraft.errors import Conflict, Unavailable
from taskgraft.search.study import State

JSON = dict[str, Any]

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,254}")
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


class Client:
    """One service. Every method may raise the error of `taskgraft.errors` that the service answers with.

    That is `Unavailable` where the service cannot be reached or answers what is none of its own.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            self._http = httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT)
        except httpx.InvalidURL as error:
            raise Unavailable(f"{url!r} is no URL of a service: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def create_study(self, spec: Mapping[str, Any], *, idempotency_key: str | None = None) -> JSON:
        """Queue a study, given as plain data; the same key with the same data gives the first study again."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self._json("POST", "/v1/studies", json=spec, headers=headers)

    def plan(self, spec: Mapping[str, Any]) -> JSON:
        """What a study would cost; nothing is queued."""
        return self._json("POST", "/v1/studies", json=spec, params={"dry_run": True})

    def study(self, study_id: str) -> JSON:
        """One study."""
        return self._json("GET", _path(study_id))

    def studies(self, state: str | None = None) -> Iterator[JSON]:
        """All studies, newest first, page by page."""
        cursor: str | None = None
        while True:
            wanted = {"state": state, "cursor": cursor}
            page = self._json("GET", "/v1/studies", params={key: value for key, value in wanted.items() if value})
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def cancel(self, study_id: str) -> JSON:
        """Stop a study for good."""
        return self._json("POST", _path(study_id, "cancel"))

    def pause(self, study_id: str) -> JSON:
        """Stop a study for now."""
        return self._json("POST", _path(study_id, "pause"))

    def resume(self, study_id: str) -> JSON:
        """Go on with a paused study."""
        return self._json("POST", _path(study_id, "resume"))

    def delete(self, study_id: str) -> None:
        """Forget a study, its trials and its model."""
        self._request("DELETE", _path(study_id))

    def trials(self, study_id: str) -> list[JSON]:
        """Every training that ended."""
        items: list[JSON] = self._json("GET", _path(study_id, "trials"))["items"]
        return items

    def matrix(self, study_id: str) -> JSON:
        """The reduction matrix as far as it is known."""
        return self._json("GET", _path(study_id, "matrix"))

    def tree(self, study_id: str, ar_threshold: float | None = None) -> JSON:
        """The study's tree; at another threshold, the one that the stored matrix gives."""
        return self._json("GET", _path(study_id, "tree"), params=_tree_query(ar_threshold, "json"))

    def tree_svg(self, study_id: str, ar_threshold: float | None = None) -> str:
        """The same as a picture."""
        return self._request("GET", _path(study_id, "tree"), params=_tree_query(ar_threshold, "svg")).text

    def artifacts(self, study_id: str) -> list[JSON]:
        """The files of the bundle."""
        items: list[JSON] = self._json("GET", _path(study_id, "artifacts"))["items"]
        return items

    def watch(self, study_id: str, interval: float = 1.0) -> Iterator[JSON]:
        """The study every ``interval`` seconds, until its state is final; that one is the last."""
        while True:
            study = self.study(study_id)
            yield study
            if State(study["state"]).is_final:
                return
            time.sleep(interval)

    def wait(self, study_id: str, interval: float = 1.0) -> JSON:
        """The study once its state is final."""
        *_, last = self.watch(study_id, interval)
        return last

    def download_model(self, study_id: str, target: Path) -> Path:
        """Fetch the bundle, check its SHA-256, unpack it as the folder ``target``, which appears whole or not at all.

        Raises:
            Conflict: ``target`` is there already.
            Unavailable: the bytes do not have the announced SHA-256, the archive is not safe to unpack, or the disk
                does not do its part.
        """
        with _disk_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                raise Conflict(f"{target} is there already")
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as temporary:
                archive, folder = Path(temporary, "bundle.zip"), Path(temporary, "bundle")
                self._download(_path(study_id, "model"), archive)
                _unpack(archive, folder)
                folder.rename(target)
        return target

    def _download(self, path: str, target: Path) -> None:
        digest = hashlib.sha256()
        with self._translated(), self._http.stream("GET", path) as answer:
            if answer.is_error:
                answer.read()
                raise error_of(answer.status_code, answer.text)
            with target.open("wb") as file:
                for chunk in answer.iter_bytes():
                    digest.update(chunk)
                    file.write(chunk)
        if answer.headers.get("etag") != f'"{digest.hexdigest()}"':
            raise Unavailable(f"the download of {path} is damaged: its SHA-256 is not the announced one")

    def _json(self, method: str, path: str, **options: Any) -> JSON:
        answer = self._request(method, path, **options)
        try:
            body: JSON = answer.json()
        except ValueError as error:
            raise Unavailable(f"{self._http.base_url} answers, but is no Taskgraft service") from error
        return body

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        with self._translated():
            answer = self._http.request(method, path, **options)
        if not answer.is_success:
            raise error_of(answer.status_code, answer.text)
        return answer

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"no answer from {self._http.base_url}: {error or type(error).__name__}") from error


def _path(study_id: str, *rest: str) -> str:
    return "/".join(("/v1/studies", _quoted(study_id), *rest))


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _tree_query(ar_threshold: float | None, form: Literal["json", "svg"]) -> dict[str, Any]:
    query: dict[str, Any] = {"format": form}
    if ar_threshold is not None:
        query["ar_threshold"] = ar_threshold
    return query


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack a flat archive of plain files.

    Raises:
        Unavailable: it holds anything but plain files with plain names.
    """
    try:
        with zipfile.ZipFile(archive) as bundle:
            for entry in bundle.infolist():
                _check_entry(entry)
            bundle.extractall(folder)
    except zipfile.BadZipFile as error:
        raise Unavailable(f"the model is no zip archive: {error}") from error


def _check_entry(entry: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or not _PLAIN_NAME.fullmatch(entry.filename):
        raise Unavailable(f"the model holds {entry.filename!r:.80}, which is no plain file")


@contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(f"{target} cannot be written: {error.strerror}") from error

"""A service that takes datasets, with the checker that a runner would have beside it."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from taskgraft.api.app import create_app
from taskgraft.api.settings import Settings
from taskgraft.search.running.checking import Checker
from taskgraft.search.store import Store
from tests.api.conftest import serving
from tests.evaluators.datasets.corpora import sound_corpus

EVENTS = [
    f"{split}-{label}.wav,0.01,0.05,call" for split in ("train", "validation", "test") for label in ("cat", "dog")
]
ZIP = {"Content-Type": "application/zip"}


@dataclass(frozen=True)
class Datasets:
    """A service, and what lies below it."""

    url: str
    http: httpx.Client
    store: Store
    settings: Settings
    checker: Checker

    @property
    def root(self) -> Path:
        """The folder whose manifests may be registered."""
        return self.settings.datasets_root[0]

    def register(self, name: str, manifest: object) -> httpx.Response:
        return self.http.post("/v1/datasets", json={"name": name, "manifest": str(manifest)})

    def upload(self, name: str, content: bytes) -> httpx.Response:
        return self.http.put(f"/v1/datasets/{name}", content=content, headers=ZIP)

    def get(self, name: str) -> dict[str, Any]:
        answer = self.http.get(f"/v1/datasets/{name}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def check(self) -> None:
        """Check all that wait."""
        while self.checker.check_next():
            pass

    def ready(self, name: str) -> dict[str, Any]:
        """A dataset that was registered and checked."""
        sound_corpus(self.root / name, EVENTS)
        assert self.register(name, f"{name}/manifest.csv").status_code == 202
        self.check()
        return self.get(name)

    def left(self) -> list[str]:
        """What lies in the folder of uploads."""
        folder = self.settings.data_dir / "datasets"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def study_of(dataset: str, **task: Any) -> dict[str, Any]:
    tasks = [{"name": "animal", "dataset": dataset, "target": "animal", **task}]
    return {"ar_threshold": 0.1, "tasks": tasks}


def errors(answer: httpx.Response) -> Mapping[str, str]:
    """The faults of a problem document by field."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return {error["field"]: error["message"] for error in answer.json().get("errors", ())}


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def dataset_service(folder: Path, **more: Any) -> Iterator[Datasets]:
    """A service with a root ``data`` below ``folder``."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    settings = replace(Settings(data_dir=folder / "service", datasets_root=(folder / "data",)), **more)
    settings.data_dir.mkdir(exist_ok=True)
    with (
        serving(create_app(settings)) as url,
        Store(settings.database_url) as store,
        httpx.Client(base_url=url, timeout=30) as http,
    ):
        yield Datasets(url, http, store, settings, Checker(store, settings.data_dir, "checker"))

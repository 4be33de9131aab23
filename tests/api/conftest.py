"""A real server over a real store, with a corpus of a few clips: what every test of the HTTP door talks to."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
import uvicorn
from fastapi import FastAPI

from taskgraft.api.app import create_app
from taskgraft.api.connections import server_config
from taskgraft.api.middleware import tokens
from taskgraft.api.settings import Settings
from taskgraft.evaluators.datasets.demo_speech import MANIFEST_NAME, RECIPE
from taskgraft.evaluators.measurement import Measurement, Outcomes
from taskgraft.search.running.artifacts import artifacts_dir
from taskgraft.search.store import Store
from taskgraft.search.study.preparation import prepare, to_facts
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage
from taskgraft.search.study.study import Study
from taskgraft.search.study.token import Scope
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.store.samples import record

CLIPS = 100
DEPTH = 8
LEASE = 60.0


def body(**changes: Any) -> dict[str, Any]:
    """A study as a user posts it."""
    tasks = [{"name": name, "dataset": "demo-speech", "target": name} for name in ("gender", "word", "age_group")]
    return {
        "name": "speaker",
        "ar_threshold": 0.1,
        "tasks": tasks,
        "depths": [4, 6, 8],
        "training": {"epochs": 30},
        **changes,
    }


@dataclass(frozen=True)
class Api:
    """A service that runs: how to reach it, and what lies below it."""

    url: str
    http: httpx.Client
    store: Store
    settings: Settings

    def post(self, **changes: Any) -> str:
        """Queue a study; its id."""
        answer = self.http.post("/v1/studies", json=body(**changes))
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def run(self, study_id: str, stage: Stage) -> Study:
        """Have a runner hold the study at ``stage``; it has found the tasks' classes."""
        held = self.store.acquire_study(study_id, "runner", LEASE)
        tasks = prepare(held.study.spec, data_dir=self.settings.data_dir).tasks
        self.store.set_facts(held.lease, {"tasks": to_facts(tasks)})
        self.store.renew(held.lease, LEASE, stage=stage)
        return held.study

    def record(
        self, study_id: str, tree: BranchTree, right: Mapping[str, int], repeat: int = 0, epochs: int | None = None
    ) -> None:
        """Keep a training in which each task got so many of its 100 clips right."""
        training = Training(tree, repeat, epochs=epochs)
        record(self.store, study_id, training, measurement(right), seed=7, value=0.0)

    def record_pairs(self, study_id: str, right: Mapping[tuple[str, str, int], int]) -> None:
        """Baselines that get 80 clips right, and pairs of which the second task gets as many as ``right`` says."""
        for task in StudySpec.parse(body()).task_names:
            self.record(study_id, BranchTree.flat([task], DEPTH, DEPTH), {task: 80})
        for (first, second, depth), hits in right.items():
            self.record(study_id, BranchTree.flat([first, second], depth, DEPTH), {first: 80, second: hits})

    def offer(self, study_id: str, files: Mapping[str, bytes]) -> Path:
        """Put files where the export puts them."""
        folder = artifacts_dir(self.settings.data_dir, study_id)
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return folder


def measurement(right: Mapping[str, int]) -> Measurement:
    """A training in which each task got so many of its 100 clips right."""
    return Measurement(
        metrics={task: hits / CLIPS for task, hits in right.items()},
        outcomes={task: _outcomes(hits) for task, hits in right.items()},
        steps=10,
        best_step=5,
        seconds=1.5,
        worker="here",
    )


def _outcomes(right: int) -> Outcomes:
    clips = np.arange(CLIPS, dtype=np.int32)
    truth = clips % 2
    predicted = np.where(clips < right, truth, 1 - truth).astype(np.int32)
    return Outcomes.of_classes(clips, truth, predicted, np.ones(CLIPS, np.int32))


def write_corpus(data_dir: Path) -> None:
    """The demo corpus in name, with two dozen clips of noise: nobody trains here."""
    folder = data_dir / "corpora" / f"demo-speech-{RECIPE}"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    lines = ["path,split,gender,age_group,word"]
    for place in range(24):
        soundfile.write(folder / f"{place}.wav", generator.uniform(-0.1, 0.1, 4_000), 16_000)
        split = ("train", "train", "validation", "test")[place // 2 % 4]
        lines.append(f"{place}.wav,{split},{'fm'[place % 2]},{['young', 'old'][place % 2]},{['yes', 'no'][place % 2]}")
    (folder / "segments.csv").write_text(
        "path,onset,offset,event\n" + "".join(f"{i}.wav,0.05,0.15,speech\n" for i in range(24))
    )
    (folder / MANIFEST_NAME).write_text("\n".join(lines) + "\n")


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The URL of ``app``, served by a thread on a free port."""
    settings = getattr(app.state, "settings", Settings())
    server = uvicorn.Server(server_config(app, settings, port=0, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def serving_with_tokens(settings: Settings) -> Iterator[Api]:
    """Serve with tokens that count at once: they are looked up for each request."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "_KEPT_SECONDS", 0.0)
        with serving(create_app(settings)) as url, Store(settings.database_url) as store:
            store.tokens.create("first", Scope.ADMIN)
            with httpx.Client(base_url=url) as http:
                yield Api(url, http, store, settings)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A data folder with a space in its name, and the corpus in it."""
    data_dir = tmp_path_factory.mktemp("data") / "my data"
    write_corpus(data_dir)
    return Settings(data_dir=data_dir)


@pytest.fixture(scope="module")
def app(settings: Settings) -> FastAPI:
    return create_app(settings)


@pytest.fixture(scope="module")
def api(app: FastAPI, settings: Settings) -> Iterator[Api]:
    """A running service without a runner."""
    with serving(app) as url, Store(settings.database_url) as store, httpx.Client(base_url=url) as http:
        yield Api(url, http, store, settings)

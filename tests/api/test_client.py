"""The client against a real service, and against one that lies."""

import io
import stat
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from fastapi import FastAPI, Response

from taskgraft.api.client import Client
from taskgraft.errors import Conflict, InvalidInput, NotFound, TaskgraftError, Unavailable
from taskgraft.search.study import Stage, State
from taskgraft.space.tree import BranchTree
from tests.api.conftest import DEPTH, Api, body, serving

FILES = {"model.onnx": b"\x00" * 200_000, "metrics.json": b"{}"}


@pytest.fixture(scope="module")
def client(api: Api) -> Iterator[Client]:
    with Client(api.url, token="unused") as client:
        yield client


def test_a_study_from_queue_to_grave(client: Client) -> None:
    study = client.create_study(body(name="mine"))
    assert client.study(study["id"]) == study
    assert study["id"] in [one["id"] for one in client.studies("queued")]
    assert client.pause(study["id"])["state"] == "paused"
    assert client.resume(study["id"])["state"] == "queued"
    assert client.cancel(study["id"])["state"] == "cancelled"
    client.delete(study["id"])
    with pytest.raises(NotFound, match=study["id"]):
        client.study(study["id"])


def test_an_idempotency_key_gives_the_same_study(client: Client) -> None:
    first, again = (client.create_study(body(), idempotency_key="key") for _ in range(2))
    assert first["id"] == again["id"]


def test_a_plan_queues_nothing(client: Client) -> None:
    before = list(client.studies())
    assert client.plan(body())
    assert list(client.studies()) == before


def test_all_pages_are_read(api: Api, client: Client) -> None:
    posted = {api.post() for _ in range(60)}
    listed = [study["id"] for study in client.studies()]
    assert posted <= set(listed)
    assert len(listed) == len(set(listed))


def test_results_are_read(api: Api, client: Client) -> None:
    study_id = api.post(tasks=body()["tasks"][:1])
    api.record(study_id, BranchTree.flat(["gender"], DEPTH, DEPTH), {"gender": 80})
    assert [trial["tasks"] for trial in client.trials(study_id)] == [["gender"]]
    assert client.matrix(study_id)["tasks"] == ["gender"]
    assert client.tree(study_id)["ar_threshold"] == 0.1
    assert client.tree(study_id, 0.5)["ar_threshold"] == 0.5
    assert "<svg" in client.tree_svg(study_id, 0.5)


def test_problems_are_the_errors_that_they_were(api: Api, client: Client) -> None:
    with pytest.raises(InvalidInput) as invalid:
        client.create_study({"ar_threshold": 2})
    assert [fault.where for fault in invalid.value.faults] == ["ar_threshold", "tasks"]
    with pytest.raises(Conflict, match="queued"):
        client.resume(api.post())
    with pytest.raises(NotFound):
        client.cancel("../templates")


def test_watching_ends_with_the_final_state(api: Api, client: Client) -> None:
    study_id = api.post()

    def run() -> None:
        api.run(study_id, Stage.PAIRS)
        time.sleep(0.1)
        api.store.finish(study_id, "runner", State.FAILED, reason="no more clips")

    states: list[str] = []
    runner = threading.Thread(target=run)
    for study in client.watch(study_id, interval=0.01):
        if not states:
            runner.start()
        states.append(study["state"])
    runner.join()
    assert (states[0], states[-1]) == ("queued", "failed")
    assert client.wait(study_id)["reason"] == "no more clips"


def test_a_model_is_downloaded_whole(api: Api, client: Client, tmp_path: Path) -> None:
    study_id = api.post()
    api.offer(study_id, FILES)
    assert [file["name"] for file in client.artifacts(study_id)] == sorted(FILES)
    target = client.download_model(study_id, tmp_path / "new folder" / "bundle")
    assert {path.name: path.read_bytes() for path in target.iterdir()} == FILES
    assert list(target.parent.iterdir()) == [target]


def test_a_download_replaces_nothing(api: Api, client: Client, tmp_path: Path) -> None:
    study_id = api.post()
    api.offer(study_id, FILES)
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(Conflict, match="mine"):
        client.download_model(study_id, tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "precious"


def test_a_download_that_cannot_be_written_says_so(client: Client, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="bundle"):
        client.download_model("x", tmp_path / "file" / "bundle")


def test_a_model_that_is_not_there_leaves_nothing(api: Api, client: Client, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no model yet"):
        client.download_model(api.post(), tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


@contextmanager
def offering(content: bytes, etag: str | None = None) -> Iterator[Client]:
    """A client of a service that offers ``content`` as every model."""
    app = FastAPI()

    @app.get("/v1/studies/{study_id}/model")
    def model(study_id: str) -> Response:
        return Response(content, headers={"ETag": etag or f'"{sha256(content).hexdigest()}"'})

    with serving(app) as url, Client(url) as client:
        yield client


def archive(name: str, mode: int = 0) -> bytes:
    """A zip with one entry."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        bundle.writestr(entry, "/etc/passwd")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"no zip",
        archive("../evil"),
        archive("/evil"),
        archive("inner/evil"),
        archive("inner\\evil"),
        archive("inner/"),
        archive(".."),
        archive("C:evil"),
        archive("link", stat.S_IFLNK | 0o777),
        archive("device", stat.S_IFCHR | 0o666),
    ],
)
def test_an_archive_that_is_not_safe_is_not_unpacked(content: bytes, tmp_path: Path) -> None:
    with offering(content) as client, pytest.raises(Unavailable):
        client.download_model("x", tmp_path / "inside" / "bundle")
    assert [path for path in tmp_path.rglob("*") if path.name != "inside"] == []


def test_damaged_bytes_are_not_kept(tmp_path: Path) -> None:
    with offering(archive("model.onnx"), etag='"0123"') as client, pytest.raises(Unavailable, match="SHA-256"):
        client.download_model("x", tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_service_that_is_none_is_unavailable() -> None:
    app = FastAPI()

    @app.get("/v1/studies/x")
    def page() -> Response:
        return Response("<html>hello</html>", media_type="text/html")

    with serving(app) as url, Client(url) as client, pytest.raises(Unavailable, match="no Taskgraft service"):
        client.study("x")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9", "http://no.such.host.invalid", "127.0.0.1:9", "", "http://[", "http://a:b"]
)
def test_a_service_that_is_not_there_is_unavailable(url: str) -> None:
    with pytest.raises(TaskgraftError), Client(url) as client:
        client.study("x")

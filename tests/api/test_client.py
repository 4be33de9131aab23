"""Both clients against a real service, and against one that lies: one suite, so that they cannot differ."""

import asyncio
import inspect
import io
import stat
import threading
import time
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI, Response

from taskgraft.api.client import AsyncClient, Client
from taskgraft.errors import Conflict, InvalidInput, NotFound, TaskgraftError, Unavailable
from taskgraft.search.study.states import Stage, State
from taskgraft.space.synthesis import synthesize
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.api.conftest import DEPTH, Api, body, serving
from tests.search.store.samples import lease_of

FILES = {"model.onnx": b"\x00" * 200_000, "metrics.json": b"{}"}


Connect = Callable[..., AbstractContextManager[Client]]
"""Makes a client of the service at a URL."""


class _Driven:
    """An `AsyncClient` whose methods are awaited by a loop of their own, so that it looks like a `Client`."""

    def __init__(self, client: AsyncClient, runner: asyncio.Runner) -> None:
        self._client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*args: Any, **options: Any) -> Any:
            started = method(*args, **options)
            return self._iterate(started) if inspect.isasyncgen(started) else self._await(started)

        return call

    def _iterate(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        while True:
            try:
                yield self._await(anext(items))
            except StopAsyncIteration:
                return

    def _await(self, awaitable: Awaitable[Any]) -> Any:
        async def answer() -> Any:
            return await awaitable

        return self._runner.run(answer())


@contextmanager
def async_client(url: str, token: str | None = None) -> Iterator[Client]:
    with asyncio.Runner() as runner:
        client = AsyncClient(url, token)
        yield cast(Client, _Driven(client, runner))
        runner.run(client.aclose())


@pytest.fixture(scope="module", params=[Client, async_client], ids=["blocking", "async"])
def connect(request: pytest.FixtureRequest) -> Connect:
    connect: Connect = request.param
    return connect


@pytest.fixture(scope="module")
def client(api: Api, connect: Connect) -> Iterator[Client]:
    with connect(api.url, token="unused") as client:
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
    first, again = (client.create_study(body(), idempotency_key="a key") for _ in range(2))
    assert first["id"] == again["id"]


def test_a_tree_at_another_threshold_is_a_study(api: Api, client: Client) -> None:
    study = client.create_study(body())
    with pytest.raises(Conflict, match="is queued"):
        client.create_tree(study["id"], 0.05)
    api.store.pause_study(study["id"])
    child = client.create_tree(study["id"], 0.05, idempotency_key="a tree")
    assert (child["parent"], child["spec"]["ar_threshold"]) == (study["id"], 0.05)
    assert client.create_tree(study["id"], 0.05, idempotency_key="a tree")["id"] == child["id"]
    for known in (child, study):
        client.delete(known["id"])


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
    assert client.matrix_csv(study_id).startswith("task_a,")
    assert client.tree(study_id)["ar_threshold"] == 0.1
    assert client.tree(study_id, 0.5)["ar_threshold"] == 0.5
    assert "<svg" in client.tree_svg(study_id, 0.5)


def test_the_matrix_as_a_value_makes_the_tree_that_the_service_makes(api: Api, client: Client) -> None:
    study_id = api.post()
    pairs = {("gender", "word"): 79, ("gender", "age_group"): 60, ("word", "age_group"): 78}
    api.record_pairs(study_id, {(*pair, 8): right for pair, right in pairs.items()})
    api.run(study_id, Stage.VERIFICATION)
    matrix = client.reduction_matrix(study_id)
    assert matrix.to_csv() == client.matrix_csv(study_id)
    assert synthesize(matrix, 0.3, get_template("cnn8")).to_json() == client.tree(study_id, 0.3)["root"]


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
        api.store.finish(lease_of(api.store, study_id), State.FAILED, reason="no more clips")

    states: list[str] = []
    runner = threading.Thread(target=run)
    for study in client.watch(study_id, interval=0.01):
        if not states:
            runner.start()
        states.append(study["state"])
    runner.join()
    assert (states[0], states[-1]) == ("queued", "failed")
    assert client.wait(study_id)["reason"] == "no more clips"


def test_waiting_may_end_with_a_pause(api: Api, client: Client) -> None:
    study_id = api.post()
    client.pause(study_id)
    assert client.wait(study_id, stop_when_paused=True)["state"] == "paused"


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
def offering(connect: Connect, content: bytes, etag: str | None = None) -> Iterator[Client]:
    """A client of a service that offers ``content`` as every model."""
    app = FastAPI()

    @app.get("/v1/studies/{study_id}/model")
    def model(study_id: str) -> Response:
        return Response(content, headers={"ETag": etag or f'"{sha256(content).hexdigest()}"'})

    with serving(app) as url, connect(url) as client:
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
def test_an_archive_that_is_not_safe_is_not_unpacked(connect: Connect, content: bytes, tmp_path: Path) -> None:
    with offering(connect, content) as client, pytest.raises(Unavailable):
        client.download_model("x", tmp_path / "inside" / "bundle")
    assert [path for path in tmp_path.rglob("*") if path.name != "inside"] == []


def test_damaged_bytes_are_not_kept(connect: Connect, tmp_path: Path) -> None:
    with offering(connect, archive("model.onnx"), etag='"0123"') as client, pytest.raises(Unavailable, match="SHA-256"):
        client.download_model("x", tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["<html>hello</html>", "[]", '"text"', "{}"])
def test_a_response_that_is_not_taskgrafts_is_told(connect: Connect, content: str) -> None:
    app = FastAPI()

    @app.get("/{path:path}")
    def page(path: str) -> Response:
        return Response(content, media_type="text/html")

    with serving(app) as url, connect(url) as client:
        asked: list[Callable[[], Any]] = [
            lambda: client.trials("x"),
            lambda: client.reduction_matrix("x"),
            lambda: next(client.studies()),
        ]
        for ask in asked:
            with pytest.raises(Unavailable, match=f"{url} responds, but not as a Taskgraft service does"):
                ask()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9", "http://no.such.host.invalid", "127.0.0.1:9", "", "http://[", "http://a:b"]
)
def test_a_service_that_is_not_there_is_unavailable(connect: Connect, url: str) -> None:
    with pytest.raises(TaskgraftError), connect(url) as client:
        client.study("x")


def test_a_client_closes_its_connections(api: Api) -> None:
    async def ask() -> AsyncClient:
        async with AsyncClient(api.url) as client:
            await client.plan(body())
            return client

    with Client(api.url) as blocking:
        blocking.plan(body())
    with pytest.raises(RuntimeError, match="closed"):
        blocking.study("x")
    with pytest.raises(RuntimeError, match="closed"):
        asyncio.run(asyncio.run(ask()).study("x"))


def test_both_clients_have_the_same_methods_with_the_same_arguments() -> None:
    blocking, concurrent = Client("http://127.0.0.1:9"), AsyncClient("http://127.0.0.1:9")
    names = {name for name in dir(blocking) if not name.startswith("_")}
    assert {"aclose" if name == "close" else name for name in names} == {
        name for name in dir(concurrent) if not name.startswith("_")
    }
    for name in names - {"close"}:
        ours, theirs = (inspect.signature(getattr(client, name)) for client in (blocking, concurrent))
        assert ours.parameters == theirs.parameters, name
        assert inspect.getdoc(getattr(blocking, name)), name
    assert str(inspect.signature(blocking.pause)) == "(study_id: str) -> dict[str, typing.Any]"


def test_requests_of_an_async_client_run_at_the_same_time(api: Api) -> None:
    async def ask() -> list[Any]:
        async with AsyncClient(api.url) as client:
            ids = [study["id"] async for study in client.studies()][:8]
            return await asyncio.gather(*(client.study(study_id) for study_id in ids), client.study("none"))

    with pytest.raises(NotFound, match="none"):
        asyncio.run(ask())

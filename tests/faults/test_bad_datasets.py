"""Datasets that break rules, and surroundings that break: a clear problem each time, and nothing half-made."""

import os
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from taskgraft.api.app import create_app
from taskgraft.errors import Conflict
from taskgraft.search.running.checking import Checker
from taskgraft.search.study.dataset import Dataset
from tests.api.conftest import serving
from tests.api.datasets import EVENTS, ZIP, Datasets, dataset_service, errors, study_of, wait_until
from tests.evaluators.datasets.corpora import sound_corpus, write_lines
from tests.evaluators.datasets.zips import endless, patched, with_mode, zip_folder, zip_of

MANIFEST = {"manifest.csv": "path,split\n"}
UPLOAD_BYTES = 8 << 20


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Datasets]:
    with dataset_service(tmp_path_factory.mktemp("bad"), upload_bytes=UPLOAD_BYTES, upload_files=1_000) as service:
        yield service


@pytest.fixture(autouse=True)
def nothing_is_left(service: Datasets) -> Iterator[None]:
    yield
    wait_until(lambda: not service.left())


BOMB = zip_of({**MANIFEST, "a.wav": bytes(60_000_000)}, zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (zip_of({**MANIFEST, "../a.wav": b""}), 422, "a path stays inside"),
        (zip_of({**MANIFEST, "/etc/a.wav": b""}), 422, "a path stays inside"),
        (with_mode("a.wav", stat.S_IFLNK | 0o777), 422, "a link or a device"),
        (with_mode("a.wav", stat.S_IFCHR | 0o644), 422, "a link or a device"),
        (BOMB, 422, "unpacks to at most 100 times"),
        (endless(10_000_000), 400, "at most 1,000 entries; got 10,000,000"),
        (zip_of({**MANIFEST, "manifest.parquet": b""}), 422, "one manifest"),
        (zip_of({"a.wav": b""}), 422, "a dataset has a manifest"),
        (b"", 400, "is no zip, or was cut off"),
        (zip_of(MANIFEST)[:-4], 400, "is no zip, or was cut off"),
        (patched(zip_of(MANIFEST), 0, 8, "<H", 1), 422, "has no password"),
    ],
)
def test_a_zip_that_breaks_a_rule_is_refused_at_once(
    service: Datasets, content: bytes, status: int, message: str
) -> None:
    start = time.monotonic()
    answer = service.upload("bad", content)
    assert time.monotonic() - start < 5
    assert answer.status_code == status
    assert message in " ".join(errors(answer).values())
    assert service.http.get("/v1/datasets/bad").status_code == 404


@pytest.mark.parametrize(
    ("content", "where", "message"),
    [
        (patched(zip_of({**MANIFEST, "a.wav": b"x" * 50}), 1, 16, "<L", 7), "a.wav", "can't be unpacked: Bad CRC-32"),
        (patched(zip_of({**MANIFEST, "a.wav": bytes(99)}, 8), 1, 24, "<L", 5), "a.wav", "can't be unpacked"),
        (zip_of({"manifest.csv": "path,wört\n".encode("latin-1")}), "manifest.csv:1", "the encoding is UTF-8"),
        (zip_of({"manifest.csv": b'path\n"a.wav\n'}), "manifest.csv:2", "is no CSV"),
        (zip_of({"manifest.parquet": b"PAR1 no"}), "manifest.parquet", "is no Parquet table"),
        (zip_of({"manifest.jsonl": b"[]\n"}), "manifest.jsonl", "column 'path' is missing"),
        (zip_of({"metadata.csv": b"name\na\n"}), "metadata.csv:1", "column 'path' is missing"),
        (zip_of({**MANIFEST, "a.wav": b""}), "manifest.csv", "at least one clip"),
        (zip_of({"manifest.csv": "path,split\nx.wav,train\n"}), "manifest.csv:2", "x.wav: there is no such file"),
    ],
)
def test_what_only_the_check_can_find_breaks_the_dataset(
    service: Datasets, content: bytes, where: str, message: str
) -> None:
    assert service.upload("bad", content).status_code == 202
    service.check()
    found = service.get("bad")
    assert found["state"] == "broken"
    assert any(fault["where"] == where and message in fault["message"] for fault in found["faults"]), found["faults"]
    assert service.http.delete("/v1/datasets/bad").status_code == 204


@pytest.mark.parametrize("name", ["..", "a b", ".hidden", "x" * 65, "a%2Fb", "%00", "ä"])
def test_names_are_safe(service: Datasets, name: str) -> None:
    answer = service.http.put(f"/v1/datasets/{name}", content=zip_of(MANIFEST), headers=ZIP)
    assert answer.status_code in (404, 405, 422)
    answer = service.register(name, "zoo/manifest.csv")
    assert answer.status_code == 422


def test_a_body_of_another_type(service: Datasets) -> None:
    answer = service.http.put("/v1/datasets/bad", json={"no": "zip"})
    assert answer.status_code == 415
    assert "Content-Type: application/zip" in answer.json()["detail"]


def test_an_upload_that_announces_too_much(service: Datasets) -> None:
    with _connected(service) as connection:
        connection.sendall(_head(service, 1 << 40))
        assert b" 413 " in connection.recv(65_536)


def test_an_upload_that_is_too_large_without_saying_so(service: Datasets) -> None:
    answer = service.http.put("/v1/datasets/bad", content=iter([bytes(1 << 20)] * 9), headers=ZIP)
    assert answer.status_code == 413
    assert str(UPLOAD_BYTES) in answer.json()["detail"]


def test_an_upload_that_is_cut_off_half_way(service: Datasets) -> None:
    with _connected(service) as connection:
        connection.sendall(_head(service, 5_000_000) + bytes(2_000_000))
        wait_until(service.left)
    wait_until(lambda: not service.left())
    assert service.http.get("/v1/datasets/bad").status_code == 404


def _head(service: Datasets, length: int) -> bytes:
    host = service.url.removeprefix("http://")
    lines = ("PUT /v1/datasets/bad HTTP/1.1", f"Host: {host}", f"Content-Type: {ZIP['Content-Type']}")
    return "".join(f"{line}\r\n" for line in (*lines, f"Content-Length: {length}", "")).encode()


def _connected(service: Datasets) -> socket.socket:
    host, port = service.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def test_a_disk_that_is_full_during_an_upload(service: Datasets) -> None:
    """A limit on the size of files stands for the disk; the system refuses the same call either way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    content = zip_of({**MANIFEST, "a.wav": os.urandom(5 << 20)})
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, before[1]))
    try:
        answer = service.upload("bad", content)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert answer.status_code == 503
    assert answer.json()["detail"] == "the upload can't be kept: the disk is full"
    assert service.upload("bad", content).status_code == 202
    assert service.http.delete("/v1/datasets/bad").status_code == 204


def test_a_disk_that_is_full_when_it_is_unpacked(service: Datasets) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    content = zip_of({**MANIFEST, "a.wav": os.urandom(5 << 20)})
    assert service.upload("bad", content).status_code == 202
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, before[1]))
    try:
        service.check()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    found = service.get("bad")
    assert found["state"] == "broken"
    assert "can't be read or unpacked here, try again later" in found["faults"][0]["message"]
    assert service.upload("bad", content).json()["version"] == 2
    assert service.http.delete("/v1/datasets/bad").status_code == 204


def test_what_a_killed_service_left_is_swept_at_the_next_start(service: Datasets, tmp_path: Path) -> None:
    left = service.settings.data_dir / "datasets" / "abandoned"
    left.mkdir(parents=True)
    (left / "upload.zip").write_bytes(b"half")
    os.utime(left, (0, 0))
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom taskgraft.api.uploads import receiving\n"
        "with receiving(Path(sys.argv[1])) as upload:\n"
        "    upload.write(b'half')\n    print(1, flush=True)\n    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(service.settings.data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as alive:
        assert alive.stdout
        alive.stdout.readline()
        with serving(create_app(service.settings)):
            assert len(service.left()) == 1
            assert not left.exists()
        alive.send_signal(signal.SIGKILL)
    (half,) = (service.settings.data_dir / "datasets").iterdir()
    os.utime(half, (0, 0))
    with serving(create_app(service.settings)):
        pass


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("../outside/manifest.csv", "lies under a root"),
        ("/etc/passwd", "lies under a root"),
        ("link/manifest.csv", "lies under a root"),
        ("nowhere/manifest.csv", "does not exist"),
        ("x" * 5_000, "at most 4096"),
        ("a\0b", "lies under a root"),
        ("", "at least 1"),
    ],
)
def test_a_manifest_outside_the_roots(service: Datasets, manifest: str, message: str) -> None:
    outside = service.root.parent / "outside"
    if not outside.exists():
        sound_corpus(outside)
        (service.root / "link").symlink_to(outside)
    answer = service.register("bad", manifest)
    assert answer.status_code == 422
    assert message in errors(answer)["manifest"]


def test_a_service_without_roots_says_how_to_allow_one(tmp_path: Path) -> None:
    with dataset_service(tmp_path, datasets_root=()) as service:
        answer = service.register("zoo", "zoo/manifest.csv")
        assert answer.status_code == 422
        assert "--datasets-root" in errors(answer)["manifest"]


def test_clips_that_are_links_out_of_the_folder(service: Datasets) -> None:
    manifest = sound_corpus(service.root / "links")
    shutil.move(manifest.parent / "train-cat.wav", service.root / "elsewhere.wav")
    (manifest.parent / "train-cat.wav").symlink_to(service.root / "elsewhere.wav")
    assert service.register("links", manifest).status_code == 202
    service.check()
    assert "is a link out of it" in service.get("links")["faults"][0]["message"]


def test_a_root_that_is_removed(service: Datasets, tmp_path: Path) -> None:
    service.ready("gone")
    shutil.rmtree(service.root / "gone")
    answer = service.http.post("/v1/studies", json=study_of("gone"))
    assert answer.status_code == 422
    assert "the files of gone, version 1, are gone: " in errors(answer)["tasks.0.dataset"]
    service.ready("disallowed")
    with dataset_service(tmp_path, database_url=service.settings.database_url) as other:
        answer = other.http.post("/v1/studies", json=study_of("disallowed"))
        assert answer.status_code == 422
        assert "no longer under a root" in errors(answer)["tasks.0.dataset"]


def test_a_dataset_that_is_deleted_while_it_is_checked(service: Datasets, tmp_path: Path) -> None:
    folder = sound_corpus(tmp_path / "zoo", EVENTS).parent
    for place in range(400):
        shutil.copy(folder / "train-cat.wav", folder / f"more-{place}.wav")
    rows = [f"more-{place}.wav,train,cat" for place in range(400)]
    with (folder / "manifest.csv").open("a") as manifest:
        manifest.write("\n".join(rows))
    assert service.upload("short-lived", zip_folder(folder)).status_code == 202
    lost: list[Conflict] = []

    def check() -> None:
        try:
            service.checker.check_next()
        except Conflict as error:
            lost.append(error)

    thread = threading.Thread(target=check)
    thread.start()
    wait_until(lambda: list((service.settings.data_dir / "datasets").glob("*/files*")))
    assert service.http.delete("/v1/datasets/short-lived").status_code == 204
    thread.join()
    assert service.http.get("/v1/datasets/short-lived").status_code == 404


def test_a_checker_that_is_stopped_leaves_the_check_to_another_one(service: Datasets) -> None:
    write_lines(service.root / "later" / "manifest.csv", "path,split", "a.wav,train")
    assert service.register("later", "later").status_code == 202
    service.checker.stop()
    try:
        assert service.checker.check_next()
        assert service.get("later")["state"] == "checking"
    finally:
        service.checker._stopping.clear()
    service.check()
    assert service.get("later")["state"] == "broken"


def test_a_checker_outlives_an_unexpected_error(service: Datasets, monkeypatch: pytest.MonkeyPatch) -> None:
    sound_corpus(service.root / "outlives")
    service.register("outlives", "outlives/manifest.csv")
    acquire, calls = service.store.datasets.acquire, count()

    def failing_first(owner: str, seconds: float) -> Dataset | None:
        if next(calls) == 0:
            raise RuntimeError("can't start new thread")
        return acquire(owner, seconds)

    monkeypatch.setattr(service.store.datasets, "acquire", failing_first)
    checker = Checker(service.store, service.settings.data_dir, "another")
    checker.start()
    try:
        wait_until(lambda: service.get("outlives")["state"] == "ready")
    finally:
        checker.stop()
        checker.join()


def test_a_check_whose_process_was_killed_is_taken_up_again(service: Datasets, tmp_path: Path) -> None:
    folder = sound_corpus(tmp_path / "zoo", EVENTS).parent
    assert service.upload("taken-up", zip_folder(folder)).status_code == 202
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom taskgraft.search.running import checking\n"
        "from taskgraft.search.store import Store\n"
        "checking.check_manifest = lambda *_: os.kill(os.getpid(), 9)\n"
        "checking.Checker(Store(sys.argv[1]), Path(sys.argv[2]), 'dead', 2.0).check_next()\n"
    )
    command = [sys.executable, "-c", code, service.settings.database_url, str(service.settings.data_dir)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert service.get("taken-up")["state"] == "checking"
    wait_until(service.checker.check_next)
    found = service.get("taken-up")
    assert (found["state"], found["clips"]) == ("ready", 6)
    assert service.http.delete("/v1/datasets/taken-up").status_code == 204

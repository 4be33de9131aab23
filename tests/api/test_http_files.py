"""Artifacts and the bundle: bytes, digests, ranges, and names that lead nowhere else."""

import base64
import hashlib
import http.client
import io
import os
import zipfile
from pathlib import Path

import pytest

from taskgraft.search.running.artifacts import artifacts_dir
from tests.api.conftest import Api

MODEL = bytes(range(256)) * 40
FILES = {"model.onnx": MODEL, "metrics.json": b'{"ar": 0.01}', "README.md": b"# Model\n", "empty.txt": b""}


@pytest.fixture(scope="module")
def done(api: Api) -> str:
    """A study with files to offer, and with things beside them that are none."""
    study_id = api.post()
    folder = api.offer(study_id, FILES)
    (folder / "inner").mkdir()
    (folder / "inner" / "deep.txt").write_text("secret")
    (folder / "link.txt").symlink_to(api.settings.data_dir / "taskgraft.db")
    (folder.parent / "beside.txt").write_text("secret")
    return study_id


def test_the_list_tells_size_and_digest(api: Api, done: str) -> None:
    items = api.http.get(f"/v1/studies/{done}/artifacts").json()["items"]
    assert [item["name"] for item in items] == sorted(FILES)
    for item in items:
        content = FILES[item["name"]]
        assert item["bytes"] == len(content)
        assert item["sha256"] == hashlib.sha256(content).hexdigest()
        assert api.http.get(item["href"]).content == content


def test_a_study_without_files_has_an_empty_list_and_no_model(api: Api) -> None:
    study_id = api.post()
    assert api.http.get(f"/v1/studies/{study_id}/artifacts").json() == {"items": []}
    answer = api.http.get(f"/v1/studies/{study_id}/model")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_a_file_comes_with_its_digest_and_length(api: Api, done: str) -> None:
    answer = api.http.get(f"/v1/studies/{done}/artifacts/model.onnx")
    digest = hashlib.sha256(MODEL)
    assert answer.content == MODEL
    assert answer.headers["etag"] == f'"{digest.hexdigest()}"'
    assert answer.headers["content-length"] == str(len(MODEL))
    assert answer.headers["repr-digest"] == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    assert answer.headers["content-disposition"] == 'attachment; filename="model.onnx"'


def test_a_head_request_tells_the_same_without_the_bytes(api: Api, done: str) -> None:
    for path in (f"/v1/studies/{done}/artifacts/model.onnx", f"/v1/studies/{done}/model"):
        head, get = api.http.head(path), api.http.get(path)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("etag", "content-length", "repr-digest"):
            assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-9", 0, 9), ("bytes=100-", 100, 10239), ("bytes=-5", 10235, 10239), ("bytes=10000-99999", 10000, 10239)],
)
def test_a_range_is_that_part_of_the_file(api: Api, done: str, asked: str, first: int, last: int) -> None:
    answer = api.http.get(f"/v1/studies/{done}/artifacts/model.onnx", headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == MODEL[first : last + 1]
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(MODEL)}"


def test_a_download_goes_on_where_it_stopped_only_while_the_file_is_the_same(api: Api, done: str) -> None:
    path = f"/v1/studies/{done}/artifacts/model.onnx"
    etag = api.http.get(path).headers["etag"]
    same = api.http.get(path, headers={"Range": "bytes=100-", "If-Range": etag})
    other = api.http.get(path, headers={"Range": "bytes=99999-", "If-Range": '"another"'})
    assert (same.status_code, same.content) == (206, MODEL[100:])
    assert (other.status_code, other.content) == (200, MODEL)


@pytest.mark.parametrize("name", ["model.onnx", "empty.txt"])
def test_a_range_outside_the_file_cannot_be_given(api: Api, done: str, name: str) -> None:
    answer = api.http.get(f"/v1/studies/{done}/artifacts/{name}", headers={"Range": "bytes=20000-"})
    assert (answer.status_code, answer.headers["content-type"]) == (416, "application/problem+json")
    assert answer.headers["content-range"] == f"bytes */{len(FILES[name])}"


@pytest.mark.parametrize("asked", ["bytes=9-1", "bytes=a-b", "bytes=-", "rows=1-2", "bytes=0-9999999999999999999999"])
def test_a_range_that_is_none_is_malformed(api: Api, done: str, asked: str) -> None:
    answer = api.http.get(f"/v1/studies/{done}/artifacts/model.onnx", headers={"Range": asked})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


@pytest.mark.parametrize("known", ['"{digest}"', 'W/"{digest}"', '"other", "{digest}"', "*"])
def test_what_the_client_has_is_not_sent_again(api: Api, done: str, known: str) -> None:
    known = known.format(digest=hashlib.sha256(MODEL).hexdigest())
    answer = api.http.get(f"/v1/studies/{done}/artifacts/model.onnx", headers={"If-None-Match": known})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == f'"{hashlib.sha256(MODEL).hexdigest()}"'


def test_what_has_changed_is_sent(api: Api, done: str) -> None:
    answer = api.http.get(f"/v1/studies/{done}/artifacts/model.onnx", headers={"If-None-Match": '"old"'})
    assert answer.content == MODEL


@pytest.mark.parametrize(
    "name",
    [
        "..%2Fbeside.txt",
        "%2e%2e%2Fbeside.txt",
        "..%5Cbeside.txt",
        "..",
        ".",
        "%2Fetc%2Fpasswd",
        "inner",
        "inner%2Fdeep.txt",
        "link.txt",
        "model.onnx%00",
        "model.onnx%00.txt",
        "MODEL.ONNX",
        "model.onnx%20",
        "nothing.bin",
        "a" * 4000,
    ],
)
def test_only_names_of_the_list_are_found(api: Api, done: str, name: str) -> None:
    # Not through httpx, which would tidy the path up.
    connection = http.client.HTTPConnection(api.http.base_url.host, api.http.base_url.port)
    connection.request("GET", f"/v1/studies/{done}/artifacts/{name}")
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert b"secret" not in content


def test_the_bundle_is_a_zip_of_all_files(api: Api, done: str) -> None:
    answer = api.http.get(f"/v1/studies/{done}/model")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="speaker.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
        assert {name: bundle.read(name) for name in bundle.namelist()} == FILES
        assert bundle.testzip() is None
    assert answer.headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    known = {"If-None-Match": answer.headers["etag"]}
    assert api.http.get(f"/v1/studies/{done}/model", headers=known).status_code == 304
    part = api.http.get(f"/v1/studies/{done}/model", headers={"Range": "bytes=0-1"})
    assert (part.status_code, part.content) == (206, b"PK")


def test_equal_files_give_equal_bundles(api: Api) -> None:
    bundles: list[bytes] = []
    for order in (FILES, dict(reversed(FILES.items()))):
        study_id = api.post()
        folder = api.offer(study_id, order)
        for path in folder.iterdir():
            os.utime(path, (len(bundles) * 1e8, len(bundles) * 1e8))
        bundles.append(api.http.get(f"/v1/studies/{study_id}/model").content)
    assert bundles[0] == bundles[1]


def test_an_export_that_is_repeated_gives_a_new_bundle(api: Api) -> None:
    study_id = api.post()
    folder = api.offer(study_id, {"metrics.json": b"1"})
    first = api.http.get(f"/v1/studies/{study_id}/model").headers["etag"]
    (folder / "metrics.json").unlink()
    folder.rmdir()
    api.offer(study_id, {"metrics.json": b"2"})
    assert api.http.get(f"/v1/studies/{study_id}/model").headers["etag"] != first


def test_no_temporary_file_is_left_behind(api: Api, done: str) -> None:
    api.http.get(f"/v1/studies/{done}/model")
    folder: Path = artifacts_dir(api.settings.data_dir, done)
    assert not [path.name for path in folder.parent.iterdir() if path.name.startswith(".")]

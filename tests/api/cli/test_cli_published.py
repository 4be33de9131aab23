"""`datasets add`, `list`, `show`, `remove`, and `submit` of a study that names manifests by path."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from taskgraft.api.client import AsyncClient, Client
from taskgraft.errors import InvalidInput, NotFound
from tests.api.cli.commands import taskgraft, write
from tests.api.datasets import EVENTS, Datasets, dataset_service, study_of
from tests.evaluators.datasets.corpora import sound_corpus, write_tone
from tests.evaluators.datasets.zips import zip_folder


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Datasets]:
    with dataset_service(tmp_path_factory.mktemp("published")) as service:
        yield service


@pytest.fixture(autouse=True)
def _service_by_environment(service: Datasets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKGRAFT_URL", service.url)


def test_a_manifest_under_a_root_is_registered(service: Datasets) -> None:
    manifest = sound_corpus(service.root / "near", EVENTS)
    said = taskgraft("datasets", "add", "near", manifest)
    assert (said.code, said.out) == (0, "dataset near, version 1: checking, registered\n")
    service.check()
    assert taskgraft("datasets", "add", "near", manifest, "--wait").out.endswith("ready, registered, 6 clips\n")
    shown = taskgraft("datasets", "show", "near")
    assert [line.split() for line in shown.out.splitlines() if "cat" in line] == [["│", "cat", *["│", "1"] * 3, "│"]]
    assert "call: sounds in clips of 2 train, 2 validation, 2 test" in shown.out


def test_other_manifests_are_uploaded_and_not_twice(service: Datasets, tmp_path: Path) -> None:
    manifest = sound_corpus(tmp_path / "far", EVENTS)
    said = taskgraft("datasets", "add", "far", manifest)
    assert (said.code, said.out) == (0, "dataset far, version 1: checking, uploaded\n")
    assert "uploading" in said.err
    assert "uploading" in taskgraft("datasets", "add", "far", manifest).err  # nobody knows yet that it is the same
    service.check()
    again = taskgraft("datasets", "add", "far", manifest.parent, "--json")
    assert (again.document["version"], again.document["state"], "uploading" in again.err) == (1, "ready", False)
    write_tone(manifest.parent / "train-cat.wav", hertz=333)
    assert taskgraft("datasets", "add", "far", manifest, "--json").document["version"] == 2
    zipped = tmp_path / "far.zip"
    zipped.write_bytes(zip_folder(manifest.parent, "far/"))
    assert taskgraft("datasets", "add", "far", zipped, "--json").document["version"] == 2
    service.check()
    listed = taskgraft("datasets", "list", "--json").document
    assert {"demo-speech", "far"} <= {dataset["name"] for dataset in listed}
    assert "far" in taskgraft("datasets", "list").out
    assert taskgraft("datasets", "remove", "far", "--json").document == {"deleted": "far"}
    gone = taskgraft("datasets", "show", "far", "--json")
    assert (gone.code, gone.document["errors"][0]["message"]) == (2, "there is no dataset 'far'")


def test_faults_end_with_exit_code_two(service: Datasets, tmp_path: Path) -> None:
    missing = taskgraft("datasets", "add", "bad", tmp_path / "none.csv")
    assert (missing.code, missing.err) == (2, f"error: none.csv: does not exist: {tmp_path}/none.csv\n")
    manifest = sound_corpus(tmp_path / "bad")
    (manifest.parent / "test-cat.wav").write_bytes(b"no sound")
    assert taskgraft("datasets", "add", "bad", manifest).code == 0
    service.check()
    shown = taskgraft("datasets", "show", "bad")
    assert "error: manifest.csv:6: test-cat.wav: is no readable recording" in shown.err
    (line,) = [line for line in taskgraft("datasets", "list").out.splitlines() if " bad " in line]
    assert " broken " in line
    with manifest.open("a") as file:
        file.writelines(f"{place}.wav,monday,cat\n" for place in range(150))
    refused = taskgraft("datasets", "add", "bad", manifest)
    assert refused.code == 2
    assert refused.err.count("error:") == 101
    assert refused.err.endswith("error: and 50 more\n")


def test_a_study_is_submitted_with_its_manifests(service: Datasets, tmp_path: Path) -> None:
    sound_corpus(tmp_path / "My farm!", EVENTS)
    sound_corpus(tmp_path / "other" / "My farm!", EVENTS)
    tasks = [
        {"name": "animal", "dataset": "My farm!/manifest.csv", "target": "animal"},
        {"name": "call", "dataset": "My farm!/", "target": "call", "kind": "frames"},
        {"name": "other", "dataset": "other/My farm!/manifest.csv", "target": "animal"},
        {"name": "gender", "dataset": "demo-speech", "target": "gender"},
    ]
    study = write(tmp_path / "study.yaml", yaml.safe_dump({"ar_threshold": 0.1, "tasks": tasks}))
    said = taskgraft("submit", study, "--json")
    assert said.code == 0, said.err
    names = [task["dataset"] for task in said.document["spec"]["tasks"]]
    assert names == ["My-farm", "My-farm", "My-farm-2", "demo-speech"]
    assert said.document["datasets"] == {"My-farm": 1, "My-farm-2": 1}
    assert "dataset My-farm-2, version 1: checking, uploaded" in said.err
    service.check()
    again = taskgraft("submit", study, "--json")
    assert again.document["datasets"] == {"My-farm": 1, "My-farm-2": 1}
    tasks[0]["dataset"], tasks[2]["dataset"] = "nowhere/manifest.csv", "none.csv"
    refused = taskgraft("submit", write(study, yaml.safe_dump({"ar_threshold": 0.1, "tasks": tasks})), "--json")
    assert refused.code == 2
    assert [error["field"] for error in refused.document["errors"]] == ["tasks.0.dataset", "tasks.2.dataset"]
    assert "does not exist" in refused.document["errors"][0]["message"]


def test_both_clients_have_every_call(service: Datasets, tmp_path: Path) -> None:
    manifest = sound_corpus(tmp_path / "two", EVENTS)
    seen: list[tuple[int, int]] = []
    with Client(service.url) as client:
        assert client.upload_dataset("two", manifest, lambda *sent: seen.append(sent))["version"] == 1
    size = sum(path.stat().st_size for path in manifest.parent.iterdir())
    assert seen[-1] == (size, size)

    async def use() -> list[str]:
        async with AsyncClient(service.url) as client:
            assert (await client.upload_dataset("two", manifest.parent))["version"] == 1
            assert (await client.dataset("two"))["state"] == "checking"
            with pytest.raises(InvalidInput, match="lies under a root"):
                await client.register_dataset("two", "/etc/passwd")
            names = [dataset["name"] async for dataset in client.datasets()]
            await client.delete_dataset("two")
            with pytest.raises(NotFound):
                await client.dataset("two")
            return names

    assert "two" in asyncio.run(use())
    assert study_of("two")["tasks"][0]["dataset"] == "two"

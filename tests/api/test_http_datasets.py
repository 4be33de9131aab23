"""Datasets over HTTP: register, upload, look, use, delete."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskgraft.search.study.states import State
from tests.api.datasets import EVENTS, Datasets, dataset_service, errors, study_of, wait_until
from tests.evaluators.datasets.corpora import sound_corpus, write_lines, write_tone
from tests.evaluators.datasets.published.copies import desed
from tests.evaluators.datasets.zips import zip_folder, zip_of
from tests.search.store.samples import lease_of

ONE_EACH = {split: {"cat": 1, "dog": 1} for split in ("train", "validation", "test")}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Datasets]:
    with dataset_service(tmp_path_factory.mktemp("datasets") / "with a space") as service:
        yield service


def test_a_manifest_under_a_root_is_registered_and_checked(service: Datasets) -> None:
    manifest = sound_corpus(service.root / "zoo", EVENTS)
    answer = service.register("zoo", "zoo/manifest.csv")
    assert answer.status_code == 202
    assert answer.headers["location"].endswith("/v1/datasets/zoo")
    found = answer.json()
    assert (found["state"], found["version"], found["clips"], found["columns"]) == ("checking", 1, None, {})
    service.check()
    found = service.http.get(answer.headers["location"]).json()
    assert (found["state"], found["source"], found["clips"], found["seconds"]) == ("ready", "registered", 6, 0.6)
    assert found["columns"] == {"animal": ONE_EACH}
    assert found["events"] == {"call": {"seconds": 0.24, "clips": {"train": 2, "validation": 2, "test": 2}}}
    assert (found["rates"], found["clip_seconds"]) == ({"8000": 6}, 0.1)
    assert (found["faults"], found["progress"]) == ([], None)
    assert service.register("zoo", manifest).status_code == 200
    assert service.register("zoo", "zoo/../zoo/manifest.csv").json()["version"] == 1
    write_tone(manifest.parent / "train-cat.wav", hertz=333)
    again = service.register("zoo", manifest)
    assert (again.status_code, again.json()["version"]) == (202, 2)
    assert service.http.delete("/v1/datasets/zoo").status_code == 204
    assert service.http.get("/v1/datasets/zoo").status_code == 404
    assert manifest.is_file()


def test_a_folder_of_another_form_is_registered(service: Datasets) -> None:
    rows = [f"{split}/{word}.wav,{word}" for split in ("train", "dev", "test") for word in ("yes", "no")]
    write_lines(service.root / "words" / "metadata.csv", "file_name,word", *rows)
    for row in rows:
        write_tone(service.root / "words" / row.split(",")[0])
    assert service.register("words", "words").status_code == 202
    service.check()
    assert service.get("words")["columns"]["word"]["validation"] == {"no": 1, "yes": 1}


def test_a_copy_of_a_public_corpus_is_registered_and_uploaded(service: Datasets) -> None:
    folder = desed(service.root / "sounds")
    assert service.register("sounds", "sounds").status_code == 202
    assert service.upload("sounds-zip", zip_folder(folder, "sounds/")).status_code == 202
    service.check()
    registered, uploaded = service.get("sounds"), service.get("sounds-zip")
    assert (registered["state"], uploaded["state"]) == ("ready", "ready")
    assert registered["columns"]["has_Dog"]["train"] == {"no": 1, "yes": 3}
    assert registered["columns"] == uploaded["columns"]
    assert registered["events"] == uploaded["events"]
    assert service.http.delete("/v1/datasets/sounds-zip").status_code == 204
    wait_until(lambda: not service.left())


def test_a_path_that_no_system_takes_does_not_exist(service: Datasets) -> None:
    answer = service.register("long", "a" * 300)
    assert (answer.status_code, "does not exist" in errors(answer)["manifest"]) == (422, True)


def test_a_zip_is_uploaded_and_its_versions_are_kept(service: Datasets, tmp_path: Path) -> None:
    folder = sound_corpus(tmp_path / "farm", EVENTS).parent
    answer = service.upload("farm", zip_folder(folder, "farm/"))
    assert (answer.status_code, answer.json()["state"]) == (202, "checking")
    assert answer.headers["location"].endswith("/v1/datasets/farm")
    service.check()
    found = service.get("farm")
    assert (found["state"], found["source"], found["columns"]) == ("ready", "uploaded", {"animal": ONE_EACH})
    same = service.upload("farm", zip_folder(folder))
    assert (same.status_code, same.json()["version"]) == (200, 1)
    assert len(service.left()) == 1
    write_tone(folder / "train-cat.wav", hertz=333)
    assert service.upload("farm", zip_folder(folder)).json()["version"] == 2
    service.check()
    newest, first = (service.http.get(f"/v1/datasets/farm?version={version}").json() for version in (2, 1))
    assert (newest["state"], first["state"]) == ("ready", "ready")
    assert newest["fingerprint"] != first["fingerprint"] == found["fingerprint"]
    assert len(service.left()) == 2
    assert service.http.delete("/v1/datasets/farm").status_code == 204
    wait_until(lambda: not service.left())


def test_a_broken_dataset_says_what_is_wrong_and_leaves_no_files(service: Datasets) -> None:
    rows = "".join(f"a{place}.wav,monday\n" for place in range(150))
    content = zip_of({"manifest.csv": f"path,split\n{rows}", "segments.csv": "path,onset,offset,event\n"})
    assert service.upload("broken", content).status_code == 202
    service.check()
    found = service.get("broken")
    assert (found["state"], found["fault_count"], len(found["faults"])) == ("broken", 300, 100)
    assert found["faults"][0] == {
        "where": "manifest.csv:2",
        "message": "a split is one of train, validation, test; got 'monday'",
    }
    assert service.left() == []
    answer = service.http.post("/v1/studies", json=study_of("broken"))
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 101
    assert answer.json()["errors"][-1]["message"] == "and 200 more"
    assert len(answer.json()["detail"]) < 2_000


def test_all_are_listed_by_name_and_the_built_in_one_first(service: Datasets) -> None:
    for name in ("one", "two", "three"):
        service.ready(f"list-{name}")
    page = service.http.get("/v1/datasets", params={"limit": 2}).json()
    assert page["items"][0]["name"] == "demo-speech"
    names = [item["name"] for item in page["items"][1:]]
    while page["next_cursor"]:
        page = service.http.get("/v1/datasets", params={"limit": 2, "cursor": page["next_cursor"]}).json()
        names += [item["name"] for item in page["items"]]
    assert [name for name in names if name.startswith("list-")] == ["list-one", "list-three", "list-two"]
    assert errors(service.http.get("/v1/datasets", params={"limit": 0})) == {"limit": "1 to 500 datasets a page; got 0"}


def test_the_demo_corpus_is_ready_before_it_is_made(service: Datasets) -> None:
    start = time.monotonic()
    found = service.get("demo-speech")
    study = study_of("demo-speech", target="gender")
    dry = service.http.post("/v1/studies?dry_run=true", json=study)
    posted = service.http.post("/v1/studies", json=study)
    assert time.monotonic() - start < 3
    assert (found["state"], found["source"], found["events"]["speech"]["seconds"]) == ("ready", "built-in", None)
    assert found["columns"]["gender"]["train"].keys() == {"female", "male"}
    assert sum(dry.json()["clips"]["animal"].values()) == found["clips"]
    assert posted.status_code == 202
    assert not (service.settings.data_dir / "corpora").exists()
    wrong = service.http.post("/v1/studies", json=study_of("demo-speech", target="speech"))
    assert "'speech' is an event of its segments: write kind: frames" in errors(wrong)["tasks.0.target"]


def test_a_study_is_judged_by_what_the_check_found(service: Datasets) -> None:
    service.ready("judged")
    for clip in (service.root / "judged").glob("*.wav"):
        clip.write_bytes(b"")  # nobody opens these
    assert service.http.post("/v1/studies?dry_run=true", json=study_of("judged")).json()["clips"]["animal"]["test"] == 2
    body = {
        "ar_threshold": 0.1,
        "tasks": [
            {"name": "fine", "dataset": "judged", "target": "animal"},
            {"name": "column", "dataset": "judged", "target": "colour"},
            {"name": "event", "dataset": "judged", "target": "animal", "kind": "frames"},
            {"name": "dataset", "dataset": "nobody", "target": "animal"},
            {"name": "path", "dataset": "judged/manifest.csv", "target": "animal"},
        ],
    }
    found = errors(service.http.post("/v1/studies", json=body))
    assert list(found) == ["tasks.1.target", "tasks.2.target", "tasks.3.dataset", "tasks.4.dataset"]
    assert found["tasks.1.target"] == "judged has no label column 'colour'; there are 'animal'"
    assert "write kind: clip" in found["tasks.2.target"]
    assert "a dataset is one of demo-speech, " in found["tasks.3.dataset"]
    assert "got 'nobody'" in found["tasks.3.dataset"]


def test_a_study_keeps_the_version_that_was_newest_when_it_was_posted(service: Datasets) -> None:
    service.ready("versions")
    first = service.http.post("/v1/studies", json=study_of("versions"), headers={"Idempotency-Key": "v"}).json()
    assert first["datasets"] == {"versions": 1}
    write_tone(service.root / "versions" / "train-cat.wav", hertz=333)
    service.register("versions", "versions/manifest.csv")
    second = service.http.post("/v1/studies", json=study_of("versions")).json()
    assert second["datasets"] == {"versions": 2}
    waiting = service.http.post("/v1/studies?dry_run=true", json=study_of("versions"))
    assert (waiting.status_code, "still being checked" in waiting.json()["detail"]) == (409, True)
    again = service.http.post("/v1/studies", json=study_of("versions"), headers={"Idempotency-Key": "v"})
    assert again.json()["id"] == first["id"]
    assert service.http.get(f"/v1/studies/{first['id']}").json()["datasets"] == {"versions": 1}
    in_use = service.http.delete("/v1/datasets/versions")
    assert (in_use.status_code, first["id"] in in_use.json()["detail"]) == (409, True)
    for study in (first, second):
        assert service.http.post(f"/v1/studies/{study['id']}/cancel").json()["state"] == State.CANCELLED
    assert service.http.delete("/v1/datasets/versions").status_code == 204
    replayed = service.http.post("/v1/studies", json=study_of("versions"), headers={"Idempotency-Key": "v"})
    assert (replayed.status_code, replayed.json()["id"]) == (202, first["id"])


def test_a_tree_is_made_of_the_data_that_its_study_used(service: Datasets) -> None:
    used = service.ready("made-anew")["fingerprint"]
    study = service.http.post("/v1/studies", json=study_of("made-anew")).json()["id"]
    service.store.acquire_study(study, "runner", 30)
    service.store.set_facts(
        lease_of(service.store, study), {"datasets": {"made-anew": 1}, "fingerprints": {"made-anew": used}}
    )
    service.store.finish(lease_of(service.store, study), State.SUCCEEDED)

    def tree() -> tuple[int, str]:
        answer = service.http.post(f"/v1/studies/{study}/trees", json={"ar_threshold": 0.2})
        if answer.status_code == 202:
            service.http.post(f"/v1/studies/{answer.json()['id']}/cancel")
        return answer.status_code, answer.text

    assert tree()[0] == 202
    assert service.http.delete("/v1/datasets/made-anew").status_code == 204
    assert tree()[0] == 409
    write_tone(service.root / "made-anew" / "train-cat.wav", hertz=333)
    assert service.register("made-anew", "made-anew/manifest.csv").json()["version"] == 1
    service.check()
    status, text = tree()
    assert (status, "holds other data now" in text) == (409, True)


def test_the_built_in_corpus_is_not_for_changing(service: Datasets) -> None:
    assert service.http.delete("/v1/datasets/demo-speech").status_code == 409
    assert "choose another name" in errors(service.upload("demo-speech", b""))["name"]
    assert service.http.get("/v1/datasets/demo-speech?version=2").status_code == 404

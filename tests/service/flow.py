"""A study through plain HTTP, from its request to a model that answers: the same on every database and every Ray."""

import hashlib
import io
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from taskgraft.evaluators.datasets.demo_speech import RECIPE, build_demo_speech
from taskgraft.evaluators.prediction import load_bundle
from tests.evaluators.datasets.zips import zip_folder

CLIPS = 240
TASKS = (
    {"name": "gender", "target": "gender"},
    {"name": "age", "target": "age_group"},
    {"name": "vad", "target": "speech", "kind": "frames"},
)
PATIENCE = 300.0

ONNX_ALONE = """
import json, sys, wave
import numpy, onnxruntime
folder, clip = sys.argv[1:]
samples = json.load(open(folder + "/preprocessing.json"))["samples"]
with wave.open(clip) as file:
    assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
    sound = numpy.frombuffer(file.readframes(file.getnframes()), "<i2").astype("float32") / 32_768
window = numpy.zeros((1, samples), "float32")
window[0, : len(sound)] = sound[:samples]
outputs = onnxruntime.InferenceSession(folder + "/model.onnx").run(None, {"waveform": window})
assert not {"torch", "taskgraft"} & set(sys.modules)
print(json.dumps([output[0].tolist() for output in outputs]))
"""


def write_demo_speech(data_dir: Path) -> Path:
    """The demo corpus with few clips, in its place; returns one of them."""
    return build_demo_speech(data_dir / "corpora" / f"demo-speech-{RECIPE}", CLIPS).parent / "clips" / "00059.wav"


def study(dataset: str, **training: Any) -> dict[str, Any]:
    """Three tasks whose baselines beat chance; nearly everything passes, so that few trainings are enough."""
    tasks = [{**task, "dataset": dataset} for task in TASKS]
    training = {"epochs": 12, "batch_size": 16, "learning_rate": 0.003, **training}
    return {"name": "small", "ar_threshold": 0.9, "tasks": tasks, "depths": [4, 8], "training": training}


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.3)


class Studies:
    """One service's studies."""

    def __init__(self, http: httpx.Client, dataset: str) -> None:
        self._http = http
        self._dataset = dataset

    def post(self, **training: Any) -> str:
        answer = self._http.post("/v1/studies", json=study(self._dataset, **training))
        assert answer.status_code == 202, answer.text
        assert answer.headers["location"].endswith(f"/v1/studies/{answer.json()['id']}")
        return str(answer.json()["id"])

    def get(self, path: str, **query: Any) -> httpx.Response:
        answer = self._http.get(f"/v1/studies/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer

    def wait_for(self, study_id: str, *states: str) -> dict[str, Any]:
        """The study once it is in one of ``states``; it may not end in another one."""
        final = {"succeeded", "failed", "cancelled"}
        wait(lambda: self.get(study_id).json()["state"] in final.union(states))
        found: dict[str, Any] = self.get(study_id).json()
        assert found["state"] in states, found
        return found

    def compare(self, study_id: str, *systems: str) -> str:
        answer = self._http.post(f"/v1/studies/{study_id}/comparisons", json={"systems": systems})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def ready(self) -> bool:
        return self._http.get("/readyz").status_code == 200

    def cancel(self, study_id: str) -> None:
        assert self._http.post(f"/v1/studies/{study_id}/cancel").status_code == 202

    def delete(self, study_id: str) -> None:
        assert self._http.delete(f"/v1/studies/{study_id}").status_code == 204
        assert self._http.get(f"/v1/studies/{study_id}").status_code == 404


def upload(url: str, name: str, corpus: Path) -> None:
    """Upload a folder as a zip; its check is not waited for, since a study is."""
    with httpx.Client(base_url=url, timeout=30) as http:
        headers = {"Content-Type": "application/zip"}
        answer = http.put(f"/v1/datasets/{name}", content=zip_folder(corpus), headers=headers)
        assert answer.status_code == 202, answer.text


def check_a_study_from_request_to_model(url: str, clip: Path, folder: Path, dataset: str = "demo-speech") -> None:
    """Post, poll, read everything, download, predict; cancel another; compare; delete all."""
    with httpx.Client(base_url=url, timeout=30) as http:
        studies = Studies(http, dataset)
        wait(studies.ready)
        study_id = studies.post()
        endless = studies.post(epochs=10_000)
        done = studies.wait_for(study_id, "succeeded")
        assert done["progress"]["fraction"] == 1.0
        assert done["result"]["verified"] is True
        _check_findings(studies, study_id)
        _check_model(studies, study_id, clip, folder)
        studies.wait_for(endless, "running")
        studies.cancel(endless)
        studies.wait_for(endless, "cancelled")
        studies.delete(endless)
        comparison = _check_comparison(studies, study_id)
        studies.delete(study_id)
        studies.delete(comparison)


def _check_findings(studies: Studies, study_id: str) -> None:
    cells = studies.get(f"{study_id}/matrix").json()["cells"]
    assert {(cell["task_a"], cell["task_b"]) for cell in cells} == {
        ("gender", "age"),
        ("gender", "vad"),
        ("age", "vad"),
    }
    assert all(0 <= cell["ar_interval"][0] <= cell["ar_interval"][1] for cell in cells)
    assert studies.get(f"{study_id}/matrix", format="csv").text.startswith("task_a,task_b,depth,ar")
    tree = studies.get(f"{study_id}/tree").json()
    assert (tree["schema"], tree["ar_threshold"], tree["root"]["tasks"]) == (
        "taskgraft.tree/1",
        0.9,
        ["gender", "age", "vad"],
    )
    at_half = studies.get(f"{study_id}/tree", ar_threshold=0.5)
    assert at_half.json()["ar_threshold"] == 0.5
    svg = studies.get(f"{study_id}/tree", ar_threshold=0.5, format="svg")
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert "gender" in svg.text
    trials = studies.get(f"{study_id}/trials").json()["items"]
    assert len([trial for trial in trials if len(trial["tasks"]) == 1]) == 3
    assert all(trial["worker"] for trial in trials)


def _check_model(studies: Studies, study_id: str, clip: Path, folder: Path) -> None:
    artifacts = {one["name"]: one for one in studies.get(f"{study_id}/artifacts").json()["items"]}
    archive = studies.get(f"{study_id}/model")
    assert archive.headers["etag"] == f'"{hashlib.sha256(archive.content).hexdigest()}"'
    with zipfile.ZipFile(io.BytesIO(archive.content)) as bundle:
        assert set(bundle.namelist()) == set(artifacts)
        bundle.extractall(folder)
    card = (folder / "README.md").read_bytes()
    assert studies.get(f"{study_id}/artifacts/README.md").content == card
    assert artifacts["README.md"]["sha256"] == hashlib.sha256(card).hexdigest()
    command = [sys.executable, "-I", "-c", ONNX_ALONE, str(folder), str(clip)]
    gender, age, vad = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    answers = load_bundle(folder).predict(clip)
    assert list(answers["gender"]["probabilities"].values()) == pytest.approx(gender, abs=1e-6)
    assert list(answers["age"]["probabilities"].values()) == pytest.approx(age, abs=1e-6)
    assert all(0 <= present <= 1 for present in vad)


def _check_comparison(studies: Studies, study_id: str) -> str:
    """Compare the study's tree with flat sharing and with independent models; returns the comparison's id."""
    made = studies.compare(study_id, "independent", "flat-4", "tree")
    done = studies.wait_for(made, "succeeded")
    assert done["trainings"]["taken_over"] >= 3
    rows = {row["name"]: row for row in done["comparison"]["table"]["rows"]}
    assert list(rows) == ["independent", "flat-4", "tree"]
    assert rows["independent"]["ar"] == 0.0
    assert rows["independent"]["parameters"] > rows["flat-4"]["parameters"]
    assert all(task["interval"][0] <= task["value"] <= task["interval"][1] for task in rows["tree"]["tasks"])
    files = [one["name"] for one in studies.get(f"{made}/artifacts").json()["items"]]
    assert files == ["comparison.csv", "comparison.json", "comparison.md", "comparison.svg"]
    assert studies.get(f"{made}/artifacts/comparison.csv").text.startswith("model,parameters,gender,age,vad,ar,")
    assert [one["id"] for one in studies.get(f"{study_id}/comparisons").json()["items"]] == [made]
    return made

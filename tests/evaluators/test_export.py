import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml
from numpy.typing import NDArray
from safetensors.torch import load_file

from taskgraft.errors import InvalidInput, TrainingFailed, Unavailable
from taskgraft.evaluators import export
from taskgraft.evaluators.datasets.audio import read_audio
from taskgraft.evaluators.export import PARITY_LIMIT, check_parity, export_bundle, fixed_length
from taskgraft.evaluators.models.device_model import DeviceModel
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.space.document import read_tree_document
from tests.evaluators.exported import PICTURE, STUDY, Exported, report
from tests.evaluators.tones import RATE

FILES = {
    "tree.json",
    "model.safetensors",
    "model.pt2",
    "model.onnx",
    "preprocessing.json",
    "labels.json",
    "metrics.json",
    "study.yaml",
    "README.md",
    "tree.svg",
}


def read(exported: Exported, name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((exported.folder / name).read_text())
    return parsed


def noise(clips: int, samples: int) -> NDArray[np.float32]:
    return np.random.default_rng(clips).normal(0, 0.1, (clips, samples)).astype(np.float32)


def test_bundle_holds_what_it_promises_and_nothing_else(exported: Exported) -> None:
    assert {path.name for path in exported.folder.iterdir()} == FILES


def test_plain_files_say_what_the_study_said(exported: Exported) -> None:
    assert yaml.safe_load((exported.folder / "study.yaml").read_text()) == STUDY
    assert read_tree_document(read(exported, "tree.json")).tree == exported.model.tree
    metrics = read(exported, "metrics.json")
    parity = metrics.pop("parity")
    assert metrics == json.loads(json.dumps(report(exported.model, exported.data)))
    assert parity["clips"] == 8
    differences = parity["max_abs_difference"]
    assert set(differences) == {"model.pt2", "model.onnx"}
    assert all(0 <= difference < PARITY_LIMIT for difference in differences.values())


def test_labels_and_preprocessing_say_how_to_ask_and_read_the_answer(exported: Exported) -> None:
    assert read(exported, "labels.json") == {
        "pitch": {"kind": "clip", "labels": ["high", "low"], "event": None},
        "relu": {"kind": "clip", "labels": ["sine", "square"], "event": None},
        "waveform": {"kind": "frames", "labels": ["absent", "present"], "event": "tone"},
    }
    form = read(exported, "preprocessing.json")
    log_mel = {"kind": "logmel", "sample_rate": 16000, "window": 400, "hop": 160, "fft": 512, "bands": 64}
    assert form["front_end"] == log_mel
    assert (form["crop"], form["samples"], form["time_step_seconds"]) == (40, 6400, 0.04)
    np.testing.assert_allclose(form["normalisation"]["mean"], exported.data.normalisation.mean.flatten(), rtol=1e-6)


@pytest.mark.parametrize("clips", [1, 3, 17])
def test_every_form_gives_the_same_probabilities_for_any_number_of_clips(exported: Exported, clips: int) -> None:
    device = DeviceModel(exported.model, exported.data).eval()
    waveforms = noise(clips, device.samples)
    with torch.inference_mode():
        expected = device(torch.from_numpy(waveforms))
        traced = torch.export.load(exported.folder / "model.pt2").module()(torch.from_numpy(waveforms))
    session = onnxruntime.InferenceSession(exported.folder / "model.onnx", providers=["CPUExecutionProvider"])
    for one, two, three in zip(expected, traced, session.run(None, {"waveform": waveforms}), strict=True):
        assert len(one) == clips
        torch.testing.assert_close(two, one, atol=1e-5, rtol=0)
        np.testing.assert_allclose(three, one, atol=1e-5, rtol=0)
    torch.testing.assert_close(expected[0].sum(1), torch.ones(clips))
    assert [tuple(output.shape[1:]) for output in expected] == [(2,), (2,), (10,)]


def test_onnx_model_names_its_input_its_batch_and_its_tasks(exported: Exported) -> None:
    session = onnxruntime.InferenceSession(exported.folder / "model.onnx", providers=["CPUExecutionProvider"])
    assert [(one.name, one.shape) for one in session.get_inputs()] == [("waveform", ["batch", 6400])]
    outputs = [(one.name, one.shape) for one in session.get_outputs()]
    # An output can't be called like the input: that task's name gets a stroke.
    assert outputs == [("pitch", ["batch", 2]), ("relu", ["batch", 2]), ("/waveform", ["batch", 10])]


def test_onnx_model_is_whole_and_sound(exported: Exported) -> None:
    model = onnx.load(exported.folder / "model.onnx", load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert all(one.data_location == onnx.TensorProto.DEFAULT for one in model.graph.initializer)


def test_weights_fit_the_device_model_again(exported: Exported) -> None:
    tasks = [exported.data.tasks[name].task for name in exported.model.tree.tasks]
    device = DeviceModel(TreeModel(exported.model.tree, exported.data.template, tasks), exported.data).eval()
    missing, unexpected = device.load_state_dict(load_file(exported.folder / "model.safetensors"), strict=False)
    assert unexpected == []
    assert all(name.startswith("log_mel.") for name in missing)
    waveform = torch.from_numpy(noise(2, device.samples))
    with torch.inference_mode():
        again, original = device(waveform), DeviceModel(exported.model, exported.data).eval()(waveform)
    for one, other in zip(again, original, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_bundle_names_no_file_of_the_machine_that_made_it(exported: Exported) -> None:
    sources = str(Path(sys.modules["taskgraft.evaluators.export"].__file__ or "").parents[2])
    for path in exported.folder.iterdir():
        contents = [path.read_bytes()]
        if path.suffix == ".pt2":
            with zipfile.ZipFile(path) as archive:
                contents = [archive.read(name) for name in archive.namelist()]
        for content in contents:
            assert sources.encode() not in content
            assert str(Path(torch.__file__).parent).encode() not in content


def test_nothing_in_the_bundle_needs_unpickling(exported: Exported) -> None:
    with zipfile.ZipFile(exported.folder / "model.pt2") as archive:
        contents = {Path(name).name: archive.read(name) for name in archive.namelist()}
    assert all(content == b"" for name, content in contents.items() if name.endswith((".pt", ".pkl")))
    weights = json.loads(contents["model_weights_config.json"])["config"]
    constants = json.loads(contents["model_constants_config.json"])["config"]
    assert len(weights) > 50
    assert not any(tensor["use_pickle"] for tensor in [*weights.values(), *constants.values()])


def test_model_that_answers_otherwise_than_its_bundle_is_noticed(exported: Exported) -> None:
    tasks = [exported.data.tasks[name].task for name in exported.model.tree.tasks]
    other = DeviceModel(TreeModel(exported.model.tree, exported.data.template, tasks), exported.data).eval()
    with pytest.raises(TrainingFailed, match=r"model\.pt2 differs from the trained model by"):
        check_parity(exported.folder, other, noise(2, other.samples))


def test_answers_that_are_no_numbers_are_no_parity(exported: Exported) -> None:
    device = DeviceModel(exported.model, exported.data).eval()
    with pytest.raises(TrainingFailed, match="by inf"):
        check_parity(exported.folder, device, np.full((1, device.samples), np.nan, np.float32))


def test_waveforms_are_cut_or_filled_up() -> None:
    short, long = np.array([1, 2], np.float32), np.arange(1, 6, dtype=np.float32)
    assert fixed_length([short, long], 3).tolist() == [[1, 2, 0], [1, 2, 3]]


def test_export_needs_an_example(exported: Exported, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="at least one recording"):
        export_bundle(
            tmp_path, model=exported.model, data=exported.data, tree_document={}, metrics={}, study=STUDY, examples=[]
        )


def test_folder_that_cannot_be_written_is_said_so(exported: Exported, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="can't be written"):
        export_bundle(
            tmp_path / "file",
            model=exported.model,
            data=exported.data,
            tree_document={},
            metrics={},
            study=STUDY,
            examples=[noise(1, 6400)[0]],
        )


def test_exporting_says_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.evaluators.exported import export_tones\n"
        "export_tones(Path(sys.argv[1]))\n"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path)]
    root = Path(__file__).parents[2]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


def test_files_are_the_same_as_without_the_short_cut_for_recurrence(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_LAYER", "a function that another torch has")
    example = read_audio(exported.clip(5), RATE)
    export_bundle(
        tmp_path,
        model=exported.model,
        data=exported.data,
        tree_document=read(exported, "tree.json"),
        metrics=report(exported.model, exported.data),
        study=STUDY,
        examples=[example],
    )
    for name in ("model.safetensors", "model.pt2", "model.onnx"):
        assert (tmp_path / name).read_bytes() == (exported.folder / name).read_bytes(), name


def test_card_opens_with_metadata_that_has_every_metric_on_test(exported: Exported) -> None:
    empty, metadata, text = (exported.folder / "README.md").read_text().split("---\n", 2)
    assert empty == ""
    assert text.startswith("\n# ")
    found = yaml.safe_load(metadata)
    assert (found["license"], found["library_name"], found["pipeline_tag"]) == (
        "unknown",
        "taskgraft",
        "audio-classification",
    )
    (model,) = found["model-index"]
    assert model["name"] == STUDY["name"]
    measured = report(exported.model, exported.data)["tasks"]
    assert [result["task"]["name"] for result in model["results"]] == list(exported.model.tree.tasks)
    for result in model["results"]:
        task = measured[result["task"]["name"]]
        assert result["task"]["type"] == "audio-classification"
        assert result["dataset"] == {"type": task["dataset"], "name": task["dataset"], "split": "test"}
        assert {metric["type"]: metric["value"] for metric in result["metrics"]} == task["final"]["test"]
        assert {metric["type"] for metric in result["metrics"]} <= set(found["metrics"])


def test_card_shows_the_pictures_of_the_bundle(exported: Exported) -> None:
    card = (exported.folder / "README.md").read_text()
    assert "![The tree](tree.svg)" in card
    assert "matrix.svg" not in card  # this bundle has none
    assert (exported.folder / "tree.svg").read_text() == PICTURE


def test_card_has_the_figures(exported: Exported) -> None:
    card = (exported.folder / "README.md").read_text()
    parameters = sum(parameter.numel() for parameter in exported.model.parameters())
    assert f"{parameters:,} parameters" in card
    assert "**Not refuted: verified for an AR of at most 3.2 %**" in card
    assert "AR: 1.2 % on validation (95% interval 0.0 % to 3.5 %)" in card
    assert "Part of no verdict, since their baselines are at chance: waveform." in card
    assert "Trained again with 3 further seeds, the tree has an expected AR of 4.1 % on test" in card
    assert "| pitch | -2.0 % | -5.0 % | 3.2 % | 8 in 3 groups |" in card
    assert "| waveform | at chance |  |  | 8 in 3 groups |" in card
    assert "| pitch | one of high, low | tones |" in card
    assert "| waveform | when there is tone | tones |" in card
    assert "| pitch | 32 | 8 | 8 |" in card
    accuracy = 100 * report(exported.model, exported.data)["tasks"]["relu"]["final"]["test"]["accuracy"]
    assert f"| relu | accuracy | test | {accuracy:.1f} % | {accuracy:.1f} % | -2.0 % |" in card


def test_cards_programs_run(exported: Exported, tmp_path: Path) -> None:
    shutil.copytree(exported.folder, tmp_path / "bundle")
    shutil.copy(exported.clip(5), tmp_path / "bundle" / "clip.wav")
    programs = re.findall(r"```python\n(.*?)```", (exported.folder / "README.md").read_text(), re.DOTALL)
    assert len(programs) == 2
    printed = []
    for program in programs:
        command = [sys.executable, "-c", program]
        finished = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path / "bundle")
        assert finished.returncode == 0, finished.stderr
        printed.append(finished.stdout)
    assert re.search(r"^pitch low 0\.\d+$", printed[0], re.MULTILINE)

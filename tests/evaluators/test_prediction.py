import json
import shutil
import subprocess
import sys
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import resample_poly

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.audio import read_audio
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.evaluation import evaluate
from taskgraft.evaluators.prediction import Bundle, load_bundle
from taskgraft.evaluators.samples import to_waveform
from tests.evaluators.exported import Exported
from tests.evaluators.tones import RATE, tone


@pytest.fixture(scope="module")
def bundle(exported: Exported) -> Bundle:
    return load_bundle(exported.folder)


def zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    return target


@pytest.mark.parametrize("name", ["pitch", "relu"])
def test_classes_are_those_that_evaluation_finds(exported: Exported, bundle: Bundle, name: str) -> None:
    outcomes = evaluate(exported.model, exported.data, Split.TEST)[name]
    labels = exported.data.tasks[name].labels
    predicted = [bundle.predict(exported.clip(clip))[name]["label"] for clip in outcomes.classes.clips]
    assert predicted == [labels[int(place)] for place in outcomes.classes.predicted]
    assert any(exported.data.packs["tones"].lengths[clip] > exported.data.crop for clip in outcomes.classes.clips)


def test_probabilities_of_a_short_clip_are_those_of_its_cached_features(exported: Exported, bundle: Bundle) -> None:
    data, pack = exported.data, exported.data.packs["tones"]
    short = [clip for clip in range(48) if pack.lengths[clip] <= data.crop]
    assert short
    for clip in short:
        rows = np.zeros((data.crop, 64), np.float32) + pack.frames()[0]
        rows[: pack.lengths[clip]] = pack.frames()[pack.starts[clip] :][: pack.lengths[clip]]
        with torch.inference_mode():
            scores = exported.model(data.normalisation(torch.from_numpy(rows).T[None, None]))
        answers = bundle.predict(exported.clip(clip))
        for name in ("pitch", "relu"):
            expected = torch.softmax(scores[name][0], 0)
            got = [answers[name]["probabilities"][label] for label in data.tasks[name].labels]
            np.testing.assert_allclose(got, expected, atol=5e-3)  # the cache keeps half precision


def test_frames_agree_with_evaluation(exported: Exported, bundle: Bundle) -> None:
    outcomes = evaluate(exported.model, exported.data, Split.TEST)["waveform"]
    said = outcomes.classes
    for clip in outcomes.clips:
        mine = said.clips == clip
        counted = said.counts[mine & (said.predicted == 1)].sum() / said.counts[mine].sum()
        assert bundle.predict(exported.clip(clip))["waveform"]["share"] == pytest.approx(counted, abs=0.12)


def test_regions_are_where_the_tone_is(exported: Exported, bundle: Bundle) -> None:
    lines = (exported.corpus / "segments.csv").read_text().splitlines()
    for clip in (5, 11, 17):
        _, onset, offset, _ = lines[1 + clip].split(",")
        answer = bundle.predict(exported.clip(clip))["waveform"]
        (region,) = [one for one in answer["regions"] if one["offset"] - one["onset"] > 0.1]
        assert region["event"] == "tone"
        assert region["onset"] == pytest.approx(float(onset), abs=0.1)
        assert region["offset"] == pytest.approx(float(offset), abs=0.1)


def test_answer_has_the_documented_form(exported: Exported, bundle: Bundle) -> None:
    answers = bundle.predict(exported.clip(5))
    assert json.loads(json.dumps(answers)) == answers
    assert list(answers) == ["pitch", "relu", "waveform"]
    assert set(answers["pitch"]) == {"label", "probability", "probabilities"}
    assert answers["pitch"]["probability"] == max(answers["pitch"]["probabilities"].values())
    assert sum(answers["pitch"]["probabilities"].values()) == pytest.approx(1.0)
    assert set(answers["waveform"]) == {"regions", "share"}


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_recordings_of_any_rate_and_channels_are_understood(bundle: Bundle, tmp_path: Path, rate: int) -> None:
    mono = resample_poly(tone("high", "sine", 0.5), rate, RATE)
    soundfile.write(tmp_path / "clip.flac", np.stack([mono, mono], axis=1), rate)
    assert bundle.predict(tmp_path / "clip.flac")["pitch"]["label"] == "high"


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_samples_in_memory_are_answered_like_their_file(bundle: Bundle, tmp_path: Path, rate: int) -> None:
    mono = resample_poly(tone("high", "sine", 0.5), rate, RATE)
    stereo = np.stack([mono, 0.5 * mono], axis=1)
    soundfile.write(tmp_path / "clip.wav", stereo, rate, subtype="FLOAT")
    expected = bundle.predict(tmp_path / "clip.wav")
    assert bundle.predict(stereo.astype(np.float32), rate) == expected
    assert bundle.predict(str(tmp_path / "clip.wav")) == expected
    assert bundle.predict(stereo.tolist(), rate)["pitch"]["label"] == expected["pitch"]["label"]


@pytest.mark.parametrize(("subtype", "kind"), [("PCM_16", "int16"), ("PCM_32", "int32"), ("PCM_U8", "uint8")])
def test_whole_numbers_are_scaled_as_in_a_file(tmp_path: Path, subtype: str, kind: str) -> None:
    sound = 0.9 * tone("high", "sine", 0.1)
    soundfile.write(tmp_path / "clip.wav", sound, RATE, subtype=subtype)
    limits = np.iinfo(kind)
    whole = np.round(sound * limits.max / (2 if kind == "uint8" else 1)) + (128 if kind == "uint8" else 0)
    found = to_waveform(whole.astype(kind), RATE, RATE)
    np.testing.assert_allclose(found, read_audio(tmp_path / "clip.wav", RATE), atol=0.01)
    assert abs(found).max() == pytest.approx(abs(sound).max(), abs=0.01)


BEEP = np.zeros(800)


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (BEEP, None, "rate: samples need their rate in hertz: predict(samples, rate)"),
        ("clip.wav", RATE, "rate: a file says its own rate; leave this out; got 16000"),
        (BEEP, 500, "rate: a whole number from 1,000 to 192,000 hertz; got 500"),
        (BEEP, 16_000.5, "rate: a whole number from 1,000 to 192,000 hertz; got 16000.5"),
        (BEEP, True, "got True"),
        (BEEP[:0], RATE, "samples: shape [samples] or [samples, channels], one sample or more; got [0]"),
        (BEEP.reshape(2, 2, 200), RATE, "got [2, 2, 200]"),
        (np.float32(0.5), RATE, "got []"),
        (BEEP.reshape(2, 400), RATE, "at most 32 channels; got shape [2, 400]; channels come second: samples.T"),
        (BEEP.reshape(20, 40).repeat(2, 0), RATE, "at most 32 channels; got shape [40, 40]"),
        ([[0.0], [0.0, 0.0]], RATE, "samples: an array of numbers"),
        (BEEP * 1j, RATE, "got complex128"),
        (BEEP.astype(np.int64), RATE, "or whole numbers of type uint8, int16, int32; got int64"),
        (["a"], RATE, "got <U1"),
        (np.where(np.arange(800) == 7, np.nan, 0), RATE, "every sample is a finite number; got NaN or infinity"),
        (BEEP + 1e300, RATE, "every sample is a finite number"),
        (np.zeros(600 * 1_000 + 1, np.float32), 1_000, "samples: at most 600 seconds; got 600.0"),
    ],
)
def test_samples_that_are_not_a_recording_are_refused(bundle: Bundle, samples: Any, rate: Any, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        bundle.predict(samples, rate)
    assert message in str(caught.value)


def test_long_recordings_are_read_to_their_end(bundle: Bundle, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    quiet = random.normal(0, 0.003, 5 * RATE)
    quiet[: RATE // 2] += tone("high", "sine", 0.5)
    quiet[-RATE // 2 :] += tone("high", "sine", 0.5)
    soundfile.write(tmp_path / "long.wav", quiet, RATE)
    answer = bundle.predict(tmp_path / "long.wav")["waveform"]
    regions = [(one["onset"], one["offset"]) for one in answer["regions"]]
    assert regions[0][0] == pytest.approx(0.0, abs=0.1)
    assert regions[-1][1] == pytest.approx(5.0, abs=0.1)
    assert all(end < start for (_, end), (start, _) in pairwise(regions))
    assert 0.1 < answer["share"] < 0.9


def test_what_follows_a_short_recording_is_no_part_of_it(bundle: Bundle, tmp_path: Path) -> None:
    sound = tone("low", "sine", 0.2) + np.random.default_rng(0).normal(0, 0.003, RATE // 5)
    soundfile.write(tmp_path / "short.wav", sound, RATE)
    answer = bundle.predict(tmp_path / "short.wav")["waveform"]
    assert answer["share"] >= 0.8  # of 0.2 s, not of the window's 0.4 s
    assert answer["regions"][-1]["offset"] <= 0.2


def test_one_sample_is_a_recording(bundle: Bundle, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "click.wav", np.ones(1), RATE)
    answers = bundle.predict(tmp_path / "click.wav")
    assert set(answers) == {"pitch", "relu", "waveform"}


def test_recording_that_cannot_be_read_is_named(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "noise.wav").write_bytes(b"no recording")
    with pytest.raises(InvalidInput, match=r"noise\.wav"):
        bundle.predict(tmp_path / "noise.wav")


def test_zip_answers_as_the_folder_does(exported: Exported, bundle: Bundle, tmp_path: Path) -> None:
    from_zip = load_bundle(zipped(exported.folder, tmp_path / "bundle.zip"))
    assert from_zip.predict(exported.clip(5)) == bundle.predict(exported.clip(5))


def test_nothing_of_a_zip_is_written_anywhere(exported: Exported, tmp_path: Path) -> None:
    archive = zipped(exported.folder, tmp_path / "bundle.zip")
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("../outside.txt", "climbed out")
        opened.writestr("/tmp/../etc/outside.txt", "climbed out")
    load_bundle(archive)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle.zip"]


def test_prediction_needs_no_torch() -> None:
    code = "import sys, taskgraft.evaluators.prediction; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["preprocessing.json", "labels.json", "model.onnx"])
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_missing_file_is_named(exported: Exported, tmp_path: Path, name: str, form: str) -> None:
    path = shutil.copytree(exported.folder, tmp_path / "bundle")
    (path / name).unlink()
    if form == "zip":
        path = zipped(path, tmp_path / "bundle.zip")
    with pytest.raises(InvalidInput, match=f"{name}: is missing"):
        load_bundle(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.onnx", b"no model", "is no model that onnxruntime can run"),
        ("labels.json", b"[]", "Input should be an object"),
        ("labels.json", b"\xff", "Invalid JSON"),
        ("labels.json", b'{"pitch": {"kind": "clip", "labels": ["high"]}}', "pitch: a clip task has 2 labels or more"),
        ("labels.json", b'{"pitch": {"kind": "frames", "labels": ["no", "yes"]}}', "names its event"),
        ("preprocessing.json", b"{", "Invalid JSON"),
        ("preprocessing.json", b"{}", "front_end: Field required"),
        ("preprocessing.json", b" " * (2**20 + 1), "at most 1,048,576 bytes"),
    ],
)
def test_damaged_file_is_named(exported: Exported, tmp_path: Path, name: str, content: bytes, message: str) -> None:
    folder = shutil.copytree(exported.folder, tmp_path / "bundle")
    (folder / name).write_bytes(content)
    for path in (folder, zipped(folder, tmp_path / "bundle.zip")):
        with pytest.raises(InvalidInput) as caught:
            load_bundle(path)
        assert f"{path}/{name}" in str(caught.value)
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("crop", 80, "takes 'waveform' of 12800 samples"),
        ("crop", 42, "whole time steps"),
        ("crop", 40_000_000, "no longer than a clip"),
        ("front_end", {"sample_rate": 16000, "window": 400, "hop": 0, "fft": 512, "bands": 64}, "a hop of at least 1"),
        ("time_stride", 0, "greater than 0"),
    ],
)
def test_preprocessing_that_does_not_fit_is_refused(
    exported: Exported, tmp_path: Path, key: str, value: object, message: str
) -> None:
    folder = shutil.copytree(exported.folder, tmp_path / "bundle")
    form = json.loads((folder / "preprocessing.json").read_text())
    (folder / "preprocessing.json").write_text(json.dumps({**form, key: value}))
    with pytest.raises(InvalidInput, match=message):
        load_bundle(folder)


def test_labels_that_are_not_those_of_the_model_are_refused(exported: Exported, tmp_path: Path) -> None:
    folder = shutil.copytree(exported.folder, tmp_path / "bundle")
    (folder / "labels.json").write_text('{"pitch": {"kind": "clip", "labels": ["high", "low"]}}')
    with pytest.raises(InvalidInput, match=r"model\.onnx: gives outputs of shapes \[\[2\]\] by labels\.json"):
        load_bundle(folder)


def test_zip_that_is_none_is_refused(exported: Exported, tmp_path: Path) -> None:
    whole = zipped(exported.folder, tmp_path / "bundle.zip")
    content = whole.read_bytes()
    with zipfile.ZipFile(whole) as archive:
        inside = archive.getinfo("model.onnx").header_offset + 500
    damaged = {
        "text": b"no zip",
        "cut": content[: len(content) // 2],
        "flipped": content[:inside]
        + bytes(255 - byte for byte in content[inside : inside + 99])
        + content[inside + 99 :],
    }
    for name, replaced in damaged.items():
        (tmp_path / name).write_bytes(replaced)
        with pytest.raises(InvalidInput, match=f"{name}/"):
            load_bundle(tmp_path / name)


def test_bundle_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there is no such bundle"):
        load_bundle(tmp_path / "nothing")

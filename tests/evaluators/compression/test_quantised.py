"""A trained model in eight bits: sound, smaller, deterministic, and measured as it is delivered."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from taskgraft.evaluators.batches import evaluation_batches
from taskgraft.evaluators.compression.parts import FEATURES, TREE, scores_names
from taskgraft.evaluators.compression.quantised import (
    Quantised,
    calibration_features,
    cpu_session,
    evaluate_quantised,
    quantise,
    weight_bytes,
)
from taskgraft.evaluators.datasets.audio import read_audio
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.evaluation import evaluate, evaluate_answers
from taskgraft.evaluators.export import fixed_length
from taskgraft.evaluators.metrics import measure_all
from taskgraft.evaluators.models.device_model import DeviceModel
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.study_data import StudyData
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.evaluators.exported import Exported
from tests.evaluators.tones import RATE, load_tones

TASKS = ["pitch", "relu", "waveform"]


@pytest.fixture(scope="module")
def device(exported: Exported) -> DeviceModel:
    return DeviceModel(exported.model, exported.data).eval()


@pytest.fixture(scope="module")
def quantised(exported: Exported, device: DeviceModel) -> Quantised:
    return quantise(device, exported.data)


def clips(exported: Exported, device: DeviceModel) -> NDArray[np.float32]:
    """Real waveforms, one window each."""
    return fixed_length([read_audio(exported.clip(place), RATE) for place in range(5, 48, 6)], device.samples)


def test_file_is_whole_and_sound_and_has_the_inputs_and_outputs_of_the_bundles(
    exported: Exported, quantised: Quantised
) -> None:
    model = onnx.load_from_string(quantised.onnx)
    onnx.checker.check_model(model, full_check=True)
    assert all(one.data_location == onnx.TensorProto.DEFAULT for one in model.graph.initializer)
    ours, theirs = cpu_session(quantised.onnx), cpu_session((exported.folder / "model.onnx").read_bytes())
    for one, other in ((ours.get_inputs(), theirs.get_inputs()), (ours.get_outputs(), theirs.get_outputs())):
        assert [(value.name, value.shape, value.type) for value in one] == [
            (value.name, value.shape, value.type) for value in other
        ]


def test_the_trees_weights_take_a_third_of_their_bytes_or_less(device: DeviceModel, quantised: Quantised) -> None:
    # Batch normalisation is part of the convolutions: four numbers a channel less, and a bias more.
    normalised = sum(one.num_features for one in device.modules() if isinstance(one, torch.nn.BatchNorm2d))
    parameters = sum(parameter.numel() for parameter in device.tree.parameters()) - normalised
    assert quantised.float_weight_bytes == pytest.approx(4 * parameters, abs=16)
    assert quantised.float_weight_bytes / quantised.weight_bytes > 3
    model = onnx.load_from_string(quantised.onnx)
    assert weight_bytes(model) == quantised.weight_bytes
    large = [one for one in model.graph.initializer if one.name.startswith(TREE) and np.prod(one.dims) > 200]
    assert len(large) > 15
    assert {numpy_helper.to_array(one).dtype for one in large} == {np.dtype(np.int8)}


def test_front_end_stays_as_it_is(exported: Exported, device: DeviceModel, quantised: Quantised) -> None:
    (given,) = _opened(quantised.onnx, [FEATURES]).run([FEATURES], {"waveform": clips(exported, device)})
    with torch.inference_mode():
        expected = device.features(torch.from_numpy(clips(exported, device)))
    np.testing.assert_allclose(given, expected, atol=1e-3, rtol=0)  # logarithms of little
    front = [node for node in onnx.load_from_string(quantised.onnx).graph.node if not node.name.startswith(TREE)]
    assert not any("QuantizeLinear" in node.op_type or node.op_type == "DequantizeLinear" for node in front)


def test_what_is_measured_is_what_is_delivered(exported: Exported, device: DeviceModel, quantised: Quantised) -> None:
    names = scores_names(len(TASKS))
    features, *inside = _opened(quantised.onnx, [FEATURES, *names]).run(
        [FEATURES, *names], {"waveform": clips(exported, device)}
    )
    scores = cpu_session(quantised.tree).run(names, {FEATURES: features})
    for one, other in zip(inside, scores, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6, rtol=0)
    delivered = cpu_session(quantised.onnx).run(None, {"waveform": clips(exported, device)})
    for one, other in zip(delivered, device.answers(*map(torch.from_numpy, scores)), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6, rtol=0)
    tree, whole = onnx.load_from_string(quantised.tree), onnx.load_from_string(quantised.onnx)
    own = {one.name: numpy_helper.to_array(one) for one in whole.graph.initializer}
    assert [node.op_type for node in whole.graph.node if node.name.startswith(TREE)] == [
        node.op_type for node in tree.graph.node
    ]
    for one in tree.graph.initializer:
        np.testing.assert_array_equal(own[TREE + one.name], numpy_helper.to_array(one))


def _opened(content: bytes, names: list[str]):  # type: ignore[no-untyped-def]
    """A session that also gives values between."""
    model = onnx.load_from_string(content)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return cpu_session(model.SerializeToString())


def test_answers_are_nearly_those_of_the_model(exported: Exported, device: DeviceModel, quantised: Quantised) -> None:
    with torch.inference_mode():
        expected = device(torch.from_numpy(clips(exported, device)))
    got = cpu_session(quantised.onnx).run(None, {"waveform": clips(exported, device)})
    differences = [float(np.abs(one.numpy() - other).max()) for one, other in zip(expected, got, strict=True)]
    assert 0 < max(differences) < 0.05


@pytest.mark.parametrize("split", [Split.VALIDATION, Split.TEST])
def test_every_clip_is_asked_once_in_windows_as_in_other_evaluations(
    exported: Exported, quantised: Quantised, split: Split
) -> None:
    before, after = evaluate(exported.model, exported.data, split), evaluate_quantised(quantised, exported.data, split)
    assert list(before) == list(after) == TASKS
    for name, outcomes in before.items():
        assert after[name].classes.clips.tolist() == outcomes.classes.clips.tolist()
        assert after[name].classes.truth.tolist() == outcomes.classes.truth.tolist()
        assert measure_all(after[name])["accuracy"] == pytest.approx(measure_all(outcomes)["accuracy"], abs=0.05)


def test_two_corpora_are_asked_about_their_own_tasks(tones: Path, tmp_path: Path) -> None:
    tasks = [("pitch", "one", "pitch"), ("tone", "two", "tone"), ("shape", "one", "shape")]
    data = load_tones({"one": tones, "two": tones}, tasks, tmp_path, clip_seconds=0.2)
    names = [name for name, _, _ in tasks]
    torch.manual_seed(0)
    model = TreeModel(BranchTree.flat(names, 6, 8), data.template, [data.tasks[name].task for name in names])
    model(torch.cat([torch.from_numpy(one) for one in calibration_features(names, data, 8)]))
    small = quantise(DeviceModel(model, data), data, windows=8)
    outcomes = evaluate_quantised(small, data, Split.TEST)
    direct = cpu_session(small.tree)

    def answer(batch):  # type: ignore[no-untyped-def]
        features = data.input_module()(batch.features).numpy()
        scores = [torch.from_numpy(one) for one in direct.run(None, {FEATURES: features})]
        return {name: scores[names.index(name)] for name in batch.rows}

    for name, expected in evaluate_answers(answer, names, data, Split.TEST).items():
        assert outcomes[name].classes.counts.tolist() == expected.classes.counts.tolist()
        assert outcomes[name].classes.clips.tolist() == expected.classes.clips.tolist()


def test_equal_models_give_equal_bytes(exported: Exported, device: DeviceModel, quantised: Quantised) -> None:
    again = quantise(device, exported.data)
    assert (again.onnx, again.tree) == (quantised.onnx, quantised.tree)


def test_ranges_are_read_off_windows_spread_over_the_training_clips(exported: Exported) -> None:
    (some,), (more,) = (calibration_features(TASKS, exported.data, windows) for windows in (4, 10_000))
    trained = sum(
        len(batch.features)
        for batch, _, _ in evaluation_batches(exported.data, list(exported.data.tasks.values()), Split.TRAIN)
    )
    assert (len(some), len(more)) == (4, trained)
    np.testing.assert_array_equal(some[[0, -1]], more[[0, -1]])
    assert _statistics(exported.data) == pytest.approx((0.0, 1.0), abs=0.3)


def _statistics(data: StudyData) -> tuple[float, float]:
    (features,) = calibration_features(TASKS, data, 10_000)
    return float(features.mean()), float(features.std())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "width", "times"),
    [
        ("cnn8 waveform", 0.5, 3.5),
        ("crnn", 0.25, 3.0),
        ("vgg11-bn", 0.05, 3.5),
        ("alexnet", 0.05, 3.5),
        ("cnn-bilstm", 0.25, 3.5),
        ("cp-mobile", 0.5, 2.0),  # of its many channels, each has few weights, and a scale and a bias of four bytes
        ("transformer-s", 0.25, 1.2),  # the positions of 60 s, half of its numbers, stay in floating point
        ("resnet-deep", 0.25, 3.0),
    ],
)
def test_other_encoders_in_eight_bits(name: str, width: float, times: float, tones: Path, tmp_path: Path) -> None:
    template = get_template(name.split(maxsplit=1)[0], width, "waveform" if "waveform" in name else None)
    data = load_tones({"tones": tones}, [("pitch", "tones", "pitch")], tmp_path, clip_seconds=0.4, template=template)
    torch.manual_seed(0)
    tree = BranchTree.flat(["pitch"], 0, template.depth)
    model = TreeModel(tree, template, [data.tasks["pitch"].task]).train()
    (features,) = calibration_features(["pitch"], data, 16)
    for _ in range(20):
        model(torch.from_numpy(features))  # running statistics of these clips
    small = quantise(DeviceModel(model.eval(), data), data, windows=16)
    with torch.inference_mode():
        expected = model(torch.from_numpy(features))["pitch"].numpy()
    (got,) = cpu_session(small.tree).run(None, {FEATURES: features})
    assert small.float_weight_bytes / small.weight_bytes > times
    assert np.abs(got - expected).max() < 0.1 * max(1.0, np.abs(expected).max())

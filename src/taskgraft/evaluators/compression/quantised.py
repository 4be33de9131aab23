"""A model for devices in eight bits, and what it says about a split on the runtime.

The front end stays in floating point. What is measured is what is delivered: the file holds the front end, then the
very tree that is evaluated, node for node, then the answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor

from taskgraft.evaluators.batches import Batch, Crops, assemble
from taskgraft.evaluators.compression.eight_bits import in_eight_bits, prepared
from taskgraft.evaluators.compression.parts import FEATURES, TREE, DeviceParts, scores_names
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.evaluation import evaluate_answers
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.models.device_model import DeviceModel
from taskgraft.evaluators.outcomes import Outcomes
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.windows import cut_windows

CALIBRATION_WINDOWS = 64
"""Of each corpus, spread evenly over those of its training clips."""
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Quantised:
    """A model in eight bits. Made by `quantise`."""

    tasks: tuple[str, ...]
    """In the order of the outputs."""
    onnx: bytes
    """The model for devices: the same input and outputs as `model.onnx` of a bundle."""
    tree: bytes
    """Its part from features to scores."""
    weight_bytes: int
    """Stored numbers of the tree: weights, biases, and what turns integers into numbers."""
    float_weight_bytes: int
    """The same of the tree before, in floating point."""


def quantise(device: DeviceModel, data: StudyData, windows: int = CALIBRATION_WINDOWS) -> Quantised:
    """Return a trained model in eight bits, its ranges read off ``windows`` windows of each corpus's training clips.

    Equal models and data give equal bytes.

    Raises:
        TrainingFailed: it can't be exported.
    """
    device = device.eval()
    parts = DeviceParts.of(device)
    before = prepared(parts.tree)
    tree = in_eight_bits(before, FEATURES, calibration_features(device.tree.tree.tasks, data, windows))
    whole = parts.joined(tree)
    return Quantised(
        device.tree.tree.tasks,
        whole.SerializeToString(deterministic=True),
        tree.SerializeToString(deterministic=True),
        weight_bytes(whole),
        weight_bytes(parts.joined(before)),
    )


def calibration_features(tasks: Sequence[str], data: StudyData, windows: int) -> list[Floats]:
    """Return what the first block sees of the windows that ranges are read off: one batch for each corpus."""
    as_input, batches = data.input_module(), []
    for corpus, own in _by_corpus(tasks, data).items():
        clips = np.unique(np.concatenate([task.clips[Split.TRAIN] for task in own]))
        cut = cut_windows(data.packs[corpus].lengths[clips], data.crop, data.template.time_stride)
        chosen = np.unique(np.linspace(0, len(cut.places) - 1, min(windows, len(cut.places))).round().astype(int))
        crops = Crops(clips[cut.places[chosen]], cut.starts[chosen])
        with torch.inference_mode():
            batches.append(as_input(assemble(data, own, {corpus: crops}).features).numpy())
    return batches


def _by_corpus(names: Sequence[str], data: StudyData) -> dict[str, list[TaskData]]:
    found: dict[str, list[TaskData]] = {}
    for name in names:
        found.setdefault(data.tasks[name].corpus, []).append(data.tasks[name])
    return found


def evaluate_quantised(quantised: Quantised, data: StudyData, split: Split) -> dict[str, Outcomes]:
    """Return the outcomes of every task on the labelled clips of one split, as `evaluate` does, run by onnxruntime."""
    session, as_input = cpu_session(quantised.tree), data.input_module()
    outputs = dict(zip(quantised.tasks, scores_names(len(quantised.tasks)), strict=True))

    def answer(batch: Batch) -> Mapping[str, Tensor]:
        features = as_input(batch.features).numpy()
        scores = session.run([outputs[name] for name in batch.rows], {FEATURES: features})
        found = {name: torch.from_numpy(one) for name, one in zip(batch.rows, scores, strict=True)}
        return {name: found[name][batch.rows[name]] for name in quantised.tasks if name in found}

    return evaluate_answers(answer, quantised.tasks, data, split)


def cpu_session(content: bytes) -> onnxruntime.InferenceSession:
    """Return a session with a single thread: more would wait for each other on a core that has other work."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def weight_bytes(whole: onnx.ModelProto) -> int:
    """Return the stored bytes of the tree's numbers in a joined model; shapes and axes do not count."""
    return sum(
        numpy_helper.to_array(one).nbytes
        for one in whole.graph.initializer
        if one.name.startswith(TREE) and one.data_type != onnx.TensorProto.INT64
    )

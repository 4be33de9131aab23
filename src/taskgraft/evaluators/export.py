"""Bundles: a trained tree in the forms that devices run, checked before it is offered."""

import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from safetensors.torch import save as save_tensors
from torch import Tensor, nn
from torch._decomp import decompositions
from torch.export import ExportedProgram

from taskgraft.errors import InvalidInput, TrainingFailed, Unavailable
from taskgraft.evaluators import bundle
from taskgraft.evaluators.bundle import BandStatistics, Preprocessing
from taskgraft.evaluators.features import FLOOR
from taskgraft.evaluators.kinds.registry import KINDS
from taskgraft.evaluators.kinds.task_labels import TaskLabels
from taskgraft.evaluators.memory import without_collector
from taskgraft.evaluators.model_card import write_card
from taskgraft.evaluators.models.device_model import DeviceModel
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.patching import replaced
from taskgraft.evaluators.study_data import StudyData
from taskgraft.space import plain_yaml

PARITY_LIMIT = 1e-4
"""Largest difference between two forms of a model that is taken for rounding: in any probability, or as a share of the
largest number."""
_BATCH_SIZES = (1, 2, 5)
_REGISTRY = "ONNXRegistry"
"""torch's class of lists of the operators that can be exported."""
_LAYER = "one_layer_rnn"
"""torch's function for the decomposition of one layer of a recurrent network."""

Waveforms = NDArray[np.float32]
Examples = tuple[Tensor | list[Tensor], ...]
"""Inputs of a module for two clips."""


def export_bundle(
    folder: Path,
    *,
    model: TreeModel,
    data: StudyData,
    tree_document: Mapping[str, Any],
    metrics: Mapping[str, Any],
    study: Mapping[str, Any],
    examples: Sequence[Waveforms],
    pictures: Mapping[str, str] | None = None,
) -> None:
    """Write all files of a bundle into ``folder``, an empty one.

    ``metrics`` is the study's final report and ``study`` its specification, both as plain data. ``examples`` are
    recordings at the front end's rate; on them every form of the model must give the same answers. ``pictures`` are SVG
    by the names of their files (`bundle.TREE_PICTURE`, `bundle.MATRIX_PICTURE`); the card shows them.

    Raises:
        InvalidInput: there is no example.
        TrainingFailed: the model can't be exported, or a form of it does not agree with the original.
        Unavailable: the disk does not take the files.
    """
    if not examples:
        raise InvalidInput.at("examples", "at least one recording, to check the exported model on; got none")
    device = DeviceModel(model, data).eval()
    preprocessing, labels = _preprocessing(data), task_labels(model.tree.tasks, data, study)
    models = model_files(device)
    try:
        for name, content in models.items():
            (folder / name).write_bytes(content)
        parity = check_parity(folder, device, fixed_length(examples, device.samples))
        report = {**metrics, "parity": parity}
        _write_json(folder / bundle.TREE, tree_document)
        _write_json(folder / bundle.METRICS, report)
        _write_json(folder / bundle.PREPROCESSING, preprocessing.model_dump(mode="json"))
        _write_json(folder / bundle.LABELS, TypeAdapter(dict[str, TaskLabels]).dump_python(labels, mode="json"))
        (folder / bundle.STUDY).write_text(plain_yaml.dump(dict(study)), "utf-8")
        for name, picture in (pictures or {}).items():
            (folder / name).write_text(picture, "utf-8")
        card = write_card(study, tree_document, report, preprocessing, labels, pictures or ())
        (folder / bundle.CARD).write_text(card, "utf-8")
    except OSError as error:
        raise Unavailable(f"the bundle can't be written to {folder}: {error}") from error


def _preprocessing(data: StudyData) -> Preprocessing:
    return Preprocessing(
        front_end=data.template.front_end,
        crop=data.crop,
        time_stride=data.template.time_stride,
        log_floor=FLOOR,
        normalisation=BandStatistics(
            mean=tuple(data.normalisation.mean.flatten().tolist()),
            deviation=tuple(data.normalisation.deviation.flatten().tolist()),
        ),
    )


def task_labels(tasks: Sequence[str], data: StudyData, study: Mapping[str, Any]) -> dict[str, TaskLabels]:
    """Return what the outputs for ``tasks`` mean; their targets are those of the study."""
    targets = {task["name"]: task["target"] for task in study["tasks"]}
    known = {name: data.tasks[name] for name in tasks}
    return {name: KINDS[task.task.kind].task_labels(task.labels, targets[name]) for name, task in known.items()}


def model_files(device: DeviceModel) -> dict[str, bytes]:
    """Return the model in its three forms: file name -> content.

    Raises:
        TrainingFailed: it can't be exported.
    """
    weights = {
        name: tensor.contiguous() for name, tensor in device.state_dict().items() if not name.startswith("log_mel.")
    }
    saved = io.BytesIO()
    waveform: Examples = (torch.zeros(2, device.samples),)
    with exporting():
        program = _trace(device, waveform)
        torch.export.save(program, saved)
        converted = _to_onnx(program, waveform, [bundle.INPUT], device.tree.tree.tasks)
    return {
        bundle.WEIGHTS: save_tensors(weights),
        bundle.PROGRAM: saved.getvalue(),
        bundle.ONNX: converted.SerializeToString(),
    }


def onnx_model(module: nn.Module, examples: Examples, inputs: Sequence[str], outputs: Sequence[str]) -> onnx.ModelProto:
    """Return a module as one self-contained model with these names, for any number of clips.

    An output for a task called ``waveform`` is named ``/waveform``.

    Raises:
        TrainingFailed: it can't be exported.
    """
    with exporting():
        return _to_onnx(_trace(module, examples), examples, inputs, outputs)


@contextmanager
def exporting() -> Iterator[None]:
    """Let the exporters work fast and silently.

    Raises:
        TrainingFailed: they raise anything.
    """
    try:
        with _quiet(), _shapes_of_recurrence_alone(), _one_registry(), without_collector():
            yield
    except Exception as error:  # the exporters raise whatever their passes raise
        raise TrainingFailed(f"the trained model can't be exported: {type(error).__name__}: {error}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporters' remarks about their own workings: users can do nothing about them."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _shapes_of_recurrence_alone() -> AbstractContextManager[None]:
    """Let the exporters take the shapes of a GRU's outputs from its inputs.

    All that they want of it is shapes, but they go through all of its time steps for them, three times: a third of the
    export for clips of a second. The files hold one GRU either way, which `check_parity` runs. There is no setting for
    it; a version of torch without this function takes its time.
    """
    return replaced(decompositions, _LAYER, _like_outputs)


def _one_registry() -> AbstractContextManager[None]:
    """Let the exporter take its list of operators from the last time: it makes a new one, the same, for each model.

    That is half a second of each export. There is no setting for it; a version of torch without this class takes its
    time.
    """
    try:
        from torch.onnx._internal.exporter import _registration  # noqa: PLC0415  # a second, which only exports need
    except ImportError:
        return nullcontext()
    kept = _kept_registry(_registration) if hasattr(_registration, _REGISTRY) else None
    return replaced(_registration, _REGISTRY, kept)


@cache
def _kept_registry(module: ModuleType) -> type:
    """Return a class with one list of operators for each version of them, to stand in for torch's; none are added."""
    make = getattr(module, _REGISTRY).from_torchlib
    return type(_REGISTRY, (), {"from_torchlib": staticmethod(cache(make))})


def _like_outputs(steps: Tensor, hidden: Tensor, *parameters: Any, **options: Any) -> tuple[Tensor, Tensor]:
    """Return tensors like the outputs [s, n, h] of a layer for ``steps`` [s, n, d], and its last state [n, h]."""
    return steps.new_empty((*steps.shape[:2], hidden.shape[-1])), hidden.clone()


def _trace(module: nn.Module, examples: Examples) -> ExportedProgram:
    """Return the program for any number of clips, without the exporter's notes about this machine."""
    any_number = {0: torch.export.Dim("batch")}
    shapes = tuple([any_number] * len(one) if isinstance(one, list) else any_number for one in examples)
    with torch.no_grad():
        program = torch.export.export(module, examples, dynamic_shapes=shapes)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names files of this machine
    program.example_inputs = None  # they would be saved as a pickle
    return program


def _to_onnx(
    program: ExportedProgram, examples: Examples, inputs: Sequence[str], outputs: Sequence[str]
) -> onnx.ModelProto:
    """Return one self-contained model with these inputs, and outputs named by `_name_outputs`."""
    converted = torch.onnx.export(program, examples, input_names=list(inputs), dynamo=True, verbose=False)
    assert converted is not None  # always so, unless a file is asked for
    model = converted.model_proto
    _name_outputs(model, outputs)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info):
        del part.metadata_props[:]
    return model


def _name_outputs(model: onnx.ModelProto, tasks: Sequence[str]) -> None:
    """Name the outputs after the tasks. Any other value of such a name gets one that no task can have.

    A task called like the input is the one whose output takes another name, ``/waveform``.
    """
    outputs = dict(zip((value.name for value in model.graph.output), tasks, strict=True))

    def renamed(name: str) -> str:
        if name in outputs:
            return f"/{bundle.INPUT}" if outputs[name] == bundle.INPUT else outputs[name]
        return f"/{name}" if name in tasks and name != bundle.INPUT else name

    for node in model.graph.node:
        node.input[:] = map(renamed, node.input)
        node.output[:] = map(renamed, node.output)
    for value in (*model.graph.output, *model.graph.value_info, *model.graph.initializer):
        value.name = renamed(value.name)


def fixed_length(waveforms: Sequence[Waveforms], samples: int) -> Waveforms:
    """Return waveforms [n, samples]: cut at the end, or filled up with zeros."""
    return np.stack([np.pad(one[:samples], (0, max(0, samples - len(one)))) for one in waveforms])


def check_parity(folder: Path, device: DeviceModel, examples: Waveforms) -> dict[str, Any]:
    """Measure how far the written forms are from the original on ``examples`` [n, samples], in several batch sizes.

    Raises:
        TrainingFailed: further than `PARITY_LIMIT`.
    """
    program = torch.export.load(folder / bundle.PROGRAM).module()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # more would wait for each other on a core that has other work
    session = onnxruntime.InferenceSession(folder / bundle.ONNX, options, providers=["CPUExecutionProvider"])
    worst = {bundle.PROGRAM: 0.0, bundle.ONNX: 0.0}
    for size in _BATCH_SIZES:
        for first in range(0, len(examples), size):
            batch = np.resize(examples[first : first + size], (size, device.samples))
            with torch.inference_mode():
                expected = [output.numpy() for output in device(torch.from_numpy(batch))]
                traced = [output.numpy() for output in program(torch.from_numpy(batch))]
            for name, outputs in ((bundle.PROGRAM, traced), (bundle.ONNX, session.run(None, {bundle.INPUT: batch}))):
                worst[name] = max(worst[name], _difference(expected, outputs))
    for name, difference in worst.items():
        if not difference < PARITY_LIMIT:
            raise TrainingFailed(
                f"{name} differs from the trained model by {difference:.3g} on real clips; "
                f"a bundle is offered below {PARITY_LIMIT:g} only"
            )
    return {
        "max_abs_difference": worst,
        "limit": PARITY_LIMIT,
        "clips": len(examples),
        "batch_sizes": list(_BATCH_SIZES),
    }


def _difference(expected: Sequence[Waveforms], got: Sequence[Waveforms]) -> float:
    """Return the largest difference in any output; infinite if a value is not a number.

    Numbers above 1, in the unit of a ``value`` task, are rounded as much more as they are larger.
    """
    differences = [
        np.abs(one - other).max() / max(1.0, np.abs(one).max()) for one, other in zip(expected, got, strict=True)
    ]
    return float(np.nan_to_num(np.array(differences), nan=np.inf).max())


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")

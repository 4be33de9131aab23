"""What the report of a study says of its compression: sizes, and the model of 8 bits as the runtime answers with it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from taskgraft.evaluators.compression.quantised import Quantised, evaluate_quantised, quantise
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.metrics import measure
from taskgraft.evaluators.models.device_model import DeviceModel
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.study_data import StudyData
from taskgraft.search.evidence.reading import Reading
from taskgraft.search.evidence.verdict import judge, judged
from taskgraft.search.running.delivery import Delivery
from taskgraft.search.running.networks import NetworkSizes
from taskgraft.search.running.readings import Readings
from taskgraft.search.study.compression_spec import is_quantised
from taskgraft.search.study.result import Compressed, EightBits

_READ = (Split.VALIDATION, Split.TEST)


@dataclass(frozen=True, slots=True, eq=False)
class CompressionReport:
    """What became of a tree: for the bundle's metrics, for the study's result, and as a model of 8 bits."""

    metrics: Mapping[str, Any]
    compressed: Compressed
    quantised: Quantised | None


def report_compression(
    readings: Readings, delivery: Delivery, sizes: NetworkSizes, model: TreeModel, data: StudyData
) -> CompressionReport | None:
    """Return what became of the tree; None if the study has no compression.

    Raises:
        TrainingFailed: the model can't be quantised.
    """
    steps = readings.prepared.spec.compression
    if not steps:
        return None
    found: dict[str, Any] = {
        "steps": [step.to_plain() for step in steps],
        "pruned": delivery.is_pruned,
        "pruned_ar_validation": delivery.pruned_ar,
        "reason": delivery.reason,
        **asdict(sizes),
    }
    names = tuple(step.name for step in steps)
    compressed = Compressed(names, delivery.is_pruned, sizes.parameters, sizes.stored_bytes, sizes.packed_bytes)
    if not is_quantised(steps):
        return CompressionReport(found, compressed, None)
    quantised = quantise(DeviceModel(model, data), data)
    read = {split: _read(readings, quantised, data, split) for split in _READ}
    test, threshold = read[Split.TEST], readings.prepared.spec.ar_threshold
    verdict = judge(test.tasks, threshold) if judged(test.tasks) else None
    eight_bits = EightBits(quantised.weight_bytes, quantised.float_weight_bytes, test.ar, verdict)
    metrics = {**found, "int8": _int8(eight_bits, read)}
    return CompressionReport(metrics, replace(compressed, eight_bits=eight_bits), quantised)


def _int8(eight_bits: EightBits, read: Mapping[Split, Reading]) -> dict[str, Any]:
    """Return what the model of 8 bits weighs and keeps; its verdict is about the same question as the bundle's."""
    return {
        "weight_bytes": eight_bits.weight_bytes,
        "float_weight_bytes": eight_bits.float_weight_bytes,
        "verdict": eight_bits.verdict and eight_bits.verdict.value,
        "ar": {split.value: reading.ar for split, reading in read.items()},
        "ar_interval": {split.value: list(reading.interval) for split, reading in read.items()},
        "tasks": {task.name: asdict(task) for task in read[Split.TEST].tasks},
        "validation": _metrics(read[Split.VALIDATION]),
    }


def _read(readings: Readings, quantised: Quantised, data: StudyData, split: Split) -> Reading:
    said = evaluate_quantised(quantised, data, split)
    return readings.against_baselines(split, {name: [outcomes] for name, outcomes in said.items()})


def _metrics(reading: Reading) -> Mapping[str, float]:
    return {task.name: measure(reading.model[task.name][0], task.metric) for task in reading.spec.tasks}

"""What a model card says first, for programs: the metadata of Hugging Face, as YAML between two lines of dashes.

Fields: https://github.com/huggingface/hub-docs/blob/main/modelcard.md
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.kinds.task_labels import TaskLabels
from taskgraft.space import plain_yaml

_PIPELINE = "audio-classification"
_TAGS = ("audio", "multi-task-learning", "onnx", "taskgraft")
_LICENSE = "unknown"
"""Of the model: it follows from the data, and whoever publishes the model names it."""


def front_matter(study: Mapping[str, Any], metrics: Mapping[str, Any], tasks: Mapping[str, TaskLabels]) -> str:
    """Return the metadata with every metric on the test split; ``metrics`` is the content of ``metrics.json``."""
    measured = metrics["tasks"]
    metadata = {
        "license": _LICENSE,
        "library_name": "taskgraft",
        "pipeline_tag": _PIPELINE,
        "tags": list(_TAGS),
        "metrics": sorted({name for task in tasks for name, _ in _test_metrics(measured[task])}),
        "model-index": [{"name": study["name"], "results": [_result(task, measured[task]) for task in tasks]}],
    }
    return f"---\n{plain_yaml.dump(metadata)}---\n"


def _result(name: str, task: Mapping[str, Any]) -> dict[str, Any]:
    dataset = str(task["dataset"])
    return {
        "task": {"type": _PIPELINE, "name": name},
        "dataset": {"type": dataset, "name": dataset, "split": str(Split.TEST)},
        "metrics": [{"type": metric, "value": value, "name": metric} for metric, value in _test_metrics(task)],
    }


def _test_metrics(task: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield what was measured of the delivered model, as far as it is a number."""
    for metric, value in task["final"][Split.TEST].items():
        if value is not None and math.isfinite(value):
            yield str(metric), float(value)

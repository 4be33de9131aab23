"""The studies that both programs run: read from YAML, with every data set found once and for all."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from taskgraft.api.study_files import read_study
from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.registry import known_datasets, resolve_dataset
from taskgraft.search.study.spec import StudySpec

HERE = Path(__file__).parent
STUDIES: Mapping[str, Path] = MappingProxyType(
    {"speech": HERE / "bench-speech.yaml", "recorded": HERE / "bench-recorded.yaml", "ten": HERE / "bench-ten.yaml"}
)
STUDIES_BY_DEFAULT = ("speech", "recorded")
"""Studies of `make bench`; the others take too long for it."""
_OTHER_SEEDS = 1_000
"""How far the reference's seeds lie from the study's: it must not repeat the very trainings that it judges."""


def load_study(path: Path, data_dir: Path, epochs: float = 1.0) -> StudySpec:
    """Return a benchmark study whose data sets are absolute paths; corpora known by name are made under ``data_dir``.

    ``epochs`` multiplies its number of epochs, at least one is left.

    Raises:
        InvalidInput: a data set is not there.
    """
    body = read_study(path).to_plain()
    for task in body["tasks"]:
        task["dataset"] = str(_manifest(task["dataset"], path.parent, data_dir))
    body["training"]["epochs"] = max(1, round(epochs * body["training"]["epochs"]))
    return StudySpec.parse(body)


def _manifest(dataset: str, base: Path, data_dir: Path) -> Path:
    if dataset not in known_datasets() and not (base / dataset).is_file():
        raise InvalidInput.at("dataset", f"there is no {base / dataset}")
    return resolve_dataset(dataset, base, data_dir, allow_paths=True).resolve()


def reference_of(spec: StudySpec, repeats: int) -> StudySpec:
    """Return the study that says what is true: every cell, the mean of so many seeds, none of them the study's own."""
    body: dict[str, Any] = spec.to_plain()
    more = {"strategy": "exhaustive", "repeats": repeats, "seed": spec.seed + _OTHER_SEEDS}
    return StudySpec.parse({**body, **more, "name": f"{spec.name}-reference"})


def digest(spec: StudySpec) -> str:
    """Return a short name that two equal studies share: a reference may be used again."""
    return hashlib.sha256(json.dumps(spec.to_plain(), sort_keys=True).encode()).hexdigest()[:12]

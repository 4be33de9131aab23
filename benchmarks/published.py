"""Published tables of trainings: reading them, and studies whose trainings are looked up in them.

A baseline is taken to be always right, so that a task's metric is 1 less what it loses, and no noise is allowed for.
"""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.worlds import outcomes
from taskgraft.errors import InvalidInput
from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.templates.registry import get_template

THRESHOLDS = (0.02, 0.05, 0.10)
TEMPLATE = get_template("cnn8")
SLACK = 1e-9
"""Taken off every reduction, so that one of exactly the threshold keeps it in spite of rounding."""


def columns(path: Path) -> frozenset[str]:
    """Return the names in the first line of a file.

    Raises:
        InvalidInput: it can't be read.
    """
    return frozenset(csv.DictReader(_lines(path)).fieldnames or ())


def read_rows(path: Path, wanted: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each row of a file, by the names of its columns, with the words that name its line.

    Raises:
        InvalidInput: the file can't be read, lacks one of the columns, or has no row.
    """
    reader = csv.DictReader(_lines(path))
    if missing := [column for column in wanted if column not in (reader.fieldnames or ())]:
        raise InvalidInput.at("line 1", f"has the columns {', '.join(wanted)}; missing {', '.join(missing)}")
    is_empty = True
    for row in reader:
        is_empty = False
        yield f"line {reader.line_num}", {column: row[column] or "" for column in wanted}
    if is_empty:
        raise InvalidInput.at("line 2", "a table has one training or more; there is none")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput.at(str(path), f"cannot be read: {error}") from None


def number(row: Mapping[str, str], column: str, where: str) -> float:
    """Return the figure of a column.

    Raises:
        InvalidInput: it is none, or not finite.
    """
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidInput.at(where, f"{column} is a number; got {row[column]!r}")
    return value


def study(strategy: str, threshold: float, tasks: Sequence[str], depths: Sequence[int]) -> StudySpec:
    """Return a study of these tasks at these depths; their names are the table's, whatever it calls them."""
    told = [{"name": f"t-{place}", "dataset": "published", "target": "t"} for place in range(len(tasks))]
    spec = StudySpec.parse(
        {
            "ar_threshold": threshold,
            "tasks": told,
            "template": TEMPLATE.name,
            "depths": list(depths),
            "strategy": strategy,
        }
    )
    named = [task.model_copy(update={"name": name}) for task, name in zip(spec.tasks, tasks, strict=True)]
    return spec.model_copy(update={"tasks": tuple(named), "training": spec.training.lasting(1)})


def measured(metrics: Mapping[str, float]) -> Measurement:
    """Return the measurement of a training whose figures were published."""
    return Measurement(metrics, dict.fromkeys(metrics, outcomes(1.0)), 1, 1, 1.0, "published")

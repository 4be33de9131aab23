"""Labels that models are trained against. Nothing is measured on them, so that only those of train count."""

import numpy as np

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.manifest import Corpus
from taskgraft.evaluators.datasets.report import CheckReport
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING, count_labels
from taskgraft.evaluators.kinds.clip import ClipTargets
from taskgraft.evaluators.kinds.names import require_column

MAX_CLASSES = 1000


def outline_nuisance(dataset: str, column: str, report: CheckReport) -> None:
    """Check that a column, as a dataset's report shows it, has labels to train against.

    Raises:
        InvalidInput: at ``target``: no such column, or train has fewer than 2 labels or more than 1,000.
    """
    require_column(dataset, column, report.labels, report.events)
    _check(dataset, column, report.labels[column].classes)


def read_nuisance(corpus: Corpus, column: str) -> ClipTargets:
    """Return the labels of a column; those that train does not show count as missing.

    Raises:
        InvalidInput: as `outline_nuisance`.
    """
    require_column(corpus.name, column, corpus.labels, corpus.segments)
    cells = corpus.labels[column]
    counts = count_labels(cells, corpus.splits)
    label_set = tuple(sorted(counts[Split.TRAIN]))
    _check(corpus.name, column, len(label_set))
    places = {label: place for place, label in enumerate(label_set)}
    values = np.fromiter((places.get(cell, MISSING) for cell in cells), np.int64, len(cells))
    return ClipTargets(label_set, values, counts)


def _check(dataset: str, column: str, classes: int) -> None:
    if not 2 <= classes <= MAX_CLASSES:
        message = f"{column} of {dataset}: train shows 2 to {MAX_CLASSES:,} labels of a nuisance; it has {classes:,}"
        raise InvalidInput.at("target", message)

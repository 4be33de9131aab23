"""The trade-off of a finished study: its tree at every threshold at which the tree changes."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from taskgraft.errors import TaskgraftError
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.reduction_matrix import matrix_of
from taskgraft.search.running.findings import tree_at
from taskgraft.search.store import Store
from taskgraft.search.store.findings import TradeoffPoint
from taskgraft.search.study.fields import AUTO
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import State
from taskgraft.search.study.study import Study
from taskgraft.search.study.trial import Trial
from taskgraft.space.matrix import Decision

_log = logging.getLogger(__name__)

_LONGEST = 60.0
"""Seconds that a runner spends on a trade-off at most: the next study waits."""


class OutOfTime(Exception):
    """Raised if a trade-off was not found in time."""


def find_tradeoff(
    study: Study, trials: tuple[Trial, ...], should_stop: Callable[[], bool] = lambda: False
) -> tuple[TradeoffPoint, ...]:
    """Return the tree that the trainings show at 0 and at every threshold of `critical_thresholds`.

    A tree that says the same as the one at the threshold below is left out.

    Raises:
        OutOfTime: ``should_stop`` says so.
    """
    return tuple(_changes(study, trials, should_stop))


def keep_tradeoff(store: Store, study: Study, is_stopping: Callable[[], bool]) -> None:
    """Work out the trade-off of a study that has ended, and keep it, if it has one and that takes no minute.

    The study was delivered before: if this fails, the trade-off is worked out when somebody asks for it.
    """
    if study.state is not State.SUCCEEDED or study.comparison:
        return
    end = time.monotonic() + _LONGEST
    try:
        trials = store.ledger(study.id).trials()
        points = find_tradeoff(study, trials, lambda: is_stopping() or time.monotonic() > end)
        store.findings.keep_tradeoff(study.id, points)
    except OutOfTime:
        _log.info("study %s: its trade-off is left for whoever asks for it", study.id)
    except TaskgraftError as error:
        _log.warning("study %s: its trade-off could not be kept: %s", study.id, error)


def _changes(study: Study, trials: tuple[Trial, ...], should_stop: Callable[[], bool]) -> Iterator[TradeoffPoint]:
    before: Mapping[str, Any] | None = None
    evidence = Evidence(study.spec, trials)
    known = evidence if is_stepwise(study.spec) else None
    for threshold in critical_thresholds(evidence):
        if should_stop():
            raise OutOfTime
        document = tree_at(study, trials, threshold, known)
        said = {name: value for name, value in document.items() if name != "ar_threshold"}
        if said != before:
            yield _point(threshold, document)
            before = said


def _point(threshold: float, document: Mapping[str, Any]) -> TradeoffPoint:
    digest = hashlib.sha256(json.dumps(document["root"], sort_keys=True).encode()).hexdigest()
    return TradeoffPoint(threshold, digest, document["encoder_parameters"], document["parameters"], document)


def critical_thresholds(evidence: Evidence) -> list[float]:
    """Return 0 and every figure of the reduction matrix that a threshold is compared with, in ascending order."""
    decision = evidence.spec.decision
    matrix = matrix_of(evidence, with_intervals=decision is Decision.CONFIDENT)
    figures = (cell.deciding(decision) for by_depth in matrix.cells.values() for cell in by_depth.values())
    return sorted({0.0, *(figure for figure in figures if figure < 1)})


def is_stepwise(spec: StudySpec) -> bool:
    """Return whether nothing changes between the thresholds of the trade-off.

    So it is if each pair is judged by the AR of trainings that are the same at every threshold. A training that stops
    early would have stopped elsewhere at another threshold, a sequential test has another answer, and whole trees are
    accepted by figures that are in no cell.
    """
    is_fixed = AUTO not in (spec.repeats, spec.training.epochs)
    of_pairs = not spec.strategy.asks_groups and not spec.strategy.accepts_on_a_level
    return is_fixed and of_pairs and not spec.stops_early

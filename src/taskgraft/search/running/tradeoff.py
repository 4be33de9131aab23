"""The trade-off of a finished study: its tree at every threshold at which the tree changes."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from taskgraft.errors import TaskgraftError
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.reduction_matrix import decisive, matrix_of
from taskgraft.search.running.findings import tree_at
from taskgraft.search.store import Store
from taskgraft.search.store.findings import TradeoffPoint
from taskgraft.search.study.fields import AUTO
from taskgraft.search.study.preparation import tasks_from_facts
from taskgraft.search.study.spec import Strategy, StudySpec
from taskgraft.search.study.states import State
from taskgraft.search.study.study import Study
from taskgraft.search.study.trial import Trial
from taskgraft.space.document import tree_document
from taskgraft.space.matrix import Decision
from taskgraft.space.synthesis import synthesize

_log = logging.getLogger(__name__)

_LONGEST = 60.0
"""Seconds that a runner spends on a trade-off at most: the next study waits."""


class OutOfTime(Exception):
    """Raised if a trade-off was not found in time."""


def find_tradeoff(
    study: Study, trials: tuple[Trial, ...], should_stop: Callable[[], bool] = lambda: False
) -> tuple[TradeoffPoint, ...]:
    """Return the tree that the trainings show at 0 and at every threshold of `critical_thresholds` where it changes.

    If the tree follows from the matrix alone, the documents say nothing of what forced it: that takes far longer.
    Otherwise a tree for which other reasons are given counts as another one.

    Raises:
        OutOfTime: ``should_stop`` says so.
    """
    evidence = Evidence(study.spec, trials)
    document_at = _from_matrix(study, evidence) if follows_from_matrix(study.spec) else partial(tree_at, study, trials)
    return tuple(_changes(document_at, critical_thresholds(evidence), should_stop))


def _from_matrix(study: Study, evidence: Evidence) -> Callable[[float], dict[str, Any]]:
    spec, tasks = study.spec, tasks_from_facts(study.facts)
    matrix = matrix_of(evidence, with_intervals=spec.decision is Decision.CONFIDENT)

    def document_at(threshold: float) -> dict[str, Any]:
        deciding = decisive(matrix, threshold, spec.decision)
        tree = synthesize(deciding, threshold, spec.encoder, spec.decision, spec.synthesis)
        return tree_document(tree, spec.encoder, threshold, tasks)

    return document_at


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


def _changes(
    document_at: Callable[[float], Mapping[str, Any]], thresholds: Iterable[float], should_stop: Callable[[], bool]
) -> Iterator[TradeoffPoint]:
    before: Mapping[str, Any] | None = None
    for threshold in thresholds:
        if should_stop():
            raise OutOfTime
        document = document_at(threshold)
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


def follows_from_matrix(spec: StudySpec) -> bool:
    """Return whether the tree at each threshold is the one that is synthesized from the matrix of all trainings.

    Not by bisection: at another threshold, it would have asked other cells.
    """
    return is_stepwise(spec) and spec.strategy in (Strategy.EXHAUSTIVE, Strategy.ADAPTIVE)

"""Findings that are read and not worked out: when what is kept answers for a study as it is now."""

from collections.abc import Mapping
from typing import Any

from taskgraft.errors import Conflict
from taskgraft.search.running.tradeoff import is_stepwise
from taskgraft.search.store import Store
from taskgraft.search.study.states import State
from taskgraft.search.study.study import Study
from taskgraft.space.matrix import ReductionMatrix

_HELD = frozenset({State.RUNNING, State.CANCELLING})


def kept_matrix_trials(store: Store, study: Study) -> int | None:
    """Return how many trials the kept matrix rests on if it answers for the study now; None if it does not.

    It does if it rests on all trials, and while a runner, which keeps it up to date, works on the study.
    """
    kept = store.findings.matrix_trials(study.id)
    if kept is None or study.state in _HELD:
        return kept
    return kept if kept >= store.trials.count(study.id) else None


def kept_matrix(store: Store, study: Study) -> ReductionMatrix | None:
    """Return the matrix after all trials of a study; None if it is not kept."""
    found = store.findings.matrix(study.id)
    return found[0] if found and found[1] == store.trials.count(study.id) else None


def kept_tree(
    store: Store, study: Study, ar_threshold: float | None, *, explained: bool = True
) -> Mapping[str, Any] | None:
    """Return the tree form of a study at a threshold, by default its own; None if it has to be worked out.

    If it is to be ``explained``, one that does not say what forced it has to be worked out too.

    Raises:
        Conflict: the study is a comparison.
    """
    if study.comparison:
        raise Conflict(f"study {study.id} is a comparison: it has no tree of its own")
    threshold = study.spec.ar_threshold if ar_threshold is None else ar_threshold
    if study.tree is not None and threshold == study.spec.ar_threshold:
        return study.tree
    found = store.findings.tree_at(study.id, threshold)
    if found is None or (explained and "branchings" not in found):
        return None
    if found["ar_threshold"] != threshold and not is_stepwise(study.spec):
        return None
    return {**found, "ar_threshold": threshold}

"""What a running study can decide: guessed at first, then measured by its own trainings as they end."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from taskgraft.errors import Conflict, NotFound, Unavailable
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.labelled import LabelledTask
from taskgraft.search.evidence.answers import answers_about, baseline_spreads
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.length import length_warnings
from taskgraft.search.evidence.resolution import Resolution, TestSize, measure_disagreement, resolve, warnings
from taskgraft.search.study.preparation import PreparedStudy


class Outlook:
    """Keeps ``resolution``, ``warnings`` and ``training_length`` among the facts of a study up to date."""

    def __init__(self, prepared: PreparedStudy, keep: Callable[[Mapping[str, Any]], None]) -> None:
        self._spec = prepared.spec
        self._sizes = {task.task.name: _test_size(prepared, task) for task in prepared.labelled}
        self._keep = keep
        self._kept: Mapping[str, Any] = {}

    def update(self, evidence: Evidence) -> None:
        """Work out again what can be decided, and keep it if it changed.

        If the database can't be written now, this is tried again after the next training.
        """
        found = list(self.resolutions(evidence))
        facts: dict[str, Any] = {
            "resolution": [resolution.to_json() for resolution in found],
            "warnings": [
                *warnings(found, self._spec.ar_threshold),
                *length_warnings(self._spec, baseline_spreads(evidence)),
                *self._spec.encoder.remarks,
                *(measured.remark for measured in evidence.facts.measurements if measured.remark),
            ],
        }
        if evidence.length:
            facts["training_length"] = evidence.length.to_json()
        if facts != self._kept:
            with suppress(Conflict, NotFound, Unavailable):  # a lost lease is noticed at its renewal
                self._keep(facts)
                self._kept = facts

    def resolutions(self, evidence: Evidence) -> Iterator[Resolution]:
        """Return what each task's test clips can decide; tasks at chance belong to no verdict."""
        spec = self._spec
        for task in spec.tasks:
            if evidence.is_at_chance(task.name):
                continue
            baseline = differing = None
            if evidence.has_baselines([task.name]):
                baseline = evidence.references([task.name])[task.name]
                differing = measure_disagreement(task.metric, *answers_about(evidence, task.name))
            size = self._sizes[task.name]
            yield resolve(task.name, size, len(spec.tasks), spec.ar_threshold, baseline, differing, task.metric)


def _test_size(prepared: PreparedStudy, labelled: LabelledTask) -> TestSize:
    corpus = prepared.corpora[labelled.corpus]
    in_test = np.array([split is Split.TEST for split in corpus.splits]) & labelled.targets.labelled
    groups = corpus.group_numbers()
    return TestSize(int(in_test.sum()), None if groups is None else len(np.unique(groups[in_test])))

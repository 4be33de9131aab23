"""Systems `algorithms`: one row for each training algorithm (`taskgraft.evaluators.algorithms.registry`).

The studies that most of them come from train one encoder that all tasks share, with a head for each; so do the rows.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from taskgraft.evaluators.algorithms.adversarial import Adversarial
from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.options import OneOf, TaskOrder
from taskgraft.evaluators.algorithms.registry import ALGORITHMS, read_algorithm
from taskgraft.evaluators.algorithms.soft_sharing import SoftSharing
from taskgraft.search.comparison.recipe_rows import RecipeRow, RecipeRows
from taskgraft.search.study.spec import StudySpec

_OF_COLUMNS = (SoftSharing.name,)
"""Algorithms whose source has a column of blocks for each task."""
_LACKS = MappingProxyType(
    {Adversarial.name: "has no label to train against: choose one with --nuisance COLUMN (over HTTP: nuisance)"}
)
"""What to say of an algorithm whose options a comparison may be asked for with."""


class Algorithms(RecipeRows):
    """Every algorithm with its default options; one row for each form, and for each task that may be the first one."""

    name = "algorithms"
    field = "algorithm"

    def rows(self, spec: StudySpec) -> Sequence[RecipeRow]:
        """Return the rows in the order of the registry."""
        return _rows(self, spec)

    def rows_of(self, kind: type[Algorithm], spec: StudySpec) -> Iterator[RecipeRow]:
        """Yield the rows of one algorithm."""
        variants, chosen = dict(_variants(kind, spec.task_names)), _chosen(kind, spec)
        known = variants.keys() | chosen.keys()
        if lacking := [name for name, option in kind.options.items() if option.is_required and name not in known]:
            yield self.row_that_needs(kind.name, lacking, spec, _LACKS.get(kind.name))
            return
        named = {f"{kind.name}-{word}": {name: said} for name, words in variants.items() for word, said in words}
        for word, options in (named or {kind.name: chosen}).items():
            value = read_algorithm({"name": kind.name, **options}).to_plain()
            yield self.row(word, value, spec, shares_nothing=kind.name in _OF_COLUMNS)


@lru_cache(maxsize=4)  # every decision asks for them, and they never change
def _rows(system: Algorithms, spec: StudySpec) -> tuple[RecipeRow, ...]:
    return tuple(row for kind in ALGORITHMS.values() for row in system.rows_of(kind, spec))


def _chosen(kind: type[Algorithm], spec: StudySpec) -> dict[str, Any]:
    """Return the options that the user has chosen for the comparison."""
    if kind is not Adversarial or spec.nuisance is None:
        return {}
    column, dataset = spec.nuisance
    return {"nuisance": column, "dataset": dataset}


def _variants(kind: type[Algorithm], tasks: Sequence[str]) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Yield the options that make several rows, each with the words and the values of its rows."""
    for name, option in kind.options.items():
        if isinstance(option, OneOf):
            yield name, [(word, word) for word in option.words]
        elif isinstance(option, TaskOrder):
            yield name, [(first, [first, *(task for task in tasks if task != first)]) for first in tasks]

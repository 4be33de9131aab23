"""Systems `algorithms`: one row for each training algorithm (`taskgraft.evaluators.algorithms.registry`).

Source: the studies that the algorithms come from train one encoder that all tasks share, with a head for each.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.options import OneOf, TaskOrder
from taskgraft.evaluators.algorithms.registry import ALGORITHMS, read_algorithm
from taskgraft.evaluators.algorithms.soft_sharing import SoftSharing
from taskgraft.search.comparison.recipe_rows import RecipeRow, RecipeRows, row_that_needs
from taskgraft.search.study.spec import StudySpec

_FIELD = "algorithm"
_OF_COLUMNS = (SoftSharing.name,)
"""Algorithms whose source has a column of blocks for each task."""


class Algorithms(RecipeRows):
    """Every algorithm that can do with its defaults; one row for each form, and for each task that may be first."""

    name = "algorithms"

    def rows(self, spec: StudySpec) -> Sequence[RecipeRow]:
        """Return the rows in the order of the registry."""
        return _rows(spec)


@lru_cache(maxsize=4)  # every decision asks for them, and they never change
def _rows(spec: StudySpec) -> tuple[RecipeRow, ...]:
    return tuple(row for kind in ALGORITHMS.values() for row in _rows_of(kind, spec))


def _rows_of(kind: type[Algorithm], spec: StudySpec) -> Iterator[RecipeRow]:
    """Yield the rows of an algorithm; it has one only if no option says that there are several."""
    variants = dict(_variants(kind, spec.task_names))
    if lacking := [name for name, option in kind.options.items() if option.is_required and name not in variants]:
        yield row_that_needs(kind.name, Algorithms.name, _FIELD, lacking, spec.training.algorithm.to_plain())
        return
    named = [(f"{kind.name}-{word}", {option: said}) for option, words in variants.items() for word, said in words]
    for name, options in named or [(kind.name, dict[str, Any]())]:
        value = read_algorithm({"name": kind.name, **options}).to_plain()
        yield RecipeRow(name, Algorithms.name, _FIELD, value, shares_nothing=kind.name in _OF_COLUMNS)


def _variants(kind: type[Algorithm], tasks: Sequence[str]) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Yield the options that make several rows, each with the words and values of its rows."""
    for name, option in kind.options.items():
        if isinstance(option, OneOf):
            yield name, [(word, word) for word in option.words]
        elif isinstance(option, TaskOrder):
            yield name, [(first, [first, *(task for task in tasks if task != first)]) for first in tasks]

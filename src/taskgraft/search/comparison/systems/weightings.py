"""Systems `weightings`: one row for each weighting of losses (`taskgraft.evaluators.weighting.registry`)."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from taskgraft.evaluators.weighting.registry import WEIGHTINGS
from taskgraft.search.comparison.recipe_rows import RecipeRow, RecipeRows
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.tasks import TaskKind

_VARIANTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "uncertainty": {"class": {"form": "class"}, "half": {"form": "half"}},
        "loss-proportional": {"attached": {"detached": False}},
        "aligned-mtl": {"median": {"scale_mode": "median"}, "rmse": {"scale_mode": "rmse"}},
    }
)
"""Weightings with several forms: what the names of further rows end with, and their options."""


class Weightings(RecipeRows):
    """Every weighting and aggregator with its default options, and with those of `_VARIANTS`."""

    name = "weightings"
    field = "loss_weighting"

    def rows(self, spec: StudySpec) -> Sequence[RecipeRow]:
        """Return the rows in the order of the registry."""
        return _rows(self, spec)

    def rows_of(self, name: str, spec: StudySpec) -> Iterator[RecipeRow]:
        """Yield the rows of one weighting."""
        kind = WEIGHTINGS[name]
        if lacking := [option for option in kind.options() if kind.model_fields[option].is_required()]:
            yield self.row_that_needs(name, lacking, spec)
            return
        for end, options in {"": {}, **_VARIANTS.get(name, {})}.items():
            if name != "uncertainty" or end != _form_of_all(spec):
                word = f"{name}-{end}" if end else name
                yield self.row(word, kind.model_validate(options).to_plain(), spec)


@lru_cache(maxsize=4)  # every decision asks for them, and they never change
def _rows(system: Weightings, spec: StudySpec) -> tuple[RecipeRow, ...]:
    return tuple(row for name in WEIGHTINGS for row in system.rows_of(name, spec))


def _form_of_all(spec: StudySpec) -> str | None:
    """Return the form of `uncertainty` that all tasks have by default anyway; None if they differ."""
    are_values = {task.kind is TaskKind.VALUE for task in spec.tasks}
    return None if len(are_values) > 1 else "half" if are_values == {True} else "class"

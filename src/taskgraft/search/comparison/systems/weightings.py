"""Systems `weightings`: one row for each weighting of losses (`taskgraft.evaluators.weighting.registry`)."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from taskgraft.evaluators.weighting.registry import WEIGHTINGS
from taskgraft.search.comparison.recipe_rows import RecipeRow, RecipeRows, row_that_needs
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.tasks import TaskKind

_FIELD = "loss_weighting"
_VARIANTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "uncertainty": {"class": {"form": "class"}, "half": {"form": "half"}},
        "loss-proportional": {"attached": {"detached": False}},
        "aligned-mtl": {"median": {"scale_mode": "median"}, "rmse": {"scale_mode": "rmse"}},
    }
)
"""Options that sources differ in, by weighting and by what the row's name ends with."""


class Weightings(RecipeRows):
    """Every weighting and aggregator with its default options, and their variants."""

    name = "weightings"

    def rows(self, spec: StudySpec) -> Sequence[RecipeRow]:
        """Return the rows in the order of the registry."""
        return _rows(spec)


@lru_cache(maxsize=4)  # every decision asks for them, and they never change
def _rows(spec: StudySpec) -> tuple[RecipeRow, ...]:
    return tuple(row for name in WEIGHTINGS for row in _rows_of(name, spec))


def _rows_of(name: str, spec: StudySpec) -> Iterator[RecipeRow]:
    kind = WEIGHTINGS[name]
    if lacking := [option for option in kind.options() if kind.model_fields[option].is_required()]:
        yield row_that_needs(name, Weightings.name, _FIELD, lacking, spec.training.loss_weighting.to_plain())
        return
    skipped = _same_as_auto(spec) if name == "uncertainty" else None
    variants = {"": {}, **{f"-{end}": said for end, said in _VARIANTS.get(name, {}).items() if end != skipped}}
    for end, options in variants.items():
        value = kind.model_validate(options).to_plain()
        yield RecipeRow(f"{name}{end}", Weightings.name, _FIELD, value)


def _same_as_auto(spec: StudySpec) -> str | None:
    """Return the form that all tasks have by default anyway, so that it would be trained twice; None if they differ."""
    are_values = {task.kind is TaskKind.VALUE for task in spec.tasks}
    return None if len(are_values) > 1 else "half" if are_values == {True} else "class"

"""Rows of other recipes: the network of flat sharing, trained in another way than the study says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.weighting.extra import check_installed
from taskgraft.search.comparison.protocol import Family, Known, Model, Part, System
from taskgraft.search.comparison.refusals import too_few_tasks
from taskgraft.search.study.comparison import Comparison
from taskgraft.search.study.other_recipes import training_under
from taskgraft.search.study.recipe_text import recipe_of
from taskgraft.search.study.spec import StudySpec

_NAMED = ("training.algorithm", "training.loss_weighting")
"""What the names of rows are about."""


@dataclass(frozen=True)
class RecipeRow(System):
    """One row: all tasks share as many blocks as at the study's deepest depth, and the ``recipe`` is another one.

    It is None if what the row is about is the study's own: then the training is that of flat sharing. With
    ``shares_nothing``, each task has a column of blocks of its own, and all of them are trained together. ``lacks`` is
    what the study has to say for the row, if it does not. ``listed_as`` is the name for all rows of the kind.
    """

    name: str
    listed_as: str
    field: str
    recipe: str | None = None
    lacks: str = ""
    shares_nothing: bool = False

    @property
    def family(self) -> str:
        """The name for all rows of the kind."""
        return self.listed_as

    @property
    def summary(self) -> str:
        """What differs, and from what."""
        shares = "columns" if self.shares_nothing else "flat sharing"
        return f"{shares}, another {self.field}" if self.recipe else f"{shares}, the study's own {self.field}"

    def refusal(self, spec: StudySpec, comparison: Comparison) -> str | None:
        """Refuse a single task, what the study does not allow, and what is not installed here."""
        return too_few_tasks(spec, 2) or self.lacks or _why_not(spec, self.recipe)

    def models(self, known: Known) -> Sequence[Model]:
        """Return the one model."""
        shared = 0 if self.shares_nothing else max(known.spec.depths)
        shares = f"{shared} blocks shared by all" if shared else "a column of blocks for each task"
        note = shares if self.recipe else f"{shares}; the study's own {self.field}"
        return (Model(self.name, (Part.whole(known.flat(known.tasks, shared), self.recipe),), note),)


class RecipeRows(Family):
    """The rows of one field of `training`, each of them a system of its own."""

    field: str
    """The field's name."""

    def rows(self, spec: StudySpec) -> Sequence[RecipeRow]:
        """Return all rows, in their order."""
        raise NotImplementedError

    def words(self, spec: StudySpec) -> tuple[str, ...]:
        """Return the name for all rows, and the name of each."""
        return (self.name, *(row.name for row in self.rows(spec)))

    def named(self, word: str, spec: StudySpec) -> Sequence[System]:
        """Return all rows, or the one of that name."""
        return [row for row in self.rows(spec) if word in (self.name, row.name)]

    def row(self, name: str, value: Any, spec: StudySpec, *, shares_nothing: bool = False) -> RecipeRow:
        """Return the row in which the field has this value, as plain data."""
        recipe = None if value == self._own(spec) else recipe_of({self.field: value})
        return RecipeRow(name, self.name, self._words, recipe, shares_nothing=shares_nothing)

    def row_that_needs(self, name: str, options: Iterable[str], spec: StudySpec, lacks: str | None = None) -> RecipeRow:
        """Return the row of what has options without a default: there is one if the study itself says them.

        ``lacks`` is what to say if it does not, if that is not that nobody can choose them.
        """
        own = self._own(spec)
        says = isinstance(own, dict) and own["name"] == name
        rule = f"has to be the study's own {self._words}, since {', '.join(options)} can't be chosen for you"
        return RecipeRow(name, self.name, self._words, lacks="" if says else lacks or rule)

    @property
    def _words(self) -> str:
        return self.field.replace("_", " ")

    def _own(self, spec: StudySpec) -> Any:
        return spec.training.model_dump(mode="json", include={self.field})[self.field]


@lru_cache(maxsize=256)  # every decision asks again; an answer that changed on the way would change the rows
def _why_not(spec: StudySpec, recipe: str | None) -> str | None:
    """Return why a study can't be trained by a recipe here."""
    try:
        check_installed(training_under(spec, recipe).loss_weighting)
    except InvalidInput as error:
        return "; ".join(map(_reason, error.faults))
    return None


def _reason(fault: Fault) -> str:
    """Return a fault's rule; its field if the row does not name it, and not the value, which the user did not write."""
    rule = fault.message.split("; got ")[0]
    return rule if fault.where in _NAMED else f"{fault.where}: {rule}"

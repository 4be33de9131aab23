"""Rows of other recipes: the network of flat sharing, trained in another way than the study says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.weighting.extra import check_installed
from taskgraft.search.comparison.protocol import Family, Known, Model, Part, System
from taskgraft.search.comparison.refusals import too_few_tasks
from taskgraft.search.study.comparison import Comparison
from taskgraft.search.study.other_recipes import training_under
from taskgraft.search.study.recipe_text import recipe_of
from taskgraft.search.study.spec import StudySpec


@dataclass(frozen=True)
class RecipeRow(System):
    """One row: all tasks share as many blocks as at the study's deepest depth; one ``field`` of `training` differs.

    ``value`` is that field as plain data, or None, and then ``lacks`` says what is missing. With ``shares_nothing``,
    each task has a column of blocks of its own, and all of them are trained together. A value that is the study's own
    takes no other recipe, so that the training is that of flat sharing.
    """

    name: str
    listed_as: str
    field: str
    value: Any = None
    lacks: str = ""
    shares_nothing: bool = False

    @property
    def family(self) -> str:
        """The name for all rows."""
        return self.listed_as

    @property
    def summary(self) -> str:
        """What differs."""
        columns = ", no block shared" * self.shares_nothing
        return f"flat sharing, {self.field.replace('_', ' ')} {self.name}{columns}"

    def recipe(self, spec: StudySpec) -> str | None:
        """Return the recipe, None if it is the study's own."""
        own = spec.training.model_dump(mode="json", include={self.field})
        wanted = {self.field: self.value}
        return None if own == wanted else recipe_of(wanted)

    def refusal(self, spec: StudySpec, comparison: Comparison) -> str | None:
        """Refuse a single task, what the study does not allow, and what is not installed here."""
        return too_few_tasks(spec, 2) or self.lacks or _why_not(spec, self.recipe(spec))

    def models(self, known: Known) -> Sequence[Model]:
        """Return the one model."""
        shared, recipe = 0 if self.shares_nothing else max(known.spec.depths), self.recipe(known.spec)
        shares = f"{shared} blocks shared by all" if shared else "a column of blocks for each task"
        note = shares if recipe else f"{shares}; the study's own recipe"
        return (Model(self.name, (Part.whole(known.flat(known.tasks, shared), recipe),), note),)


class RecipeRows(Family):
    """The rows of one field of `training`, each of them a system of its own."""

    def rows(self, spec: StudySpec) -> Sequence[RecipeRow]:
        """Return all rows, in their order."""
        raise NotImplementedError

    def words(self, spec: StudySpec) -> tuple[str, ...]:
        """Return the name for all rows, and the name of each."""
        return (self.name, *(row.name for row in self.rows(spec)))

    def named(self, word: str, spec: StudySpec) -> Sequence[System]:
        """Return all rows, or the one of that name."""
        return [row for row in self.rows(spec) if word in (self.name, row.name)]


def row_that_needs(name: str, listed_as: str, field: str, options: Iterable[str], own: object) -> RecipeRow:
    """Return the row of a value that has options without a default: the study's ``own`` value, or none."""
    plain = own if isinstance(own, dict) and own["name"] == name else None
    lacks = f"takes {', '.join(options)} from the study file: only if the study's own {field} is {name}"
    return RecipeRow(name, listed_as, field, plain, "" if plain else lacks)


def _why_not(spec: StudySpec, recipe: str | None) -> str | None:
    """Return why a study can't be trained by a recipe here; packages are looked for each time."""
    if why := _fault(spec, recipe):
        return why
    try:
        check_installed(training_under(spec, recipe).loss_weighting)
    except InvalidInput as error:
        return error.faults[0].message
    return None


@lru_cache(maxsize=256)  # every decision asks again, and the answer never changes
def _fault(spec: StudySpec, recipe: str | None) -> str | None:
    try:
        training_under(spec, recipe)
    except InvalidInput as error:
        return "; ".join(f"{fault.where}: {fault.message}" for fault in error.faults)
    return None

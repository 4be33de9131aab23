"""``/datasets`` and ``/datasets/{name}``: what the service holds, what a check found, and forms to add and delete."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from taskgraft.api.context import SettingsDep, StoreDep
from taskgraft.api.dataset_schemas import DatasetView
from taskgraft.api.pages.rendering import render
from taskgraft.api.routes.datasets import get_dataset, list_datasets
from taskgraft.evaluators.datasets.splits import Split

router = APIRouter(include_in_schema=False)

_PAGE = 100


@dataclass(frozen=True, slots=True)
class Column:
    """A label column: clips by label and split, with and without a label. ``labels`` is empty if there are too many."""

    name: str
    distinct: int
    labels: tuple[tuple[str, tuple[int, ...]], ...]
    labelled: tuple[int, ...]
    missing: tuple[int, ...]

    @property
    def missing_in_all(self) -> int:
        """Clips without a label, of all splits."""
        return sum(self.missing)


def columns_of(view: DatasetView) -> Iterator[Column]:
    """Yield the label columns of a dataset."""
    for name, counts in view.columns.items():
        labels = sorted({label for of_split in counts.values() for label in of_split})
        rows = tuple((label, tuple(counts.get(split, {}).get(label, 0) for split in Split)) for label in labels)
        labelled = tuple(view.labelled.get(name, {}).get(split, 0) for split in Split)
        missing = tuple(view.splits.get(split, 0) - count for split, count in zip(Split, labelled, strict=True))
        yield Column(name, view.distinct.get(name, 0), rows, labelled, missing)


@router.get("/datasets")
def datasets_page(
    request: Request, store: StoreDep, settings: SettingsDep, cursor: Annotated[str | None, Query(min_length=1)] = None
) -> Response:
    """Return the list, and the forms that add a dataset."""
    page = list_datasets(store, _PAGE, cursor)
    items = [(view, list(columns_of(view))) for view in page.items]
    roots = list(map(str, settings.datasets_root))
    return render(request, "datasets.html", items=items, next_cursor=page.next_cursor, roots=roots)


@router.get("/datasets/{name}")
def dataset_page(
    request: Request, name: str, store: StoreDep, version: Annotated[int | None, Query(ge=1, lt=2**31)] = None
) -> Response:
    """Return all about one dataset.

    Raises:
        NotFound: there is no such dataset or version.
    """
    view = get_dataset(name, store, version)
    return render(request, "dataset.html", dataset=view, columns=list(columns_of(view)), splits=list(Split))

"""A study of a local run's folder, as the source of a report."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from taskgraft.api.reports.contents import JSON
from taskgraft.api.schemas import MatrixView, StudyView, TrialView
from taskgraft.api.tree_schemas import TradeoffView
from taskgraft.api.trial_schemas import TrialDetail
from taskgraft.errors import NotFound
from taskgraft.evaluators import bundle
from taskgraft.search.evidence.compared import compare_with
from taskgraft.search.evidence.reduction_matrix import reduction_matrix
from taskgraft.search.running.artifacts import artifacts_dir
from taskgraft.search.running.stored import kept_matrix, kept_tree
from taskgraft.search.running.tradeoff import is_stepwise, keep_tradeoff
from taskgraft.search.store import Page, Store, sqlite_url
from taskgraft.search.study.study import Study

DATABASE = "taskgraft.db"
_PAGE, _START = 500, -1
"""Trials a page, and the number before the first one (`TrialTable.page`)."""


class StoreSource:
    """A study of a store, whose files are in a folder; see `Source`."""

    def __init__(self, store: Store, study: Study, data_dir: Path) -> None:
        self._store = store
        self._study = study
        self._data_dir = data_dir

    def study(self) -> JSON:
        """See `Source`."""
        return StudyView.of(self._study).model_dump(mode="json")

    def comparison(self) -> JSON | None:
        """See `Source`."""
        own, made = self._study, _all(partial(self._store.comparisons_of, self._study.id))
        for study in (own, *reversed(list(made))):  # the newest one comes last in the list
            if study.comparison and (view := StudyView.of(study).comparison) and view.table:
                return dict(view.model_dump(mode="json")["table"])
        return None

    def matrix(self) -> MatrixView:
        """See `Source`."""
        spec = self._study.spec
        found = kept_matrix(self._store, self._study)
        found = found or reduction_matrix(spec, self._store.ledger(self._study.id).trials())
        return MatrixView.of(found, spec.depths)

    def tree(self) -> JSON | None:
        """See `Source`."""
        return kept_tree(self._store, self._study, None)

    def tradeoff(self) -> TradeoffView | None:
        """See `Source`."""
        points = self._store.findings.tradeoff(self._study.id)
        if not points:  # a service works it out when a study has ended, a local run does not
            keep_tradeoff(self._store, self._study, lambda: False)
            points = self._store.findings.tradeoff(self._study.id)
        return TradeoffView.of(points, exact=is_stepwise(self._study.spec)) if points else None

    def trials(self) -> Iterable[TrialView]:
        """See `Source`."""
        errors = self._study.spec.errors
        after: int | None = _START
        while after is not None:
            page = self._store.trials.page(self._study.id, after, _PAGE)
            yield from (TrialView.of(compare_with(trial, page.baselines, errors)) for trial in page.items)
            after = page.next_after

    def detail(self, number: int) -> TrialDetail:
        """See `Source`."""
        trial, baselines = self._store.trials.get(self._study.id, number)
        references = baselines.get((trial.training.repeat, trial.training.epochs), {})
        return TrialDetail.detailed(compare_with(trial, baselines, self._study.spec.errors), references)

    def labels(self) -> Mapping[str, Sequence[str]]:
        """See `Source`."""
        try:
            text = (artifacts_dir(self._data_dir, self._study.id) / bundle.LABELS).read_text("utf-8")
        except OSError:  # there is no bundle
            return {}
        return bundle.class_names(json.loads(text))


def is_run(path: Path) -> bool:
    """Return whether a folder is that of a local run."""
    return (path / DATABASE).is_file()


@contextmanager
def open_run(folder: Path) -> Iterator[StoreSource]:
    """Give the study of a local run's folder: the search that began it.

    Raises:
        NotFound: the folder holds no study.
        Unavailable: its database can't be read.
    """
    with Store(sqlite_url(folder / DATABASE)) as store:
        yield StoreSource(store, _first_search(store, folder), folder)


def _first_search(store: Store, folder: Path) -> Study:
    found = [study for study in _all(store.list_studies) if not study.comparison]
    if not found:
        raise NotFound(f"{folder} holds no study")
    first = [study for study in found if study.parent is None]
    return (first or found)[0]


def _all(pages: Callable[..., Page]) -> Iterator[Study]:
    """Yield the studies of all pages, which are asked for by their cursors."""
    page = pages()
    yield from page.items
    while page.next_cursor is not None:
        page = pages(cursor=page.next_cursor)
        yield from page.items

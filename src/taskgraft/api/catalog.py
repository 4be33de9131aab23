"""Looks up the datasets that a study names in a service, in the database alone."""

from collections.abc import Mapping
from types import MappingProxyType

from taskgraft.api.settings import Settings
from taskgraft.errors import Conflict, InvalidInput, NotFound
from taskgraft.evaluators.datasets.registry import KNOWN, known_datasets
from taskgraft.evaluators.datasets.report import CheckReport
from taskgraft.search.running.sources import find_files
from taskgraft.search.store import Store
from taskgraft.search.study.dataset import Dataset, DatasetState
from taskgraft.search.study.outline import StudyOutline, outline_study
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.study import Study

_NAMED = 10


class Catalog:
    """The datasets that a study may name, for one request.

    ``pinned`` says which versions to take; other datasets are taken in their newest version.
    """

    def __init__(self, store: Store, settings: Settings, pinned: Mapping[str, int] = MappingProxyType({})) -> None:
        self._pinned = pinned
        self._store = store
        self._settings = settings
        self.versions: dict[str, int] = {}
        """The version of every registered dataset that was asked for."""
        self.fingerprints: dict[str, str | None] = {}
        """The fingerprint of each of them; None until it was checked."""

    def outline(self, spec: StudySpec) -> StudyOutline:
        """Check a study's tasks against the datasets that it names.

        Raises:
            InvalidInput: with the faults of every task, each naming its field.
        """
        return outline_study(spec, self._find)

    def check_unchanged(self, study: Study, spec: StudySpec) -> StudyOutline:
        """Check that the datasets of a study are still what it used: one that was deleted may have been added anew.

        Raises:
            Conflict: they are not, so that ``spec`` can't go on from the study.
        """
        try:
            outline = self.outline(spec)
        except InvalidInput as error:
            raise Conflict(f"study {study.id} can't be taken further: {error}") from error
        used = study.facts.get("fingerprints", {})
        if changed := [name for name, found in self.fingerprints.items() if used.get(name, found) != found]:
            raise Conflict(f"study {study.id} can't be taken further: {', '.join(changed)} holds other data now")
        return outline

    def _find(self, name: str) -> CheckReport | None:
        if name in KNOWN:
            return KNOWN[name].report()
        try:
            dataset = self._store.datasets.get(name, self._pinned.get(name))
        except NotFound:
            raise self._unknown(name) from None
        self.versions[name] = dataset.version
        self.fingerprints[name] = dataset.fingerprint
        if dataset.state is DatasetState.CHECKING:
            return None
        self._check_files(dataset)
        return dataset.report

    def _check_files(self, dataset: Dataset) -> None:
        manifest = find_files(dataset, self._settings.data_dir)
        if not dataset.source.may_be_read(self._settings.datasets_root):
            raise InvalidInput.at(
                "dataset",
                f"{dataset.name} can't be used: {manifest} is no longer under a root of this service (--datasets-root)",
            )

    def _unknown(self, name: str) -> InvalidInput:
        page = self._store.datasets.page(_NAMED)
        names = [*known_datasets(), *(dataset.name for dataset in page.items)]
        more = ", ..." if page.next_cursor else ""
        rule = f"a dataset is one of {', '.join(names)}{more}; POST or PUT /v1/datasets adds one"
        return InvalidInput.at("dataset", f"{rule}; got {name!r:.300}")

"""A study of a running service, as the source of a report."""

from collections.abc import Iterable, Mapping, Sequence

from taskgraft.api.client import Client
from taskgraft.api.reports.contents import JSON
from taskgraft.api.schemas import MatrixView, TrialView
from taskgraft.api.tree_schemas import TradeoffView
from taskgraft.api.trial_schemas import TrialDetail
from taskgraft.errors import Conflict, NotFound
from taskgraft.evaluators import bundle


class ServiceSource:
    """A study of a service; see `Source`."""

    def __init__(self, client: Client, study_id: str) -> None:
        self._client = client
        self._id = study_id

    def study(self) -> JSON:
        """See `Source`."""
        return self._client.study(self._id)

    def comparison(self) -> JSON | None:
        """See `Source`."""
        own = self.study()["comparison"]
        studies = [] if own else self._client.comparisons(self._id)
        tables = [(own or {}).get("table"), *((study["comparison"] or {}).get("table") for study in studies[::-1])]
        return next(filter(None, tables), None)

    def matrix(self) -> MatrixView:
        """See `Source`."""
        return MatrixView.model_validate(self._client.matrix(self._id))

    def tree(self) -> JSON | None:
        """See `Source`."""
        try:
            return self._client.tree(self._id)
        except Conflict:
            return None

    def tradeoff(self) -> TradeoffView | None:
        """See `Source`."""
        try:
            return TradeoffView.model_validate(self._client.tradeoff(self._id))
        except Conflict:
            return None

    def trials(self) -> Iterable[TrialView]:
        """See `Source`."""
        return map(TrialView.model_validate, self._client.trials(self._id))

    def detail(self, number: int) -> TrialDetail:
        """See `Source`."""
        return TrialDetail.model_validate(self._client.trial(self._id, number))

    def labels(self) -> Mapping[str, Sequence[str]]:
        """See `Source`."""
        try:
            return bundle.class_names(self._client.labels(self._id))
        except (Conflict, NotFound):
            return {}

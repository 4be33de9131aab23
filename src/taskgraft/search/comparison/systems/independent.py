"""System `independent`: one model for each task, which share nothing. Its AR is 0."""

from collections.abc import Sequence

from taskgraft.search.comparison.protocol import Known, Model, Part, System


class Independent(System):
    """The baselines, side by side."""

    name = "independent"
    summary = "one model for each task; nothing is shared"

    def models(self, known: Known) -> Sequence[Model]:
        """Return the baselines as one model."""
        return (Model(self.name, tuple(Part.whole(known.evidence.baseline(task)) for task in known.tasks)),)

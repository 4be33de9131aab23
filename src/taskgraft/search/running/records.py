"""What a runner records of the trainings of its study: trials, and what it keeps for other studies."""

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.running.patience import Patience
from taskgraft.search.store import KeptTraining, Store
from taskgraft.search.study.lease import Lease
from taskgraft.search.study.trial import Training, Trial, TrialState


class Records:
    """The trainings of a study in the database, for the runner that holds it.

    What is written while the database is away waits in memory, and so does its caller. All methods that write raise
    `LeaseLost` once another runner has taken the study, and `NotFound` once it was deleted.
    """

    def __init__(self, store: Store, lease: Lease, patience: Patience | None = None) -> None:
        self.lease = lease
        self._ledger = store.ledger(lease.study_id)
        self._index = store.trainings
        self._patience = patience or Patience()

    def trials(self) -> tuple[Trial, ...]:
        """Return all trials of the study, in the order in which they were recorded."""
        return self._patience.insist(self._ledger.trials)

    def record(
        self,
        training: Training,
        seed: int,
        state: TrialState,
        measurement: Measurement | None = None,
        error: str | None = None,
        *,
        value: float | None = None,
        taken_over_from: str | None = None,
    ) -> Trial:
        """Record how a training ended; see `taskgraft.search.store.Ledger.record`."""
        return self._patience.insist(
            lambda: self._ledger.record(
                self.lease, training, seed, state, measurement, error, value=value, taken_over_from=taken_over_from
            )
        )

    def keep(self, digest: str, training: Training, measurement: Measurement, origin: str | None = None) -> None:
        """Keep a training for other studies; ``origin`` is the study that trained it, by default this one."""
        own = self.lease.study_id
        kept = KeptTraining(own, digest, origin or own, training, measurement)
        self._patience.insist(lambda: self._index.keep(self.lease, kept))

    def find(self, digest: str) -> tuple[KeptTraining, ...]:
        """Return trainings of any study with this digest, those that were taken furthest first."""
        return self._patience.insist(lambda: self._index.find(digest))

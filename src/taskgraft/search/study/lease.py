"""The right to work on a study."""

from dataclasses import dataclass

from taskgraft.search.study.study import Study


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one runner to work on a study and to change what belongs to it.

    ``epoch`` counts how often the study was taken: this lease is worth nothing once the study's epoch is a later one,
    or its owner has let go of it.
    """

    study_id: str
    owner: str
    epoch: int

    def __post_init__(self) -> None:
        if self.epoch < 1:
            raise ValueError(f"the first taking of a study is epoch 1; got {self.epoch}")


@dataclass(frozen=True, slots=True)
class Held:
    """A study that a runner has taken, as it was then, and the lease under which it is worked on."""

    study: Study
    lease: Lease

"""What each worker of a study takes of Ray's machines, and how many there can be."""

from collections.abc import Mapping
from dataclasses import dataclass

from taskgraft.errors import InvalidInput
from taskgraft.search.study.device import CPU


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers of a study: each takes a core, and on "cuda" a share of a GPU beside it.

    Raises:
        InvalidInput: no model, or less, per GPU.
    """

    device: str = CPU
    models_per_gpu: int = 1

    def __post_init__(self) -> None:
        if self.models_per_gpu < 1:
            raise InvalidInput.at("training.models_per_gpu", f"1 or more; got {self.models_per_gpu}")

    @property
    def resources(self) -> dict[str, float]:
        """What one worker takes, in the words of Ray."""
        return {"CPU": 1} if self.device == CPU else {"CPU": 1, "GPU": 1 / self.models_per_gpu}

    @property
    def share_nothing(self) -> bool:
        """Whether a training is as fast beside others as alone; on a GPU that several models share it is not."""
        return self.device == CPU or self.models_per_gpu == 1

    def slots(self, cluster: Mapping[str, float]) -> int:
        """Return how many trainings the resources of a cluster have room for; one at least, which may have to wait."""
        slots = int(cluster.get("CPU", 0))
        if self.device != CPU:
            slots = min(slots, int(cluster.get("GPU", 0)) * self.models_per_gpu)
        return max(1, slots)

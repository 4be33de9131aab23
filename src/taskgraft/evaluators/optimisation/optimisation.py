"""How the weights of a model are learned: a plain value, which studies are checked with before torch is imported."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.optimisation.checkpoints import CHOICES, Choice, ChoiceName
from taskgraft.evaluators.optimisation.class_weights import ClassWeights
from taskgraft.evaluators.optimisation.optimisers import OPTIMISERS, Optimiser, OptimiserName
from taskgraft.evaluators.optimisation.rates import RATES, Rate, RateName

WARM_UP = 0.1
"""Share of the planned steps, if a recipe says none."""
_STEADY = ", ".join(name.value for name in RateName if not RATES[name].falls_to_zero)


@dataclass(frozen=True, slots=True)
class Optimisation:
    """The optimiser and its learning rate, what the loss counts, when a training ends early, and what its result is.

    ``weight_decay`` is by default that of the optimiser, and ``warm_up`` a tenth of the planned steps, if the rate
    warms up at all. A training ends after ``patience`` epochs without a lower loss on the validation split; None: it
    takes all planned steps.

    Raises:
        InvalidInput: with every fault at once: a learning rate that is not above 0 and at most 1; a weight decay or
            a warm-up outside 0..1; a warm-up of a constant rate; a patience below 1, or with a rate that falls to 0.
    """

    learning_rate: float = 1e-3
    optimiser: OptimiserName = OptimiserName.ADAMW
    weight_decay: float | None = None
    schedule: RateName = RateName.WARMUP_COSINE
    warm_up: float | None = None
    patience: int | None = None
    class_weights: ClassWeights = ClassWeights.AUTO
    checkpoint: ChoiceName = ChoiceName.METRIC

    def __post_init__(self) -> None:
        if faults := list(self._faults()):
            raise InvalidInput(faults)

    def _faults(self) -> Iterator[Fault]:
        if not 0 < self.learning_rate <= 1:
            yield Fault("learning_rate", f"above 0 and at most 1; got {self.learning_rate}")
        if self.weight_decay is not None and not 0 <= self.weight_decay <= 1:
            yield Fault("weight_decay", f"0 or more and at most 1; got {self.weight_decay}")
        if self.warm_up is not None and not 0 <= self.warm_up <= 1:
            yield Fault("warm_up", f"0 or more and at most 1; got {self.warm_up}")
        if self.warm_up is not None and not self.rate.warms_up:
            yield Fault("warm_up", f"schedule {self.schedule.value} has no warm-up: leave it out; got {self.warm_up}")
        if self.patience is not None and self.patience < 1:
            yield Fault("patience", f"1 epoch or more; got {self.patience}")
        if self.patience is not None and self.rate.falls_to_zero:
            why = f"schedule {self.schedule.value} falls to 0 over the planned steps, so a training must not end before"
            yield Fault("patience", f"{why}: leave it out, or use schedule {_STEADY}; got {self.patience}")

    @property
    def rate(self) -> Rate:
        """How the learning rate changes."""
        return RATES[self.schedule]

    @property
    def choice(self) -> Choice:
        """Which checkpoint is the result."""
        return CHOICES[self.checkpoint]

    @property
    def kind(self) -> Optimiser:
        """The optimiser and what torch calls it."""
        return OPTIMISERS[self.optimiser]

    @property
    def decay(self) -> float:
        """The weight decay, in the optimiser's own sense."""
        return self.kind.weight_decay if self.weight_decay is None else self.weight_decay

    @property
    def needs_loss(self) -> bool:
        """Whether the loss on the validation split is measured at every evaluation."""
        return self.choice.needs_loss or self.patience is not None

    def factor(self, step: int, total: int) -> float:
        """Return by what the learning rate is multiplied at a step of ``total`` planned ones."""
        return self.rate.factor(step, total, WARM_UP if self.warm_up is None else self.warm_up)

    def to_plain(self) -> dict[str, Any]:
        """Return all that decides a training beside the data, as plain data, equal for equal results.

        Class weights are left out: they are part of the data of each task.
        """
        known = asdict(self) | {"weight_decay": self.decay, "warm_up": self._warm_up_if_any()}
        del known["class_weights"]
        return known

    def _warm_up_if_any(self) -> float:
        if not self.rate.warms_up:
            return 0.0
        return WARM_UP if self.warm_up is None else self.warm_up

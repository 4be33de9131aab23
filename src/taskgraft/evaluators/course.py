"""The planned steps of a training, and after which of them it is evaluated: plain numbers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Course:
    """One or more phases of equally many steps. Each is evaluated after every ``interval`` steps, and at its end."""

    planned: int
    interval: int
    phases: int = 1

    @property
    def total(self) -> int:
        """The steps of all phases."""
        return self.planned * self.phases

    def phase(self, step: int) -> int:
        """Return the phase that a step, counted from 0, belongs to; the last one after all steps.

        >>> [Course(3, 2, 2).phase(step) for step in range(7)]
        [0, 0, 0, 1, 1, 1, 1]
        """
        return min(step // self.planned, self.phases - 1)

    def within(self, step: int) -> int:
        """Return how many steps of its phase are before a step."""
        return step - self.phase(step) * self.planned

    def next_evaluation(self, step: int) -> int:
        """Return after how many steps a training that has taken ``step`` steps is evaluated next.

        >>> [Course(5, 2, 2).next_evaluation(step) for step in range(10)]
        [2, 2, 4, 4, 5, 7, 7, 9, 9, 10]
        """
        end = (self.phase(step) + 1) * self.planned
        return min(end, step - self.within(step) % self.interval + self.interval)

    def evaluations(self, upto: int) -> list[int]:
        """Return after which of the first ``upto`` steps a training is evaluated."""
        found, step = list[int](), 0
        while step < min(upto, self.total) and (step := self.next_evaluation(step)) <= upto:
            found.append(step)
        return found

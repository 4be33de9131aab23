"""How far a study is and how long it takes yet, as of its last decision."""

from collections.abc import Sequence
from dataclasses import dataclass

from taskgraft.search.running.pace import Pace, seconds_left
from taskgraft.search.strategies.remaining import Left
from taskgraft.search.study.study import Progress


@dataclass(frozen=True, slots=True)
class Forecast:
    """What was known when a decision was made."""

    tasks: int
    """Of the study."""
    done: int
    """Trainings that had ended."""
    at_least: int
    """Trainings to come, by the strategy."""
    left: Left
    pace: Pace | None

    def progress(self, done: int, under_way: Sequence[float], workers: int, ahead: Sequence[float] = ()) -> Progress:
        """Return the progress when ``done`` trainings have ended, and of others these shares (0..1) are done.

        A training may have ended since the decision. What is done ``ahead`` (shares, too) counts for nothing but the
        least time: it may be asked for, or not.
        """
        planned = max(done, self.done + self.at_least)
        fraction = min(1.0, (done + sum(under_way)) / planned) if planned else 0.0
        low, high = (None, None)
        if self.pace:
            ended = [1.0] * (done - self.done)
            low, high = seconds_left(self.left, self.pace, self.tasks, workers, [*under_way, *ended, *ahead])
        return Progress(
            trials_done=done,
            trials_planned=planned,
            fraction=fraction,
            eta_seconds=low,
            eta_seconds_at_most=high,
            trials_at_most=max(planned, self.done + self.left.at_most),
        )

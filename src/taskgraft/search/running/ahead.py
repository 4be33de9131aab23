"""Trainings ahead of one study: which are under way, what those that ended measured, and which one is to follow."""

from collections.abc import Collection
from dataclasses import replace

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.strategies.ahead import LookAhead
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training


class TrainingsAhead:
    """The trainings that a study makes before it asks for them: at most ``limit`` of them are under way at once.

    None if the study has a budget of trials: it counts what the study asks for, and nothing may be trained beside that.
    """

    def __init__(self, spec: StudySpec, evidence: Evidence, limit: int) -> None:
        self._spec = spec
        self._evidence = evidence
        self._limit = limit if spec.budget.trials is None else 0
        self._answers: dict[Training, Measurement] = {}
        self._refused: set[Training] = set()
        self._under_way: dict[Training, None] = {}
        self._look: LookAhead | None = None
        self._has_nothing = False
        self._used = 0
        self.made = 0
        """How many were started."""

    def __contains__(self, training: Training) -> bool:
        """Return whether a training is under way, and nobody has asked for it yet."""
        return training in self._under_way

    @property
    def ended(self) -> int:
        """How many have ended and may still be asked for."""
        return len(self._answers)

    @property
    def summary(self) -> str:
        """How many were started, and how many of them the study has asked for."""
        return f"{self.made} trainings were started ahead, and {self._used} of them were asked for"

    def notice_change(self, asked: Collection[Training] = ()) -> None:
        """Note that a training started or ended, and what the study asks for by now: that is not ahead any more."""
        self._look, self._has_nothing = None, False
        known = self._evidence.facts.known
        for training in self._under_way.keys() & set(asked):
            del self._under_way[training]
            self._used += 1
        for training in self._answers.keys() & known.keys():
            del self._answers[training]
            self._used += 1

    def best(self, under_way: Collection[Training], seconds: float) -> Training | None:
        """Return what to train ahead beside what is under way; None if there is no room, or nothing is likely."""
        if self._has_nothing or len(self._under_way) >= self._limit:
            return None
        found = self._looking(seconds).best({*under_way, *self._refused})
        self._has_nothing = found is None
        return found

    def start(self, training: Training) -> None:
        """Note that a training is under way."""
        self._under_way[training] = None
        self.made += 1

    def answer(self, training: Training, measured: Measurement) -> None:
        """Note what a training measured: it is assumed from now on wherever it may be asked for."""
        self._under_way.pop(training, None)
        self._answers[training] = replace(measured, weights=None, state=None)

    def stop(self, training: Training) -> None:
        """Note that a training was stopped; it may be started again."""
        self._under_way.pop(training, None)

    def refuse(self, training: Training) -> None:
        """Note that a training failed: it is not tried again, unless the study asks for it."""
        self._under_way.pop(training, None)
        self._refused.add(training)

    def is_worth_it(self, training: Training, wanted: int, seconds: float) -> bool:
        """Return whether a training that is under way shall go on, when ``wanted`` others wait for a worker.

        It ends if the study cannot be expected to ask for it any more. For each one that waits, the least likely ends.
        """
        look = self._looking(seconds)
        least_likely = sorted(self._under_way, key=look.chance)
        return look.chance(training) > 0 and training not in least_likely[:wanted]

    def _looking(self, seconds: float) -> LookAhead:
        if self._look is None:
            self._look = LookAhead(self._spec, self._evidence, self._answers, seconds)
        return self._look

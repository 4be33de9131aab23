"""Trainings ahead of one study: which are under way, what those that ended measured, and which one is to follow."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.running.longest_first import should_start_now
from taskgraft.search.running.pace import USUAL_SHARE
from taskgraft.search.strategies.ahead import LookAhead, is_open
from taskgraft.search.strategies.tree_effort import training_units
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
        self._unjudged: set[Training] = set()
        """Those that have taken all their steps before their references were known."""
        self._look: LookAhead | None = None
        self._has_nothing = False
        self._used = 0
        self.made = 0
        """How many were started."""

    def __contains__(self, training: Training) -> bool:
        """Return whether a training is under way, or waits to be judged, and nobody has asked for it yet."""
        return training in self._under_way or training in self._unjudged

    @property
    def ended(self) -> int:
        """How many have ended and may still be asked for."""
        return len(self._answers) + len(self._unjudged)

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
        found = self._best(under_way, seconds)
        self._has_nothing = found is None
        return found

    def due(
        self, waiting: Sequence[Training], under_way: Mapping[Training, float], workers: int, seconds: float
    ) -> Training | None:
        """Return what is to be trained ahead before baselines that wait, so that it is not the last to end; else None.

        ``under_way`` has the share done, 0..1, of all that is under way on some of the ``workers``, one of which is
        free. What is due has baselines that are not known, or it would have been asked for.
        """
        if workers < 2 or len(self._under_way) >= self._limit or not waiting or len(waiting[0].tasks) > 1:
            return None
        found = self._best({*under_way, *waiting}, seconds)
        if found is None or not is_open(found, self._evidence):
            return None
        known = {found, *under_way, *waiting, *self._unjudged, *self._answers}
        later = [one for one in self._looking(seconds).likely() if one not in known]
        left = [self._units(one) * (1 - share) for one, share in under_way.items()]
        is_due = should_start_now(
            self._units(found), [*map(self._units, waiting)], [*map(self._units, later)], left, workers
        )
        return found if is_due else None

    def _best(self, under_way: Collection[Training], seconds: float) -> Training | None:
        return self._looking(seconds).best({*under_way, *self._refused, *self._unjudged})

    def _units(self, training: Training) -> float:
        """Return what a training is expected to take, in units of a baseline."""
        return training_units(training.tree, self._spec) * (USUAL_SHARE if training.is_probe else 1.0)

    def start(self, training: Training) -> None:
        """Note that a training is under way."""
        self._under_way[training] = None
        self.made += 1

    def answer(self, training: Training, measured: Measurement) -> None:
        """Note what a training measured: it is assumed from now on wherever it may be asked for."""
        self.stop(training)
        self._answers[training] = replace(measured, weights=None, state=None)

    def wait(self, training: Training) -> None:
        """Note that a training has taken all its steps, and can't be judged yet."""
        self._under_way.pop(training, None)
        self._unjudged.add(training)

    def stop(self, training: Training) -> None:
        """Note that a training was stopped, or is given up; it may be started again."""
        self._under_way.pop(training, None)
        self._unjudged.discard(training)

    def refuse(self, training: Training) -> None:
        """Note that a training failed: it is not tried again, unless the study asks for it."""
        self._under_way.pop(training, None)
        self._refused.add(training)

    def is_worth_it(self, training: Training, wanted: int, seconds: float) -> bool:
        """Return whether a training that is under way shall go on, when ``wanted`` others wait for a worker.

        It ends if the study cannot be expected to ask for it any more. For each one that waits, the least likely ends.
        What began before its baselines had ended does not make room for them.
        """
        look = self._looking(seconds)
        closed = [one for one in self._under_way if not is_open(one, self._evidence)]
        least_likely = sorted(closed, key=look.chance)
        return look.chance(training) > 0 and training not in least_likely[:wanted]

    def _looking(self, seconds: float) -> LookAhead:
        if self._look is None:
            self._look = LookAhead(self._spec, self._evidence, self._answers, seconds)
        return self._look

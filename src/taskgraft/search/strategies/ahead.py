"""Trainings ahead: what a study is likely to ask for when the trainings that it waits for have ended.

What is asked next often hangs on a training that is under way, and a free core would wait for it. Instead, answers are
assumed, and `decide` says what would be asked for then. Nothing here knows a strategy. What was trained ahead is no
part of the evidence before it is asked for, so it changes no decision and no result.
"""

import heapq
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count

from taskgraft.errors import TrainingFailed
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.schedule import MAX_EVALUATIONS
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.trunks import missing_trunks
from taskgraft.search.strategies.likely import likely_answers
from taskgraft.search.strategies.strategy import Ask, Spent, decide
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training, Trial, TrialState
from taskgraft.space.cost import tree_cost

_LOOKS = 24
"""Decisions that are looked at before the rest is taken to be too unlikely."""
_LEAST_CHANCE = 0.05
"""Assumptions that are less likely are not followed, so nothing less likely is trained ahead."""
_LIKELY = 0.3
"""What is asked for with this chance is planned for."""
_MOST_BYTES = 512 * 2**20
"""Of the checkpoints of a training whose references are not known: all of them may have to be kept."""
_BYTES_PER_WEIGHT = 4


@dataclass(frozen=True, slots=True)
class _Assumed:
    """What would be known if some answers were such, how likely they are, and what has been asked on the way there."""

    evidence: Evidence
    chance: float = 1.0
    asked: frozenset[Training] = frozenset()


class LookAhead:
    """What may be asked for next, and how likely, as of one moment of a study. The likeliest answers are assumed first.

    ``answers`` are trainings that have ended ahead: no part of the evidence, but known. ``seconds`` is what the study
    has spent of its budget. The evidence must not grow while this is in use.
    """

    def __init__(
        self, spec: StudySpec, evidence: Evidence, answers: Mapping[Training, Measurement], seconds: float = 0.0
    ) -> None:
        self._spec = spec
        self._evidence = evidence
        self._answers = answers
        self._seconds = seconds
        self._chances: dict[Training, float] = {}
        self._order = count()
        self._waiting: list[tuple[float, int, _Assumed]] = []
        self._looks = 0
        self._push(_Assumed(evidence))

    def best(self, under_way: Collection[Training]) -> Training | None:
        """Return the training that is most likely asked for, and can be made ahead; None if none is likely at all."""
        others = frozenset(under_way)
        while True:
            free = {one: chance for one, chance in self._chances.items() if self._is_free(one, others)}
            best = max(free, key=free.__getitem__, default=None)
            if self._next_chance <= (free[best] if best else 0.0):
                return best
            self._look()

    def likely(self) -> tuple[Training, ...]:
        """Return what is likely to be asked for, as far as it was looked."""
        return tuple(training for training, chance in self._chances.items() if chance >= _LIKELY)

    def chance(self, training: Training) -> float:
        """Return how likely a training is asked for, as far as it was looked; 0 if it is not likely at all."""
        while training not in self._chances and self._next_chance:
            self._look()
        return self._chances.get(training, 0.0)

    def _is_free(self, training: Training, under_way: frozenset[Training]) -> bool:
        return training not in self._answers and can_start(training, self._evidence, under_way)

    @property
    def _next_chance(self) -> float:
        return -self._waiting[0][0] if self._waiting and self._looks < _LOOKS else 0.0

    def _push(self, assumed: _Assumed) -> None:
        if assumed.chance >= _LEAST_CHANCE:
            heapq.heappush(self._waiting, (-assumed.chance, next(self._order), assumed))

    def _look(self) -> None:
        """Look at the likeliest assumption that was not looked at yet."""
        self._looks += 1
        assumed = heapq.heappop(self._waiting)[2]
        asked = self._asked(assumed)
        for training in asked:
            if training not in assumed.asked:
                self._chances[training] = self._chances.get(training, 0.0) + assumed.chance
        for following in self._followers(assumed, asked):
            self._push(following)

    def _asked(self, assumed: _Assumed) -> tuple[Training, ...]:
        """Return what would be asked for; nothing if the study would have ended, or failed."""
        with suppress(TrainingFailed):
            decision = decide(self._spec, assumed.evidence, Spent(seconds=self._seconds))
            if isinstance(decision, Ask):
                return decision.trainings
        return ()

    def _followers(self, assumed: _Assumed, asked: tuple[Training, ...]) -> Iterator[_Assumed]:
        """Yield what would be known next: with the answer that is there, or with each likely answer to one question."""
        if not asked:
            return
        with_asked = assumed.asked.union(asked)
        if training := next((one for one in asked if one in self._answers), None):
            ended = Trial(-1, training, 0, TrialState.COMPLETE, self._answers[training])
            yield _Assumed(assumed.evidence.assuming(ended), assumed.chance, with_asked)
            return
        alone = [one for one in asked if len(one.tasks) == 1]
        if len(alone) > 1:  # each of them has one likely answer
            evidence = assumed.evidence
            for training in alone:
                for _, trial in likely_answers(training, evidence):
                    evidence = evidence.assuming(trial)
            yield _Assumed(evidence, assumed.chance, with_asked)
            return
        for chance, trial in likely_answers(asked[0], assumed.evidence):
            yield _Assumed(assumed.evidence.assuming(trial), assumed.chance * chance, with_asked)


def can_start(training: Training, evidence: Evidence, under_way: frozenset[Training]) -> bool:
    """Return whether a training can be made ahead: its result must be what it would be if it were asked for now.

    So the length that the study uses must be known, and the trunk that the training starts from. If a baseline of its
    tasks is not known, the training is an open one (`is_open`), and all of its checkpoints have to fit into memory. The
    model of a probe that is under way is left to the probe: it is trained on from there.
    """
    if not under_way.isdisjoint(replace(training, is_probe=is_probe) for is_probe in (False, True)):
        return False
    if missing_trunks([training], evidence):
        return False
    if len(training.tasks) == 1:
        return True
    if (evidence.length is not None and evidence.length.is_open) or training.epochs != evidence.epochs:
        return False
    return not is_open(training, evidence) or _may_be_open(training, evidence)


def is_open(training: Training, evidence: Evidence) -> bool:
    """Return whether a training would begin before its references are known; it is judged when they are."""
    return len(training.tasks) > 1 and not evidence.has_baselines(training.tasks)


def _may_be_open(training: Training, evidence: Evidence) -> bool:
    """Return whether an open training can be judged later: by metrics alone, of checkpoints that fit into memory.

    A training that its baselines teach can't begin before these have ended.
    """
    training_spec = evidence.spec.training
    recipe = training_spec.optimisation
    by_metrics = recipe.choice.is_by_metric and recipe.patience is None and not training.is_variant
    algorithm = training_spec.algorithm
    goes_alone = not algorithm.has_phases and not algorithm.taught(training.tasks)
    return by_metrics and goes_alone and _checkpoint_bytes(training, evidence) <= _MOST_BYTES


def _checkpoint_bytes(training: Training, evidence: Evidence) -> int:
    parameters = tree_cost(training.tree, evidence.spec.encoder).encoder_parameters
    return MAX_EVALUATIONS * _BYTES_PER_WEIGHT * parameters

"""What a comparison trains next: a pure function of what is known, so that it can be resumed from its ledger."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from taskgraft.errors import TrainingFailed
from taskgraft.search.comparison.protocol import Known, Model, System
from taskgraft.search.comparison.registry import systems_of
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.pruned import all_rounds, earlier_rounds
from taskgraft.search.evidence.trunks import missing_trunks, trunk_of
from taskgraft.search.strategies.remaining import Left
from taskgraft.search.strategies.strategy import Ask, Settled, Spent
from taskgraft.search.study.comparison import Comparison
from taskgraft.search.study.comparison_table import Refusal
from taskgraft.search.study.other_recipes import training_under
from taskgraft.search.study.recipe_text import recipe_words
from taskgraft.search.study.states import Stage
from taskgraft.search.study.trial import Training


@dataclass(frozen=True, eq=False)
class SystemState:
    """How far one system is: its models as far as they are known, and every training that it rests on so far."""

    system: System
    known: Known

    @cached_property
    def refusal(self) -> str | None:
        """Why it has no row: it does not apply, or a training that it rests on has failed."""
        return self._own_refusal or next((_failure(training, self.known) for training in self.failed), None)

    @cached_property
    def _own_refusal(self) -> str | None:
        return self.system.refusal(self.known.spec, self.known.comparison)

    @cached_property
    def models(self) -> Sequence[Model]:
        """Its models; none while trainings that choose them are to come."""
        return self.system.models(self.known)

    @cached_property
    def trainings(self) -> tuple[Training, ...]:
        """The trainings that it rests on, those that choose its models first; the baselines are not among them."""
        if self._own_refusal:
            return ()
        asked = dict.fromkeys(self.system.asks(self.known))
        parts = [trainings_of(model, self.known) for model in self.models]
        return tuple(asked | dict.fromkeys(training for trainings in parts for training in trainings))

    @property
    def failed(self) -> Iterator[Training]:
        """Those of its trainings that have failed, and trunks that they start from."""
        failures = self.known.evidence.facts.failures
        return (one for one in with_trunks(self.trainings, self.known) if one in failures)

    @property
    def to_come(self) -> int:
        """How many trainings may be asked for at most that can't be named yet."""
        if self.refusal or self.models:
            return 0
        return self.known.comparison.seeds * self.system.most_to_come(self.known.spec, self.known.comparison)


def with_trunks(trainings: Iterable[Training], known: Known) -> tuple[Training, ...]:
    """Return the trunks that trainings start from, if the study has any, and the trainings."""
    needed = tuple(dict.fromkeys(trainings))
    trunks = dict.fromkeys(trunk_of(training, known.spec) for training in needed)
    return (*(trunk for trunk in trunks if trunk), *needed)


def trainings_of(model: Model, known: Known) -> tuple[Training, ...]:
    """Return the trainings of a model: with every seed: its networks, each behind what it goes on from."""
    seeds = range(known.comparison.seeds)
    last = (replace(part.training, repeat=seed) for seed in seeds for part in model.parts)
    return tuple(dict.fromkeys(training for one in last for training in all_rounds(one)))


def system_states(known: Known) -> list[SystemState]:
    """Return how far each system of a comparison is."""
    return [SystemState(system, known) for system in systems_of(known.comparison.systems, known.spec)]


def refusals(states: Iterable[SystemState]) -> tuple[Refusal, ...]:
    """Return the systems that have no row, and why."""
    return tuple(Refusal(state.system.name, state.refusal) for state in states if state.refusal)


def baselines(known: Known) -> tuple[Training, ...]:
    """Return all baselines: of every seed, and of as many as trainings of several tasks are held against."""
    repeats = range(max(known.comparison.seeds, known.spec.baseline_repeats))
    trees = [known.evidence.baseline(task) for task in known.tasks]
    return tuple(Training(tree, repeat) for repeat in repeats for tree in trees)


class LastStates:
    """How far each system is, found anew only if a training has ended since: what is under way changes nothing."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self._last: tuple[Evidence, int, tuple[Known, list[SystemState]]] | None = None

    def of(self, evidence: Evidence) -> tuple[Known, list[SystemState]]:
        """Return what is known, and how far each system is."""
        last, ended = self._last, evidence.facts.count
        if last and last[0] is evidence and last[1] == ended:
            return last[2]
        known = Known(self._comparison, evidence)
        found = known, system_states(known)
        self._last = evidence, ended, found
        return found


def decide_comparison(known: Known, spent: Spent, states: Sequence[SystemState] | None = None) -> Ask | Settled:
    """Return what to train next; a failed training costs its system the row, a failed baseline everything.

    ``states`` are those of `system_states`, if they are there already.

    Raises:
        TrainingFailed: a baseline, or a trunk that baselines start from, has failed.
    """
    facts = known.evidence.facts
    alone = baselines(known)
    _check_failures((*alone, *missing_trunks(alone, known.evidence)), facts.failures)
    states = system_states(known) if states is None else states
    wanted = dict.fromkeys(alone) | dict.fromkeys(
        training for state in states if not state.refusal for training in state.trainings
    )
    # A failure may have made pointless what is under way: it is waited for, so that no result is lost.
    wanted |= dict.fromkeys(sorted(spent.under_way, key=lambda training: training.key))
    missing = [one for one in wanted if not one.is_trunk and not facts.of(one) and one not in facts.failures]
    ready = tuple(training for training in missing if _is_ready(training, known))
    if not missing:
        if under_way := tuple(spent.under_way):
            return Ask(Stage.COMPARISON, under_way, len(under_way))
        return Settled(known.comparison.tree or known.evidence.baseline(known.tasks[0]))
    trunks = missing_trunks(ready, known.evidence)
    stage = Stage.BASELINES if any(map(_is_baseline, missing)) else Stage.COMPARISON
    return Ask(stage, ready, len(missing) + len(missing_trunks(missing, known.evidence)), trunks)


def comparison_left(known: Known, decision: Ask, states: Sequence[SystemState] | None = None) -> Left:
    """Return what is left to train: all of it side by side, but for networks that follow from others.

    ``states`` are those of `system_states`, if they are there already.
    """
    states = system_states(known) if states is None else states
    to_come = sum(state.to_come for state in states)
    alone = sum(map(_is_baseline, decision.trainings)) + len(decision.trunks)
    lengths = {training: _length(training, known) for training in _missing(states, known)}
    others = decision.at_least - alone + sum(length - 1 for length in lengths.values())
    longest = max([2 if to_come else 1, *(math.ceil(length + _earlier(one)) for one, length in lengths.items())])
    return Left(decision.at_least + to_come, alone, (others, others + to_come), longest, (0, 0))


def _missing(states: Iterable[SystemState], known: Known) -> Iterator[Training]:
    """Yield every training beside the baselines that rows still need."""
    needed = dict.fromkeys(one for state in states if not state.refusal for one in state.trainings)
    return (one for one in needed if not known.evidence.facts.of(one) and not _is_baseline(one))


def _length(training: Training, known: Known) -> float:
    """Return how many times as long as one of the study's own recipe a training is, by its phases."""
    own, other = known.spec.training, training_under(known.spec, training.recipe)
    return other.algorithm.phases(training.tasks) / own.algorithm.phases(training.tasks)


def _earlier(training: Training) -> int:
    """Return how many rounds of pruning come before a training, one after the other."""
    return len(training.pruning.keeps) if training.pruning else 0


def _is_baseline(training: Training) -> bool:
    return len(training.tasks) == 1 and not training.is_variant


def _is_ready(training: Training, known: Known) -> bool:
    """Return whether what a training goes on from has ended, and the baselines that it is held against."""
    if not known.have_ended(earlier_rounds(training)):
        return False
    if len(training.tasks) == 1:
        return True
    repeats = range(known.spec.baseline_repeats)
    trees = [known.evidence.baseline(task) for task in training.tasks]
    return known.have_ended([Training(tree, repeat) for tree in trees for repeat in repeats])


def _check_failures(needed: Iterable[Training], failures: Mapping[Training, str]) -> None:
    for training in needed:
        if training in failures:
            what = "the trunk" if training.is_trunk else f"the baseline of {training.tasks[0]}"
            raise TrainingFailed(f"training {what} failed: {failures[training]}")


def _failure(training: Training, known: Known) -> str:
    named = "the trunk" if training.is_trunk else f"{'+'.join(training.tasks)} sharing {training.shared} blocks"
    by = f" by {recipe_words(training.recipe)}" if training.recipe else ""
    return f"training {named}{by} failed: {known.evidence.facts.failures[training]}"


def rests_on(state: SystemState, model: Model) -> tuple[Training, ...]:
    """Return everything that a row took: baselines, what its system asked, its networks, and their trunks."""
    known = state.known
    return with_trunks((*baselines(known), *state.system.asks(known), *trainings_of(model, known)), known)

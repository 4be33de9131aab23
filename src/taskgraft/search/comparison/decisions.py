"""What a comparison trains next: a pure function of what is known, so that it can be resumed from its ledger."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from taskgraft.errors import TrainingFailed
from taskgraft.search.comparison.protocol import Known, Model, System
from taskgraft.search.comparison.registry import systems_of
from taskgraft.search.evidence.trunks import missing_trunks, trunk_of
from taskgraft.search.strategies.remaining import Left
from taskgraft.search.strategies.strategy import Ask, Settled, Spent
from taskgraft.search.study.comparison_table import Refusal
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
        reason = self.system.refusal(self.known.spec, self.known.comparison)
        return reason or next((_failure(training, self.known) for training in self.failed), None)

    @cached_property
    def models(self) -> Sequence[Model]:
        """Its models; none while trainings that choose them are to come."""
        return self.system.models(self.known)

    @cached_property
    def trainings(self) -> tuple[Training, ...]:
        """The trainings that it rests on, those that choose its models first; the baselines are not among them."""
        if self.system.refusal(self.known.spec, self.known.comparison):
            return ()
        asked = dict.fromkeys(self.system.asks(self.known))
        parts = [trainings_of(model, self.known) for model in self.models]
        return tuple(asked | dict.fromkeys(training for trainings in parts for training in trainings))

    @property
    def failed(self) -> Iterator[Training]:
        """Those of its trainings that have failed."""
        failures = self.known.evidence.facts.failures
        return (training for training in self.trainings if training in failures)

    @property
    def to_come(self) -> int:
        """How many trainings may be asked for at most that can't be named yet."""
        if self.refusal or self.models:
            return 0
        return self.known.comparison.seeds * self.system.most_to_come(self.known.spec, self.known.comparison)


def trainings_of(model: Model, known: Known) -> tuple[Training, ...]:
    """Return the trainings of a model: each of its networks, with every seed."""
    seeds = range(known.comparison.seeds)
    return tuple(replace(part.training, repeat=seed) for seed in seeds for part in model.parts)


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


def decide_comparison(known: Known, spent: Spent) -> Ask | Settled:
    """Return what to train next; a failed training costs its system the row, a failed baseline everything.

    Raises:
        TrainingFailed: a baseline, or a trunk that baselines start from, has failed.
    """
    facts = known.evidence.facts
    alone = baselines(known)
    _check_failures((*alone, *missing_trunks(alone, known.evidence)), facts.failures)
    states = system_states(known)
    wanted = dict.fromkeys(alone) | dict.fromkeys(
        training for state in states if not state.refusal for training in state.trainings
    )
    # A failure may have made pointless what is under way: it is waited for, so that no result is lost.
    wanted |= dict.fromkeys(sorted(spent.under_way, key=lambda training: training.key))
    missing = [one for one in wanted if facts.find(one) is None and not one.is_trunk and one not in facts.failures]
    ready = tuple(training for training in missing if _is_ready(training, known))
    if not missing:
        if under_way := tuple(spent.under_way):
            return Ask(Stage.COMPARISON, under_way, len(under_way))
        return Settled(known.comparison.tree or known.evidence.baseline(known.tasks[0]))
    trunks = missing_trunks(ready, known.evidence)
    stage = Stage.BASELINES if any(len(training.tasks) == 1 for training in missing) else Stage.COMPARISON
    return Ask(stage, ready, len(missing) + len(trunks), trunks)


def comparison_left(known: Known, decision: Ask) -> Left:
    """Return what is left to train: all of it side by side, but for networks that follow from others."""
    to_come = sum(state.to_come for state in system_states(known))
    alone = sum(len(training.tasks) == 1 for training in decision.trainings) + len(decision.trunks)
    others = decision.at_least - alone
    return Left(decision.at_least + to_come, alone, (others, others + to_come), 2 if to_come else 1, (0, 0))


def _is_ready(training: Training, known: Known) -> bool:
    """Return whether the baselines that a training is held against have ended."""
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
    named = f"{'+'.join(training.tasks)} sharing {training.shared} blocks"
    return f"training {named} failed: {known.evidence.facts.failures[training]}"


def rests_on(state: SystemState, model: Model) -> tuple[Training, ...]:
    """Return everything that a row took: baselines, what its system asked, its networks, and their trunks."""
    known = state.known
    trainings = dict.fromkeys((*baselines(known), *state.system.asks(known), *trainings_of(model, known)))
    trunks = dict.fromkeys(trunk_of(training, known.spec) for training in trainings)
    return (*(trunk for trunk in trunks if trunk), *trainings)

"""Which training next: a pure function of what is known, so that a study can be replayed from its ledger."""

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from taskgraft.errors import TrainingFailed
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.trees import components, side_by_side
from taskgraft.search.evidence.trunks import missing_trunks, trunk_of
from taskgraft.search.strategies.confirming import confirming_trainings, expected_trainings
from taskgraft.search.strategies.protocol import Questions
from taskgraft.search.strategies.registry import strategy_of
from taskgraft.search.strategies.repair import repair
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage
from taskgraft.search.study.trial import Training
from taskgraft.space.cost import tree_cost
from taskgraft.space.tree import BranchTree


@dataclass(frozen=True, slots=True)
class Ask:
    """These trainings are wanted, the most urgent first; more may be wanted when one of them has ended.

    Those that are under way are among them; if all of them are, there is nothing to start yet.
    """

    stage: Stage
    trainings: tuple[Training, ...]
    at_least: int
    """Trainings still to come, these included, as far as can be known now."""
    trunks: tuple[Training, ...] = ()
    """Trunks that have to end before those of the trainings that start from them can begin."""

    def startable(self, spec: StudySpec) -> Iterator[Training]:
        """Yield what can be trained now: the trunks, then what waits for none of them."""
        yield from self.trunks
        yield from (training for training in self.trainings if trunk_of(training, spec) not in self.trunks)


@dataclass(frozen=True, slots=True)
class Settled:
    """The search is over: the tree that meets the threshold on validation, and what was given up on the way to it."""

    tree: BranchTree
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a study uses of its budget beside the trainings that have ended: those under way, and wall seconds."""

    under_way: frozenset[Training] = frozenset()
    seconds: float = 0.0


def decide(spec: StudySpec, evidence: Evidence, spent: Spent) -> Ask | Settled:
    """Return what to do next, given what is known.

    Raises:
        TrainingFailed: a training that the decision needs has failed.
    """
    decision = _with_trunks(spec, evidence, _with_confirming(spec, evidence, _decide(spec, evidence, spent)))
    asked = (*decision.trunks, *decision.trainings) if isinstance(decision, Ask) else ()
    for training in evidence.facts.failures.keys() & set(asked):
        trunk = "the trunk of " if training.is_trunk else ""
        told = f"training {trunk}{'+'.join(training.tasks)} sharing {training.shared} blocks failed"
        raise TrainingFailed(f"{told}: {evidence.facts.failures[training]}")
    # An answer may make a question pointless that is under way already: it is waited for, so that no result is lost.
    pointless = tuple(sorted(spent.under_way.difference(asked), key=lambda training: training.key))
    if not pointless:
        return decision
    if isinstance(decision, Settled):
        return Ask(Stage.VERIFICATION, pointless, len(pointless))
    return replace(decision, trainings=decision.trainings + pointless, at_least=decision.at_least + len(pointless))


def _with_trunks(spec: StudySpec, evidence: Evidence, decision: Ask | Settled) -> Ask | Settled:
    """Ask for the trunks that trainings wait for. The budget has room for them: what is asked for was priced so."""
    if isinstance(decision, Settled):
        return decision
    trunks = missing_trunks(decision.trainings, evidence)
    return replace(decision, trunks=trunks, at_least=decision.at_least + len(trunks))


def _with_confirming(spec: StudySpec, evidence: Evidence, decision: Ask | Settled) -> Ask | Settled:
    """Ask for the trainings that confirm a settled tree. They are no part of the budget of the search."""
    if isinstance(decision, Ask):
        return replace(decision, at_least=decision.at_least + expected_trainings(spec, evidence))
    known = evidence.facts.confirming
    asked = confirming_trainings(spec, evidence, decision.tree)
    wanted = tuple(training for training in asked if training not in known)
    return Ask(Stage.VERIFICATION, wanted, len(wanted)) if wanted else decision


def _decide(spec: StudySpec, evidence: Evidence, spent: Spent) -> Ask | Settled:
    if for_length := _for_length(spec, evidence, spent):
        return _ask(spec, evidence, for_length, _least_with_length(spec, evidence), True)
    baselines = [part for task in spec.task_names for part in evidence.unanswered(evidence.baseline(task))]
    questions = strategy_of(spec).open_questions(spec, evidence)
    ready = [training for training in questions.ready if training not in baselines]
    reserve = len(_to_start(evidence, spent, baselines)) + questions.verifications
    wanted = _affordable(spec, evidence, spent, ready, reserve)
    if baselines or wanted:
        left = len(baselines) + questions.left + questions.verifications
        return _ask(spec, evidence, [*baselines, *wanted], left, bool(baselines))
    return _verify(spec, evidence, spent, questions)


def _for_length(spec: StudySpec, evidence: Evidence, spent: Spent) -> tuple[Training, ...]:
    """Return the baselines that the choice of the training length waits for.

    All of them, or none if the budget has no room for all: it has to hold the further baselines of one length, too.
    """
    wanted = evidence.length.wanted() if evidence.length else ()
    later = (len(spec.tasks) + spec.training.has_trunk) * (spec.baseline_repeats - 1)
    return wanted if len(_to_start(evidence, spent, wanted)) <= _room(spec, evidence, spent, later) else ()


def _least_with_length(spec: StudySpec, evidence: Evidence) -> int:
    """Return how many trainings a study takes at least while its length is open."""
    baselines = evidence.length.least_wanted() if evidence.length else 0
    questions = strategy_of(spec).open_questions(spec, evidence)
    later = len(spec.tasks) * max(0, spec.baseline_repeats - 2)  # two of them serve to choose the length
    return baselines + later + questions.left + questions.verifications


def _ask(spec: StudySpec, evidence: Evidence, wanted: Sequence[Training], left: int, baselines: bool) -> Ask:
    if spec.budget.trials is not None:
        left = max(len(wanted), min(left, spec.budget.trials - evidence.facts.trained))
    return Ask(Stage.BASELINES if baselines else Stage.PAIRS, tuple(wanted), left)


def _affordable(
    spec: StudySpec, evidence: Evidence, spent: Spent, wanted: Sequence[Training], reserve: int
) -> list[Training]:
    """Return the wanted trainings that are under way, and as many others as the budget has room for."""
    under_way = [training for training in wanted if training in spent.under_way]
    others = [training for training in wanted if training not in spent.under_way]
    room, started, affordable = _room(spec, evidence, spent, reserve), set[Training](), list[Training]()
    for training in others:
        started |= _to_start(evidence, spent, [training])
        if len(started) > room:
            break
        affordable.append(training)
    return under_way + affordable


def _to_start(evidence: Evidence, spent: Spent, wanted: Iterable[Training]) -> set[Training]:
    """Return what has to be started for these trainings, their trunks included."""
    asked = set(wanted)
    return (asked | set(missing_trunks(asked, evidence))) - spent.under_way


def _room(spec: StudySpec, evidence: Evidence, spent: Spent, reserve: int = 0) -> int:
    """Return how many more trainings may be started when ``reserve`` of them are kept for later."""
    budget = spec.budget
    if budget.seconds is not None and spent.seconds >= budget.seconds:
        return 0
    if budget.trials is None:
        return sys.maxsize
    return max(0, budget.trials - evidence.facts.trained - len(spent.under_way) - reserve)


def _verify(spec: StudySpec, evidence: Evidence, spent: Spent, questions: Questions) -> Ask | Settled:
    """Train the tree and repair it until it meets the threshold; each tree on the way is in the ledger."""
    notes = list(_notes(spec, evidence, questions))
    tree = questions.tree() or _best_so_far(spec, evidence)
    for candidate in _candidates(evidence, tree):
        if wanted := evidence.unfinished(candidate):
            if len(_to_start(evidence, spent, wanted)) > _room(spec, evidence, spent):
                wanted = tuple(training for training in wanted if training in spent.under_way)
            if wanted:
                return Ask(Stage.VERIFICATION, wanted, len(wanted))
            best = _best_so_far(spec, evidence)
            left = (
                "only what kept the threshold when trained together is shared"
                if best.is_shared
                else "nothing is shared"
            )
            notes.append(f"the budget ended before a tree that shares blocks was verified; {left}")
            return Settled(best, "; ".join(notes))
        if evidence.meets_threshold(candidate):
            if candidate != tree:
                notes.append(_repair_note(evidence, tree))
            return Settled(candidate, "; ".join(notes) or None)
    raise AssertionError("independent models keep every threshold")


def _notes(spec: StudySpec, evidence: Evidence, questions: Questions) -> Iterator[str]:
    """Yield what a user has to know to read the result correctly."""
    if evidence.length and evidence.length.chosen is None:
        yield f"the budget ended before the training length was found; {evidence.epochs} epochs were used"
    for task in filter(evidence.is_at_chance, spec.task_names):
        yield f"the baseline of {task} is no better than chance: it shares nothing and is part of no verdict"
    if questions.ready:
        yield "the budget ended before all questions were answered; what was not tried, or is open, is not shared"
    if undecided := evidence.undecided():
        named = ", ".join(f"{' + '.join(tree.tasks)} sharing {tree.root.blocks[1]} blocks" for tree in undecided)
        yield f"undecided, and taken to break the threshold: {named}"


def _best_so_far(spec: StudySpec, evidence: Evidence) -> BranchTree:
    """Return the trees that save most of what was trained and meets the threshold, side by side."""
    template = spec.encoder
    alone = tree_cost(evidence.baseline(spec.task_names[0]), template).encoder_parameters

    def saved(tree: BranchTree) -> int:
        return len(tree.tasks) * alone - tree_cost(tree, template).encoder_parameters

    best = side_by_side((), spec.task_names, template.depth)
    chosen: list[BranchTree] = []
    for tree in sorted(evidence.kept_trees(), key=saved, reverse=True):
        if any(set(tree.tasks) & set(other.tasks) for other in chosen):
            continue
        with_tree = side_by_side([*chosen, tree], spec.task_names, template.depth)
        if evidence.meets_threshold(with_tree):  # the upper end of a whole may lie above those of its parts
            best = with_tree
            chosen.append(tree)
    return best


def _candidates(evidence: Evidence, tree: BranchTree) -> Iterator[BranchTree]:
    """Yield the synthesized tree, then its repairs; one by one, since each needs the measurement of the last."""
    yield tree
    while tree.is_shared:
        tree = repair(tree, _blamed(evidence, tree))
        yield tree


def refuted_trees(spec: StudySpec, evidence: Evidence, delivered: BranchTree) -> tuple[BranchTree, ...]:
    """Return the trees that were trained, and broke the threshold, on the way to the one that is delivered.

    The synthesized tree comes first. Empty if the first was delivered, or the budget ended before any was judged.
    """
    tree = strategy_of(spec).open_questions(spec, evidence).tree()
    found: list[BranchTree] = []
    for candidate in _candidates(evidence, tree) if tree else ():
        if candidate == delivered or evidence.unfinished(candidate):
            break
        found.append(candidate)
    return tuple(found)


def _blamed(evidence: Evidence, tree: BranchTree) -> Mapping[str, float]:
    """Return reductions of the tasks of a tree that broke the threshold; parts that meet it alone lose nothing."""
    reductions = evidence.reductions(tree)
    broken = {task for part in components(tree) if not evidence.meets_threshold(part) for task in part.tasks}
    return {task: lost if task in broken or not broken else -math.inf for task, lost in reductions.items()}


def _repair_note(evidence: Evidence, tree: BranchTree) -> str:
    is_open = not set(components(tree)).isdisjoint(evidence.undecided())
    came_out = "was not shown to keep" if is_open else "broke"
    ar, deciding = evidence.ar(tree), evidence.deciding_ar(tree)
    figures = f"AR {ar:.4f}" if ar == deciding else f"AR {ar:.4f}, upper end {deciding:.4f}"
    return f"the synthesized tree {came_out} the threshold when trained ({figures} on validation) and was repaired"

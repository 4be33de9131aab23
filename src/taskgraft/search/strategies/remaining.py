"""How many trainings a study still takes, at least and at most. Pure functions of what is known.

The plan of a study is open until its last question is answered: a pair that breaks the threshold is asked about again,
a tree that breaks it is repaired and trained again. So there is a range and not a figure; its ends meet at the end.
"""

import math
from dataclasses import dataclass, field, replace

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.length import LengthLeft, LengthSearch
from taskgraft.search.strategies.confirming import expected_trainings, most_trainings
from taskgraft.search.strategies.plan import plan_trials
from taskgraft.search.strategies.protocol import QuestionsLeft
from taskgraft.search.strategies.registry import strategy_of
from taskgraft.search.strategies.strategy import Ask, Spent, decide
from taskgraft.search.study.fields import AUTO
from taskgraft.search.study.spec import BudgetSpec, StudySpec
from taskgraft.search.study.states import Stage
from taskgraft.space.tree import BranchTree

_CREDIBLE_REPAIRS = 0.92
"""How sure it is that no more repairs come. Some studies need many of them, and they cannot share the workers."""


@dataclass(frozen=True, slots=True)
class Left:
    """Trainings that are still to come, those under way included.

    Baselines and questions run side by side, except that the questions about one pair follow one another. Verifications
    come after all of them, and each repair of a tree after the one before. ``at_most`` is the worst case; the ranges
    are what is likely, given how many answers were good so far.
    """

    at_most: int
    baselines: int
    questions: tuple[float, float]
    longest: int
    """The most questions that follow one another."""
    verifications: tuple[float, int]
    length: LengthLeft = field(default_factory=LengthLeft)
    """What the choice of the training length takes before all of them, and how long they become by it."""


def trainings_left(spec: StudySpec, evidence: Evidence, decision: Ask) -> Left:
    """Count what may still be asked for, as of ``decision``, which follows from ``evidence``."""
    trunks = len(decision.trunks)
    left = _models_left(spec, evidence, replace(decision, trunks=(), at_least=decision.at_least - trunks))
    uncounted = 0 if left.length.at_most else trunks  # the choice of a length counts its own
    return replace(left, at_most=left.at_most + uncounted, baselines=left.baselines + trunks)


def _models_left(spec: StudySpec, evidence: Evidence, decision: Ask) -> Left:
    """Count what is left beside the trunks that are waited for."""
    if all(training.is_confirming for training in decision.trainings):
        length = evidence.length.left_when_chosen() if evidence.length else LengthLeft()
        return _with_confirming(Left(0, 0, (0, 0), 0, (0, 0), length), decision.at_least, decision.at_least)
    expected = expected_trainings(spec, evidence)
    search = replace(decision, at_least=decision.at_least - expected)
    unconfirmed = spec.model_copy(update={"confirm": 0})
    if evidence.length and _chooses_length(evidence.length, decision):
        left = _of_length(unconfirmed, evidence, evidence.length.left(), search)
        return _with_confirming(left, expected, most_trainings(spec, len(spec.tasks)))
    left = _of_search(unconfirmed, evidence, search)
    if evidence.length:
        left = replace(left, length=evidence.length.left_when_chosen())
    return _with_confirming(left, expected, most_trainings(spec, len(evidence.tasks_above_chance())))


def _chooses_length(length: LengthSearch, decision: Ask) -> bool:
    """Return whether a decision asks for baselines by which the training length is chosen."""
    wanted = set(length.wanted())
    return bool(wanted) and wanted <= set(decision.trainings)


def _with_confirming(left: Left, expected: int, most: int) -> Left:
    """Add trainings that confirm the tree: like baselines they take all their steps, side by side."""
    return replace(left, at_most=left.at_most + most, baselines=left.baselines + expected)


def _of_length(spec: StudySpec, evidence: Evidence, length: LengthLeft, decision: Ask) -> Left:
    """Count while the length is open: what is known of tasks may change with it, so the rest is that of a new study."""
    fixed = _with_fixed_length(spec.model_copy(update={"budget": BudgetSpec()}))
    first = decide(fixed, Evidence(fixed), Spent())
    assert isinstance(first, Ask), "a new study asks for its baselines"
    rest, tasks = _of_search(fixed, Evidence(fixed), first), len(spec.tasks)
    most = _within_budget(spec, evidence, length.at_most + rest.at_most - tasks, decision.at_least)
    room, sure = most - len(decision.trainings), most - length.at_most
    return Left(
        most,
        tasks * max(0, spec.baseline_repeats - 1 - any(training.repeat for training in decision.trainings)),
        (max(0, min(rest.questions[0], sure)), min(rest.questions[1], room)),
        rest.longest,
        (max(0, min(rest.verifications[0], sure)), min(rest.verifications[1], room)),
        length,
    )


def _with_fixed_length(spec: StudySpec) -> StudySpec:
    """Return a study that asks the same once its training length is chosen."""
    return spec.model_copy(update={"training": spec.training.lasting(1)})


def _of_search(spec: StudySpec, evidence: Evidence, decision: Ask) -> Left:
    if decision.stage is Stage.VERIFICATION:
        return _of_verification(spec, evidence, decision)
    questions = None if spec.repeats == AUTO else strategy_of(spec).questions_left(spec, evidence)
    if questions is None:
        return _by_the_plan(spec, evidence, decision)
    return _by_questions(spec, evidence, decision, questions)


def _of_verification(spec: StudySpec, evidence: Evidence, decision: Ask) -> Left:
    least, trees = decision.at_least, {training.tree for training in decision.trainings}
    most = _within_budget(spec, evidence, least + spec.most_repeats * sum(map(_saved_blocks, trees)), least)
    return Left(most, 0, (0, 0), 0, (least, min(most, least + spec.least_repeats * _likely_repairs(evidence))))


def _by_the_plan(spec: StudySpec, evidence: Evidence, decision: Ask) -> Left:
    """Count by the plan of the whole study: what is asked next depends on too much to follow it."""
    least, baselines = decision.at_least, _baselines(decision)
    # What was taken over counts against no budget, and baselines that only served to choose the length come on top.
    unlimited = _with_fixed_length(spec.model_copy(update={"budget": BudgetSpec()}))
    known = evidence.facts.count - evidence.only_for_length
    most = _within_budget(spec, evidence, plan_trials(unlimited)[1] - known, least)
    questions = max(least - baselines, strategy_of(spec).likely_questions(spec, most, baselines))
    trees = spec.least_repeats * (1 + _likely_repairs(evidence)) if len(spec.tasks) > 1 else 0
    return Left(most, baselines, (least - baselines, questions), len(spec.depths), (0, trees))


def _by_questions(spec: StudySpec, evidence: Evidence, decision: Ask, questions: QuestionsLeft) -> Left:
    baselines, repeats = _baselines(decision), spec.least_repeats
    saved = questions.most_saved
    trees = repeats * (saved + min(len(spec.tasks) // 2, saved))  # repairs, and each part of the first tree
    most = _within_budget(spec, evidence, baselines + repeats * questions.most + trees, decision.at_least)
    low, high = (repeats * ends for ends in questions.likely)
    room = most - baselines
    first = repeats if evidence.kept_trees() and len(spec.tasks) > 2 else 0
    likely = min(trees, repeats * (max(1, len(spec.tasks) // 2) + _likely_repairs(evidence)))
    return Left(
        most, baselines, (min(low, room), min(high, room)), questions.longest, (min(first, room), min(likely, room))
    )


def _likely_repairs(evidence: Evidence) -> int:
    """Return how many repairs of a tree are not exceeded with `_CREDIBLE_REPAIRS` probability.

    The chance that the next tree breaks the threshold is taken from the trees of three tasks or more so far, by the
    rule of succession.
    """
    broken = sum(len(tree.tasks) > 2 for tree in evidence.broken_trees())
    return math.ceil(math.log(1 - _CREDIBLE_REPAIRS) / math.log((broken + 1) / (broken + 2)))


def _baselines(decision: Ask) -> int:
    return sum(len(training.tasks) == 1 for training in decision.trainings)


def _within_budget(spec: StudySpec, evidence: Evidence, trainings: int, least: int) -> int:
    """Return as many of these trainings as the budget has room for; those at least are counted by the strategy."""
    room = trainings if spec.budget.trials is None else min(trainings, spec.budget.trials - evidence.facts.trained)
    return max(least, room)


def _saved_blocks(tree: BranchTree) -> int:
    """Return how many blocks a tree spares its tasks; a repair takes one of them at least."""
    return sum(node.length * (len(node.children) - 1) for node in tree.nodes() if not node.is_leaf)

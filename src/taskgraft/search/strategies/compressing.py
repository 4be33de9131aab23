"""`compression`: once the tree is settled, a step that prunes makes each of its parts smaller, round by round.

These trainings come after the search is over, and no decision of it looks at them.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.pruned import all_rounds, earlier_rounds
from taskgraft.search.evidence.trees import components
from taskgraft.search.strategies.compression_effort import compressing_trainings
from taskgraft.search.strategies.remaining import Left, trainings_left
from taskgraft.search.strategies.strategy import Ask, Settled, Spent
from taskgraft.search.study.compression_spec import prunes
from taskgraft.search.study.pruning import Pruned
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage
from taskgraft.search.study.trial import Training
from taskgraft.space.tasks import Task
from taskgraft.space.tree import BranchTree


def compressed_parts(
    spec: StudySpec, evidence: Evidence, tree: BranchTree, tasks: Sequence[Task]
) -> tuple[Training, ...]:
    """Return the last training of each part of a settled tree; none if no step prunes.

    A part that keeps its tree is the one that is delivered. Tasks that share weights start from their first baselines.
    """
    step = prunes(spec.compression)
    if step is None:
        return ()
    found = []
    for part in components(tree):
        base, made = evidence.best_repeat(part), step.pruning(part, spec.encoder, tasks)
        assert made  # a step that prunes prunes every part
        smaller, pruning = made
        if pruning.form is Pruned.SHARED:
            base = evidence.training(smaller)
        found.append(replace(base, tree=smaller, pruning=pruning))
    return tuple(found)


def with_compression(
    spec: StudySpec, evidence: Evidence, tasks: tuple[Task, ...], spent: Spent, decision: Ask | Settled
) -> Ask | Settled:
    """Ask for the trainings that make a settled tree smaller. They are no part of the budget of the search.

    Nothing is asked for if no task learnt anything, so that there is no verdict, or once a round has failed.
    """
    if isinstance(decision, Ask):
        return replace(decision, at_least=decision.at_least + compressing_trainings(spec, tasks)[0])
    if not evidence.tasks_above_chance():
        return decision
    facts = evidence.facts
    rounds = [all_rounds(last) for last in compressed_parts(spec, evidence, decision.tree, tasks)]
    if any(training in facts.failures for one in rounds for training in one):
        # What is under way has become pointless: it is waited for, so that no result is lost.
        waiting = tuple(sorted((one for one in spent.under_way if one.pruning), key=lambda training: training.key))
        return Ask(Stage.COMPRESSION, waiting, len(waiting)) if waiting else decision
    missing = dict.fromkeys(training for one in rounds for training in one if not facts.of(training))
    ready = tuple(one for one in missing if all(facts.of(before) for before in earlier_rounds(one)))
    return Ask(Stage.COMPRESSION, ready, len(missing)) if missing else decision


def left_with_compression(spec: StudySpec, evidence: Evidence, tasks: tuple[Task, ...], decision: Ask) -> Left:
    """Count what may still be asked for, as of a decision of `with_compression`."""
    if decision.stage is Stage.COMPRESSION:
        count = decision.at_least
        in_turn = math.ceil(count / len(decision.trainings))  # chains of rounds are about as long as each other
        return Left(count, 0, (count, count), in_turn, (0, 0))
    fewest, most = compressing_trainings(spec, tasks)
    left = trainings_left(spec, evidence, replace(decision, at_least=decision.at_least - fewest))
    trees = (left.verifications[0] + fewest, left.verifications[1] + most)
    return replace(left, at_most=left.at_most + most, verifications=trees)

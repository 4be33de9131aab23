"""`compression`: once the tree is settled, a step that prunes makes each of its parts smaller, round by round.

These trainings come after the search is over, and no decision of it looks at them.
"""

from collections.abc import Sequence
from dataclasses import replace

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.pruned import all_rounds, earlier_rounds
from taskgraft.search.evidence.trees import components
from taskgraft.search.strategies.remaining import Left
from taskgraft.search.strategies.strategy import Ask, Settled
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
        if pruning.form is Pruned.SHARED:  # it goes on from baselines, which are no probes
            base = replace(base, repeat=0, is_probe=False)
        found.append(replace(base, tree=smaller, pruning=pruning))
    return tuple(found)


def with_compression(
    spec: StudySpec, evidence: Evidence, tasks: Sequence[Task], decision: Ask | Settled
) -> Ask | Settled:
    """Ask for the trainings that make a settled tree smaller.

    Nothing is asked for if no task learnt anything, so that there is no verdict, or once a round has failed.
    """
    if isinstance(decision, Ask) or not evidence.tasks_above_chance():
        return decision
    facts = evidence.facts
    rounds = [all_rounds(last) for last in compressed_parts(spec, evidence, decision.tree, tasks)]
    if any(training in facts.failures for one in rounds for training in one):
        return decision
    missing = dict.fromkeys(training for one in rounds for training in one if not facts.of(training))
    ready = tuple(one for one in missing if all(facts.of(before) for before in earlier_rounds(one)))
    return Ask(Stage.COMPRESSION, ready, len(missing)) if missing else decision


def compression_left(decision: Ask) -> Left:
    """Return what is left of a tree's compression: rounds that follow one another."""
    longest = max((len(one.pruning.keeps) for one in decision.trainings if one.pruning), default=1)
    return Left(decision.at_least, 0, (decision.at_least, decision.at_least), longest, (0, 0))

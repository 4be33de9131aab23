"""What a study may ask for next: held against all answers that are possible, in made-up worlds."""

from collections.abc import Mapping
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.errors import TrainingFailed
from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.strategies.ahead import LookAhead
from taskgraft.search.strategies.likely import chance_to_keep, likely_answers
from taskgraft.search.strategies.strategy import Ask, Spent, decide
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training, Trial, TrialState
from taskgraft.space.tree import BranchTree
from tests.search.worlds import LENGTHS, World, finished, make_spec, measurement

STRATEGIES = ("adaptive", "bisection", "exhaustive", "groups")


def with_baselines(spec: StudySpec) -> Evidence:
    return Evidence(
        spec,
        [
            finished(Training(BranchTree.flat([task], 8, 8), repeat), measurement({task: 0.8}))
            for task in spec.task_names
            for repeat in range(int(spec.repeats))
        ],
    )


def probe(tasks: str, shared: int) -> Training:
    return Training(BranchTree.flat(tasks, shared, 8), is_probe=True)


def after(spec: StudySpec, world: World, trainings: int) -> Evidence:
    """What a study knows after so many trainings, made one by one."""
    evidence = Evidence(spec, (), LENGTHS)
    for _ in range(trainings):
        decision = decide(spec, evidence, Spent())
        if not isinstance(decision, Ask):
            break
        evidence.add(finished(decision.trainings[0], world.measure(decision.trainings[0])))
    return evidence


@st.composite
def moments(draw: st.DrawFn, largest: int = 4) -> tuple[StudySpec, Evidence]:
    tasks = draw(st.integers(2, largest))
    depths = draw(st.sampled_from([(4, 5, 6, 7, 8), (8, 4), (6,)]))
    spec = make_spec(tasks, depths=depths, strategy=draw(st.sampled_from(STRATEGIES)))
    lost = st.sampled_from([0.0, 0.01, 0.05])
    cells = {(*pair, depth): draw(lost) for pair in combinations(spec.task_names, 2) for depth in depths}
    return spec, after(spec, World(cells, seed=draw(st.integers(0, 99))), draw(st.integers(0, 20)))


def all_chances(spec: StudySpec, evidence: Evidence, answers: Mapping[Training, Measurement]) -> dict[Training, float]:
    """How likely each training is asked for, by following every answer to the end."""
    found: dict[Training, float] = {}

    def follow(known: Evidence, chance: float, asked_before: frozenset[Training]) -> None:
        decision = decide(spec, known, Spent())
        if not isinstance(decision, Ask):
            return
        for training in set(decision.trainings) - asked_before:
            found[training] = found.get(training, 0.0) + chance
        asked = asked_before.union(decision.trainings)
        there = [training for training in decision.trainings if training in answers]
        if there:
            ended = Trial(0, there[0], 0, TrialState.COMPLETE, answers[there[0]])
            follow(known.assuming(ended), chance, asked)
            return
        for share, trial in likely_answers(decision.trainings[0], known):
            follow(known.assuming(trial), chance * share, asked)

    follow(evidence, 1.0, frozenset())
    return found


@settings(max_examples=30, deadline=None)
@given(moments(largest=3))
def test_no_training_is_taken_to_be_likelier_than_it_is(case: tuple[StudySpec, Evidence]) -> None:
    spec, evidence = case
    if spec.strategy == "exhaustive" or not evidence.has_baselines(spec.task_names):
        return
    true = all_chances(spec, evidence, {})
    look = LookAhead(spec, evidence, {})
    best = look.best(())
    assert all(look.chance(training) <= chance + 1e-9 for training, chance in true.items())
    assert best is None or look.chance(best) >= 0.05 - 1e-9
    decision = decide(spec, evidence, Spent())
    for training in decision.trainings if isinstance(decision, Ask) else ():
        assert look.chance(training) == pytest.approx(true[training]) == pytest.approx(1.0)


@settings(max_examples=40, deadline=None)
@given(moments())
def test_nothing_is_changed_by_looking(case: tuple[StudySpec, Evidence]) -> None:
    spec, evidence = case
    before, known = decide(spec, evidence, Spent()), dict(evidence.facts.known)
    LookAhead(spec, evidence, {}).best(())
    assert dict(evidence.facts.known) == known
    assert decide(spec, evidence, Spent()) == before


@settings(max_examples=40, deadline=None)
@given(moments(), st.booleans())
def test_what_is_chosen_could_be_trained_now_with_the_same_result(
    case: tuple[StudySpec, Evidence], is_alone: bool
) -> None:
    spec, evidence = case
    decision = decide(spec, evidence, Spent())
    under_way = decision.trainings[: None if is_alone else 1] if isinstance(decision, Ask) else ()
    best = LookAhead(spec, evidence, {}).best(under_way)
    if best is not None:
        assert best not in under_way
        assert best not in evidence.facts.known
        if len(best.tasks) > 1 and not evidence.has_baselines(best.tasks):  # an open training
            assert evidence.length is None or not evidence.length.is_open
        assert best.tree not in {training.tree for training in under_way}


@pytest.mark.parametrize("decision", ["point", "confident"])
@pytest.mark.parametrize("repeats", [1, 2])
@pytest.mark.parametrize("threshold", [0.0, 0.02, 0.3])
@pytest.mark.parametrize(("strategy", "told"), [("groups", 1.0), ("trees", 1 / 3 + 2 / 3 / 2)])
def test_an_assumed_answer_keeps_the_threshold_or_breaks_it(
    decision: str, repeats: int, threshold: float, strategy: str, told: float
) -> None:
    """Before anything was tried it is a guess who loses, on which the next question of `trees` hangs."""
    spec = make_spec(3, ar_threshold=threshold, decision=decision, repeats=repeats, strategy=strategy)
    evidence = with_baselines(spec)
    tree = BranchTree.flat("abc", 8, 8)
    chance, answers = 0.0, []
    for training in evidence.unanswered(tree)[:1]:
        for share, trial in likely_answers(training, evidence):
            known = evidence.assuming(trial)
            for repeat in known.unanswered(tree):
                known = known.assuming(Trial(0, repeat, 0, TrialState.COMPLETE, trial.measurement))
            answers.append(known.meets_threshold(tree))
            chance += share
    # On a level, no part keeps Q = 0 by a margin.
    assert answers == [decision == "confident" or threshold > 0 or strategy == "groups", False]
    assert chance == pytest.approx(told)
    assert not evidence.is_measured(tree)


def test_what_was_answered_before_makes_an_answer_likely() -> None:
    spec = make_spec(4, strategy="adaptive")
    evidence = with_baselines(spec)
    pairs = [probe("".join(pair), 8) for pair in combinations("abcd", 2)]
    assert chance_to_keep(pairs[-1], evidence) == pytest.approx(1 / 3)
    for pair in pairs[:4]:
        evidence.add(finished(pair, measurement(dict.fromkeys(pair.tasks, 0.8))))
    assert chance_to_keep(pairs[-1], evidence) > 0.85
    assert chance_to_keep(Training(pairs[-1].tree), evidence) > 0.85
    assert chance_to_keep(Training(pairs[0].tree), evidence) == 1.0
    assert 0.5 < chance_to_keep(probe("cd", 4), evidence) < chance_to_keep(pairs[-1], evidence)
    assert chance_to_keep(probe("abc", 8), evidence) == pytest.approx(1 / 3)


def test_a_group_is_likely_to_break_the_threshold_and_to_be_tried_where_it_shares_less() -> None:
    spec = make_spec(4, strategy="groups", depths=[4, 8])
    evidence = with_baselines(spec)
    look = LookAhead(spec, evidence, {})
    assert look.best([probe("abcd", 8)]) == probe("abcd", 4)
    assert look.chance(probe("abcd", 4)) == pytest.approx(2 / 3)
    assert LookAhead(spec, evidence, {}).best([probe("abcd", 8), probe("abcd", 4)]) == probe("ab", 4)
    kept = {probe("abcd", 8): measurement(dict.fromkeys("abcd", 0.8), steps_left=10)}
    whole = Training(BranchTree.flat("abcd", 8, 8))
    assert LookAhead(spec, evidence, kept).best(()) == whole
    assert LookAhead(spec, evidence, kept).chance(probe("abcd", 4)) == 0.0


def test_a_model_is_not_trained_beside_its_own_probe() -> None:
    spec = make_spec(2, strategy="adaptive", depths=[8])
    evidence = with_baselines(spec)
    assert LookAhead(spec, evidence, {}).best([probe("ab", 8)]) is None


def test_a_model_does_not_wait_for_the_last_of_the_baselines_that_it_is_compared_with() -> None:
    spec = make_spec(3, strategy="groups")
    evidence = after(spec, World(worst_tree=0.0), 2)
    assert LookAhead(spec, evidence, {}).best([Training(BranchTree.flat("c", 8, 8))]) == probe("abc", 8)


def test_a_model_waits_for_the_length_of_trainings() -> None:
    spec = make_spec(3, strategy="groups", training={"epochs": "auto"})
    evidence = after(spec, World(worst_tree=0.0), 2)
    last = Training(BranchTree.flat("c", 8, 8), epochs=LENGTHS[0])
    best = LookAhead(spec, evidence, {}).best([last])
    assert best is None or len(best.tasks) == 1


def test_baselines_of_a_length_that_is_not_settled_are_trained_ahead() -> None:
    """If twice the length gains nothing, second baselines of the shorter one are next."""
    spec = make_spec(2, strategy="groups", training={"epochs": "auto"})
    evidence = after(spec, World(worst_tree=0.0, clips=400), 3)
    (last,) = decide(spec, evidence, Spent()).trainings  # type: ignore[union-attr]
    best = LookAhead(spec, evidence, {}).best([last])
    assert best is not None
    assert (len(best.tasks), best.repeat, best.epochs) == (1, 1, LENGTHS[0])


def test_a_study_that_fails_is_not_looked_ahead_of() -> None:
    spec = make_spec(2)
    failed = Trial(0, Training(BranchTree.flat("a", 8, 8)), 0, TrialState.FAILED, error="the loss is nan")
    evidence = Evidence(spec, [failed])
    assert LookAhead(spec, evidence, {}).best(()) is None
    with pytest.raises(TrainingFailed):
        decide(spec, evidence, Spent())

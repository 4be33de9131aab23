"""What follows from finished trainings, against computation by hand."""

import numpy as np
import pytest
from hypothesis import given, settings

from taskgraft.evaluators.measurement import Measurement, Outcomes
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.reduction_matrix import decisive, reduction_matrix
from taskgraft.search.evidence.trees import components
from taskgraft.search.study.trial import Training, Trial, TrialState
from taskgraft.space.matrix import Cell, Decision, ReductionMatrix
from taskgraft.space.tree import BranchTree, Node
from tests.search.branches import branch_trees
from tests.search.worlds import finished, make_spec, measurement

A, B, C = (BranchTree.flat(task, 8, 8) for task in "abc")
AB5 = BranchTree.flat("ab", 5, 8)
TWO_PARTS = BranchTree(Node(("a", "b", "c"), (0, 0), (AB5.root, C.root)), 8)


def baselines(**metrics: float) -> list[Trial]:
    trees = {task: BranchTree.flat(task, 8, 8) for task in metrics}
    return [finished(Training(trees[task]), measurement({task: value})) for task, value in metrics.items()]


def said(*right: bool) -> Outcomes:
    """Outcomes of so many clips of class 1."""
    ones = np.ones(len(right), np.int32)
    return Outcomes.of_classes(np.arange(len(right), dtype=np.int32), ones, np.array(right, np.int32), ones)


def measured(**outcomes: Outcomes) -> Measurement:
    metrics = {task: float(one.classes.predicted.mean()) for task, one in outcomes.items()}
    return Measurement(metrics, outcomes, 10, 10, 1.0, "nowhere:1")


def test_ar_is_the_worst_signed_reduction_and_never_below_zero() -> None:
    evidence = Evidence(make_spec(2), baselines(a=0.8, b=0.5))
    assert not evidence.is_known(AB5)
    evidence.add(finished(Training(AB5), measurement({"a": 0.6, "b": 0.6})))
    assert evidence.reductions(AB5) == pytest.approx({"a": 0.25, "b": -0.2})
    assert evidence.ar(AB5) == evidence.deciding_ar(AB5) == pytest.approx(0.25)
    assert not evidence.meets_threshold(AB5)
    gain = BranchTree.flat("ab", 8, 8)
    evidence.add(finished(Training(gain), measurement({"a": 0.9, "b": 0.6})))
    assert evidence.ar(gain) == 0
    assert evidence.meets_threshold(gain)


@pytest.mark.parametrize(("baseline", "metric", "keeps"), [(0.8, 0.784, True), (1, 0.98, True), (1, 0.9799, False)])
def test_an_ar_of_exactly_the_threshold_keeps_it(baseline: float, metric: float, keeps: bool) -> None:
    """One clip of fifty is 2 %, whatever binary fractions make of it."""
    evidence = Evidence(make_spec(2), baselines(a=baseline, b=0.8))
    evidence.add(finished(Training(AB5), measurement({"a": metric, "b": 0.9})))
    assert evidence.meets_threshold(AB5) is keeps


def test_repeats_count_by_their_mean() -> None:
    evidence = Evidence(make_spec(2, repeats=2))
    for repeat, (alone, together) in enumerate([(0.7, 0.6), (0.9, 0.8)]):
        for tree, value in ((A, alone), (B, 0.5), (AB5, together)):
            assert not evidence.is_known(AB5)
            evidence.add(finished(Training(tree, repeat), measurement(dict.fromkeys(tree.tasks, value))))
    assert evidence.references("ab") == pytest.approx({"a": 0.8, "b": 0.5})
    assert evidence.metrics(AB5) == pytest.approx({"a": 0.7, "b": 0.7})
    assert evidence.ar(AB5) == pytest.approx(0.125)


def test_interval_is_that_of_the_paired_bootstrap() -> None:
    """Five clips that the baseline has right; the pair misses one: AR of a resample is how often it was drawn, by 5."""
    right, one_wrong = said(*[True] * 5), said(False, True, True, True, True)
    answers = {A: {"a": right}, B: {"b": right}, AB5: {"a": one_wrong, "b": right}}
    evidence = Evidence(make_spec(2), [finished(Training(tree), measured(**one)) for tree, one in answers.items()])
    draws = np.random.default_rng(0).multinomial(5, np.full(5, 0.2), size=1000)[:, 0] / 5
    assert evidence.ar(AB5) == pytest.approx(0.2)
    assert evidence.interval(AB5) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])))


def test_confident_decisions_hold_the_upper_end_against_the_threshold() -> None:
    answers = {A: {"a": said(*[True] * 20)}, B: {"b": said(*[True] * 20)}}
    answers[AB5] = dict.fromkeys("ab", said(*[True] * 19, False))
    trials = [finished(Training(tree), measured(**one)) for tree, one in answers.items()]
    point, confident = (Evidence(make_spec(2, ar_threshold=0.06, decision=d), trials) for d in ("point", "confident"))
    assert point.meets_threshold(AB5)
    assert not confident.meets_threshold(AB5)
    assert confident.deciding_ar(AB5) == confident.interval(AB5)[1] > 0.06


def test_a_task_alone_is_its_own_baseline_and_costs_nothing() -> None:
    evidence = Evidence(make_spec(3), baselines(a=0.8, b=0.8, c=0.8))
    alone = BranchTree.flat("abc", 0, 8)
    assert evidence.is_known(alone)
    assert (evidence.ar(alone), evidence.interval(alone)) == (0, (0, 0))
    assert evidence.unfinished(TWO_PARTS) == (Training(AB5),)
    assert evidence.unanswered(TWO_PARTS) == (Training(AB5, is_probe=True),)


def test_parts_that_share_nothing_are_measured_one_by_one() -> None:
    assert components(TWO_PARTS) == (AB5, C)
    assert components(AB5) == (AB5,)
    assert components(A) == (A,)
    assert components(BranchTree.flat("abc", 0, 8)) == (A, B, C)


@settings(max_examples=100, deadline=None)
@given(branch_trees())
def test_components_hold_every_task_once_and_all_that_is_shared(tree: BranchTree) -> None:
    parts = components(tree)
    assert sorted(task for part in parts for task in part.tasks) == sorted(tree.tasks)
    for part in parts:
        assert part.root.length or len(part.tasks) == 1
        for first in part.tasks:
            for second in part.tasks:
                if first != second:
                    assert part.shared_depth(first, second) == tree.shared_depth(first, second)


def test_the_best_repeat_keeps_most_of_its_worst_task() -> None:
    alone = [Training(tree, repeat) for tree in (A, B) for repeat in range(3)]
    trials = [finished(training, measurement(dict.fromkeys(training.tasks, 0.8))) for training in alone]
    pairs = [{"a": 0.9, "b": 0.6}, {"a": 0.78, "b": 0.79}, {"a": 0.7, "b": 0.95}]
    trials += [finished(Training(AB5, repeat), measurement(metrics)) for repeat, metrics in enumerate(pairs)]
    evidence = Evidence(make_spec(2, repeats=3), trials)
    assert evidence.best_repeat(AB5) == Training(AB5, 1)
    better = finished(Training(A, 2), measurement({"a": 0.9}))
    evidence.add(better)
    assert evidence.best_repeat(A) == Training(A, 2)


def test_matrix_has_what_is_known_and_its_intervals() -> None:
    spec = make_spec(3)
    trials = [*baselines(a=0.8, b=0.8), finished(Training(AB5), measurement({"a": 0.6, "b": 0.8}))]
    trials.append(finished(Training(BranchTree.flat("bc", 5, 8)), measurement({"b": 0.8, "c": 0.8})))
    matrix = reduction_matrix(spec, trials)
    assert {pair: list(cells) for pair, cells in matrix.cells.items()} == {("a", "b"): [5]}
    cell = matrix.cell("b", "a", 5)
    assert cell
    assert cell.low is not None
    assert cell.high is not None
    assert cell.ar == pytest.approx(0.25)
    assert 0 < cell.low <= cell.ar <= cell.high


def test_the_decisive_part_of_a_matrix_ends_at_the_compatibility() -> None:
    cells = {
        ("a", "b"): {8: Cell(0.5), 7: Cell(0.01), 6: Cell(0.0), 5: Cell(0.3)},
        ("a", "c"): {8: Cell(0.5), 4: Cell(0.4)},
    }
    left = decisive(ReductionMatrix(("a", "b", "c"), cells), 0.02, Decision.POINT)
    assert {pair: sorted(by_depth) for pair, by_depth in left.cells.items()} == {("a", "b"): [7, 8], ("a", "c"): [4, 8]}


def test_a_failed_training_is_kept_with_its_reason() -> None:
    evidence = Evidence(make_spec(2), [Trial(0, Training(A), 0, TrialState.FAILED, error="out of luck")])
    assert evidence.facts.failures == {Training(A): "out of luck"}
    assert evidence.facts.count == 1
    assert not evidence.has_baselines("a")


def test_training_keys_are_equal_exactly_where_trainings_are() -> None:
    trees = (A, AB5, TWO_PARTS, BranchTree.flat("ab", 6, 8))
    trainings = [Training(tree, repeat) for tree in trees for repeat in (0, 1)]
    assert len({training.key for training in trainings}) == len(trainings)
    assert [Training.from_key(training.key) for training in trainings] == trainings
    assert (Training(A).shared, Training(AB5).shared, Training(AB5).tasks) == (8, 5, ("a", "b"))

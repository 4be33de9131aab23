"""What is kept is what would be worked out afresh, however a ledger grew."""

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.reduction_matrix import reduction_matrix
from taskgraft.search.running.findings import tree_at
from taskgraft.search.running.matrix_keeper import MatrixKeeper
from taskgraft.search.running.tradeoff import critical_thresholds, find_tradeoff, follows_from_matrix, is_stepwise
from taskgraft.search.store.rows import new_id
from taskgraft.search.store.tables import utc_now
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage, State
from taskgraft.search.study.study import Study
from taskgraft.search.study.trial import Trial
from taskgraft.space.matrix import ReductionMatrix
from tests.search.curves import CurveWorld, cases, drive
from tests.search.worlds import World, make_spec, simulate


def kept_matrices(spec: StudySpec, trials: Sequence[Trial], lengths: Sequence[int]) -> dict[int, ReductionMatrix]:
    """What a keeper that sees the ledger at these lengths, and then whole, keeps for each."""
    kept: dict[int, ReductionMatrix] = {}
    seen = iter([*lengths, len(trials)])
    keeper = MatrixKeeper(spec, lambda: trials[: next(seen)], lambda matrix, count: kept.update({count: matrix}))
    for _ in (*lengths, 0):
        keeper._update()
    return kept


def assert_fresh(spec: StudySpec, trials: Sequence[Trial], kept: dict[int, ReductionMatrix]) -> None:
    assert max(kept) == len(trials)
    for count, matrix in kept.items():
        assert matrix.to_csv() == reduction_matrix(spec, trials[:count]).to_csv()


LENGTHS = st.lists(st.integers(0, 12), max_size=3).map(sorted)
DECISIONS = st.sampled_from(["point", "confident"])


@st.composite
def worlds(draw: st.DrawFn) -> World:
    lost = st.sampled_from([0.0, 0.02, 0.021, 0.04, 0.1])
    cells = {(*pair, depth): draw(lost) for pair in combinations("abc", 2) for depth in (4, 8)}
    return World(cells, draw(lost), draw(st.integers(0, 99)), spread=draw(st.sampled_from([0.0, 0.02])))


@settings(max_examples=25, deadline=None)
@given(worlds(), LENGTHS, DECISIONS, st.sampled_from(["adaptive", "bisection", "groups", "exhaustive", "trees"]))
def test_a_matrix_that_grew_is_the_one_worked_out_afresh(
    world: World, lengths: list[int], decision: str, strategy: str
) -> None:
    spec = make_spec(3, depths=[4, 8], decision=decision, strategy=strategy)
    trials = simulate(spec, world).trials
    assert_fresh(spec, trials, kept_matrices(spec, trials, [length for length in lengths if length <= len(trials)]))


@settings(max_examples=4, deadline=None)
@given(cases(), LENGTHS)
def test_so_it_is_with_trainings_that_stop_early(case: tuple[dict[str, Any], CurveWorld], lengths: list[int]) -> None:
    more, world = case
    spec = make_spec(**more)
    trials = drive(spec, world).trials
    assert_fresh(spec, trials, kept_matrices(spec, trials, [length for length in lengths if length <= len(trials)]))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 99), st.sampled_from(["auto", 2]), st.lists(st.integers(0, 10), max_size=2).map(sorted))
def test_so_it_is_with_repeats(seed: int, repeats: str | int, lengths: list[int]) -> None:
    spec = make_spec(3, repeats=repeats, depths=[4, 8])
    trials = simulate(
        spec, World({("a", "b", 8): 0.019, ("b", "c", 4): 0.02}, seed=seed, spread=0.01, clips=200)
    ).trials
    assert_fresh(spec, trials, kept_matrices(spec, trials, [length for length in lengths if length <= len(trials)]))


def ended(spec: StudySpec) -> Study:
    return Study(new_id(), spec, State.SUCCEEDED, utc_now(), utc_now(), Stage.EXPORT)


@settings(max_examples=20, deadline=None)
@given(
    worlds(),
    st.lists(st.floats(0, 0.4), min_size=1, max_size=4),
    DECISIONS,
    st.sampled_from([(1, "exhaustive"), (2, "adaptive"), (2, "bisection")]),
)
def test_between_its_thresholds_a_stepwise_tradeoff_has_the_tree_that_is_worked_out(
    world: World, thresholds: list[float], decision: str, search: tuple[int, str]
) -> None:
    repeats, strategy = search
    spec = make_spec(3, depths=[4, 8], decision=decision, strategy=strategy, repeats=repeats)
    assert is_stepwise(spec)
    study, trials = ended(spec), tuple(simulate(spec, world).trials)
    points = find_tradeoff(study, trials)
    critical = critical_thresholds(Evidence(spec, trials))
    just_below = [(threshold + before) / 2 for before, threshold in pairwise(critical)][:4]
    for threshold in (*thresholds, *just_below, *critical[:4]):
        point = [point for point in points if point.ar_threshold <= threshold][-1]
        expected = tree_at(study, trials, threshold)
        known = {**point.document, "ar_threshold": threshold}
        assert known == ({name: expected[name] for name in known} if follows_from_matrix(spec) else expected)


@settings(max_examples=10, deadline=None)
@given(cases())
def test_at_its_thresholds_every_tradeoff_has_the_tree_that_is_worked_out(
    case: tuple[dict[str, Any], CurveWorld],
) -> None:
    more, world = case
    spec = make_spec(**more)
    study, trials = ended(spec), tuple(drive(spec, world).trials)
    points = find_tradeoff(study, trials)
    assert points[0].ar_threshold == 0
    for point in points:
        expected = tree_at(study, trials, point.ar_threshold)
        assert point.document == {name: expected[name] for name in point.document}
    for before, point in pairwise(points):
        assert before.ar_threshold < point.ar_threshold

"""What a tree says about itself holds in every made-up world: reasons are true, and nothing unknown is called known."""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.reduction_matrix import decisive_matrix, matrix_of
from taskgraft.search.running.elsewhere import evidence_at
from taskgraft.search.strategies.explanation import branchings, explanation, unknown_cells
from taskgraft.search.strategies.strategy import Settled
from taskgraft.search.study.trial import Training
from taskgraft.space.branching import Reason, describe_branching
from taskgraft.space.synthesis import synthesize
from taskgraft.space.templates.registry import get_template
from tests.search.curves import CurveWorld, cases, drive
from tests.search.worlds import World, make_spec, measurement, simulate

CNN8 = get_template("cnn8")
ANSWERED_BEHIND = (
    {"tasks": 3, "depths": (4, 5, 6, 7, 8), "strategy": "bisection", "confirm": 0},
    CurveWorld(
        {(*pair, depth): -0.02 for pair in combinations("abc", 2) for depth in (4, 5, 6, 7, 8)}
        | {("a", "c", 8): 0.008},
        worst_tree=0.0,
    ),
)
"""At Q = 0, a and c have to be trained again at depth 5, and what is asked then is known from the study at 0.5 %."""
THRESHOLDS = st.sampled_from([0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3])


@settings(max_examples=40, deadline=None)
@given(cases(), THRESHOLDS)
def test_every_branching_has_true_reasons(case: tuple[dict[str, Any], CurveWorld], threshold: float) -> None:
    more, world = case
    spec = make_spec(**more, ar_threshold=threshold)
    run = drive(spec, world)
    evidence, tree = Evidence(spec, run.trials), run.settled.tree
    measured = {trial.training.tree for trial in run.trials}
    found = branchings(spec, evidence, tree)
    inner = [node for node in tree.nodes() if not node.is_leaf and node.blocks[1] < tree.depth]
    assert [(one.tasks, one.blocks, len(one.parts)) for one in found] == [
        (node.tasks, node.blocks[1], len(node.children)) for node in inner
    ]
    for branching in found:
        assert branching.because
        assert describe_branching(branching.to_json()).count("part ") == 1
        for cause in branching.because:
            assert set(cause.tasks) <= set(branching.tasks) or cause.reason is Reason.REPAIRED
            if cause.reason in (Reason.BROKE, Reason.REPAIRED):
                assert cause.ar is not None
                assert cause.ar > threshold
                assert cause.depth > branching.blocks
            if cause.reason is Reason.BROKE:
                parted = [part for part in branching.parts if set(part) & set(cause.tasks)]
                assert len(parted) > 1
                assert any(one.tasks == cause.tasks and one.root.blocks[1] == cause.depth for one in measured), (
                    "somebody trained that"
                )
            assert cause.reason is not Reason.BUDGET, "there was none"
            assert cause.reason is not Reason.NOT_ASKED or more["strategy"] == "groups"


@settings(max_examples=40, deadline=None)
@given(cases(), THRESHOLDS, THRESHOLDS)
@example(ANSWERED_BEHIND, 0.005, 0.0)
def test_the_trainings_needed_at_another_threshold_bound_what_a_study_there_trains(
    case: tuple[dict[str, Any], CurveWorld], before: float, threshold: float
) -> None:
    more, world = case
    first = drive(make_spec(**more, ar_threshold=before), world)
    spec = make_spec(**more, ar_threshold=threshold)
    evidence = evidence_at(spec, first.trials)
    tree = synthesize(decisive_matrix(evidence), threshold, CNN8)
    unknown = unknown_cells(spec, evidence, tree)
    again = drive(spec, world, [first])
    probes = {trial.training for trial in again.trials if trial.training.is_probe}
    if more["strategy"] == "exhaustive":
        # Repairs train pairs, too, at depths that nobody asks about.
        pairs = (trial.training for trial in again.trials if len(trial.training.tasks) == 2)
        probes = {training for training in pairs if training.shared in spec.depths}
    own = {training for training in again.newly_trained if training in probes and not training.is_confirming}
    assert unknown.at_least <= len(own) <= unknown.at_most
    if not own:
        assert not unknown.cells
        assert again.newly_trained or isinstance(again.settled, Settled)
    if before == threshold:
        assert unknown.cells == {}


@settings(max_examples=40, deadline=None)
@given(cases(), THRESHOLDS, THRESHOLDS)
def test_no_pair_is_taken_for_incompatible_that_nobody_asked_about(
    case: tuple[dict[str, Any], CurveWorld], before: float, threshold: float
) -> None:
    more, world = case
    if more["strategy"] == "groups":
        more = {**more, "strategy": "adaptive"}
    first = drive(make_spec(**more, ar_threshold=before), world)
    spec = make_spec(**more, ar_threshold=threshold)
    evidence = evidence_at(spec, first.trials)
    unknown = unknown_cells(spec, evidence, evidence.pair("a", "b", 4)) if more["tasks"] > 1 else None
    known = matrix_of(evidence, with_intervals=False).compatibility(threshold)
    truth = matrix_of(Evidence(spec, drive(spec, world).trials), with_intervals=False).compatibility(threshold)
    for pair in combinations(spec.task_names, 2):
        depth, true = (graph.get_edge_data(*pair, {}).get("weight", 0) for graph in (known, truth))
        assert depth <= true
        if depth < true:
            assert unknown is not None
            assert true in unknown.cells[pair]


@dataclass(frozen=True)
class HalfDeaf(World):
    """A world in which the first task learns nothing."""

    def measure(self, training: Training) -> Measurement:
        return measurement({"a": 0.2}) if training.tasks == ("a",) else super().measure(training)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 4),
    st.integers(0, 99),
    st.sampled_from([World, HalfDeaf]),
    st.fixed_dictionaries(
        {},
        optional={
            "strategy": st.sampled_from(["adaptive", "bisection", "exhaustive"]),
            "repeats": st.sampled_from([2, "auto"]),
            "decision": st.sampled_from(["point", "confident"]),
            "budget": st.integers(10, 30).map(lambda trials: {"trials": trials}),
        },
    ),
)
def test_every_kind_of_study_explains_its_tree(tasks: int, seed: int, world: type[World], more: dict[str, Any]) -> None:
    spec = make_spec(tasks, depths=[4, 8], **more)
    cells = {
        (*pair, depth): [0.0, 0.03][seed % (depth - 1) % 2] for pair in combinations("abcd", 2) for depth in (4, 8)
    }
    run = simulate(spec, world(cells, seed=seed, spread=0.01))
    evidence = Evidence(spec, run.trials)
    told = explanation(spec, evidence, run.settled.tree)
    reasons = {cause["reason"] for branching in told["branchings"] for cause in branching["because"]}
    assert {describe_branching(branching) for branching in told["branchings"]} or run.settled.tree.root.blocks[1] == 8
    if world is HalfDeaf:
        assert Reason.CHANCE in reasons
        assert all("a" not in (cell["task_a"], cell["task_b"]) for cell in told["unknown"])
    if "budget" not in more:
        assert not reasons & {Reason.BUDGET, Reason.NOT_ASKED}
        assert told["unknown"] == [] or more.get("repeats") == "auto"
    elsewhere = evidence_at(spec.at_threshold(0.05), run.trials)
    assert unknown_cells(spec.at_threshold(0.05), elsewhere, elsewhere.baseline("a")).at_least >= 0

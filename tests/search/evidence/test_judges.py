"""What callers expect of any judge: one suite, run on fixed and on sequential repeats."""

from collections.abc import Iterator

import pytest

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.worlds import World, finished, make_spec, outcomes

AB = BranchTree.flat("ab", 5, 8)


@pytest.fixture(params=[1, 3, "auto"])
def repeats(request: pytest.FixtureRequest) -> int | str:
    found: int | str = request.param
    return found


def moments(repeats: int | str, lost: float, decision: str = "point") -> Iterator[Evidence]:
    """Train a pair and its baselines until nothing is wanted any more; the evidence at each moment."""
    evidence = Evidence(make_spec(2, repeats=repeats, decision=decision, ar_threshold=0.1))
    world = World({("a", "b", 5): lost}, spread=0.004)
    parts = (evidence.baseline("a"), evidence.baseline("b"), AB)
    for part in parts:
        while wanted := tuple(evidence.judge.wanted(part)):
            yield evidence
            evidence.add(finished(wanted[0], world.measure(wanted[0]), evidence.facts.count))
    yield evidence


@pytest.mark.parametrize("lost", [0.0, 0.1, 0.4])
def test_what_is_wanted_is_not_known_and_what_judges_is(repeats: int | str, lost: float) -> None:
    for evidence in moments(repeats, lost):
        judge, known = evidence.judge, evidence.facts.known
        for part in (evidence.baseline("a"), AB):
            if len(part.tasks) == 1 or evidence.has_baselines("ab"):
                wanted = list(judge.wanted(part))
                assert not known.keys() & set(wanted)
                assert len(set(wanted)) == len(wanted)
            assert known.keys() >= set(judge.repeats(part))


def test_a_part_is_measured_only_after_a_repeat(repeats: int | str) -> None:
    first, *_, last = (list(evidence.judge.repeats(AB)) for evidence in moments(repeats, 0.0))
    assert (first, bool(last)) == ([], True)
    for evidence in moments(repeats, 0.0):
        if evidence.judge.is_measured(AB):
            assert list(evidence.judge.repeats(AB))
    assert evidence.judge.is_measured(AB)


@pytest.mark.parametrize("decision", ["point", "confident"])
def test_the_interval_holds_the_ar_at_every_moment(repeats: int | str, decision: str) -> None:
    for evidence in moments(repeats, 0.05, decision):
        if evidence.is_measured(AB):
            low, high = evidence.judge.interval(AB)
            assert 0 <= low <= evidence.judge.figures.ar(AB) <= high <= 1


def test_an_interval_that_resamples_many_tasks_is_widened_to_the_ar() -> None:
    """The worst of twelve tasks nearly always loses more in a resample than the worst does on the clips themselves."""
    names = "abcdefghijkl"
    evidence, group = Evidence(make_spec(12)), BranchTree.flat(names, 8, 8)

    def measured(tasks: str, accuracy: float) -> Measurement:
        said = {task: outcomes(accuracy, shift=4 * names.index(task)) for task in tasks}
        return Measurement(dict.fromkeys(tasks, accuracy), said, 100, 80, 1.0, "nowhere:1")

    for task in names:
        evidence.add(finished(Training(evidence.baseline(task)), measured(task, 0.8)))
    evidence.add(finished(Training(group), measured(names, 0.76)))
    assert evidence.interval(group)[0] == evidence.ar(group)


@pytest.mark.parametrize(("lost", "meets"), [(0.0, True), (0.4, False)])
def test_a_clear_case_is_decided(repeats: int | str, lost: float, meets: bool) -> None:
    *_, evidence = moments(repeats, lost)
    assert evidence.judge.meets_threshold(AB) is meets
    assert not evidence.judge.is_undecided(AB)


def test_what_is_undecided_does_not_meet_the_threshold(repeats: int | str) -> None:
    *_, evidence = moments(repeats, 0.1)
    if evidence.judge.is_undecided(AB):
        assert not evidence.judge.meets_threshold(AB)
    assert (repeats == "auto") or not evidence.judge.is_undecided(AB)


def test_a_tree_that_shares_nothing_meets_every_threshold(repeats: int | str) -> None:
    *_, evidence = moments(repeats, 0.4)
    alone = BranchTree.flat("ab", 0, 8)
    assert evidence.judge.meets_threshold(alone)
    assert evidence.judge.interval(alone) == (0.0, 0.0)


def test_a_probe_answers_for_fixed_repeats_until_the_whole_training_is_there() -> None:
    *_, evidence = moments(1, 0.0)
    probe, whole = Training(AB, is_probe=True), Training(AB)
    assert list(evidence.judge.repeats(AB)) == [probe]
    evidence.add(finished(whole, World({("a", "b", 5): 0.0}).measure(whole), evidence.facts.count))
    assert list(evidence.judge.repeats(AB)) == [whole]


def test_the_interval_is_that_of_the_whole_training_once_it_has_taken_the_place_of_its_probe() -> None:
    """It stayed that of the probe, unless a reader of the ledger worked it out afresh."""
    spec = make_spec(2, decision="point", ar_threshold=0.1)
    tasks = [Training(BranchTree.flat(task, 8, 8)) for task in "ab"]
    probe, whole = Training(AB, is_probe=True), Training(AB)
    trials = [finished(one, World().measure(one), place) for place, one in enumerate(tasks)]
    trials.append(finished(probe, World({("a", "b", 5): 0.09}, threshold=0.1).measure(probe), 2))
    evidence = Evidence(spec, trials)
    before = evidence.interval(AB)
    trials.append(finished(whole, World({("a", "b", 5): 0.01}).measure(whole), 3))
    evidence.add(trials[-1])
    assert evidence.interval(AB) == Evidence(spec, trials).interval(AB) != before

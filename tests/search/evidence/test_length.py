"""The choice of the training length, on baselines made by hand; whole studies: `tests/properties/test_length.py`."""

from collections.abc import Mapping

import pytest

from taskgraft.evaluators.measurement import Measurement
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.length import Finding, LengthSearch, study_lengths
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.worlds import LENGTHS, finished, make_spec, outcomes

AUTO = {"training": {"epochs": "auto"}}
CLIPS = 400


def measured(task: str, accuracy: float, shift: int = 0) -> Measurement:
    return Measurement({task: accuracy}, {task: outcomes(accuracy, CLIPS, shift)}, 100, 80, 1.0, "nowhere:1")


def baseline(task: str, epochs: int | None, repeat: int = 0) -> Training:
    return Training(BranchTree.flat((task,), 8, 8), repeat, epochs=epochs)


def evidence_of(accuracies: Mapping[tuple[str, int, int], float], tasks: str = "ab", q: float = 0.02) -> Evidence:
    """Evidence with the accuracy of every baseline, by task, epochs and repeat; only clips tell errors apart."""
    spec = make_spec(tasks, ar_threshold=q, **AUTO)
    trials = [finished(baseline(*key), measured(key[0], value)) for key, value in accuracies.items()]
    return Evidence(spec, trials, LENGTHS)


def search_of(evidence: Evidence) -> LengthSearch:
    assert evidence.length
    return evidence.length


def flat(level: Mapping[int, float], *, tasks: str = "ab", repeats: int = 1) -> dict[tuple[str, int, int], float]:
    return {
        (task, epochs, repeat): value for epochs, value in level.items() for task in tasks for repeat in range(repeats)
    }


def test_the_first_length_is_compared_with_twice_its_length() -> None:
    wanted = search_of(evidence_of({})).wanted()
    assert wanted == tuple(baseline(task, epochs) for epochs in (5, 10) for task in "ab")


def test_a_gain_above_half_the_threshold_goes_on_at_twice_the_length() -> None:
    length = search_of(evidence_of(flat({5: 0.8, 10: 0.9})))
    assert [look.finding for look in length.looks()] == [Finding.GAIN, Finding.OPEN]
    assert length.looks()[0].gains["a"].share == pytest.approx(1 / 9)
    assert length.wanted() == (baseline("a", 20), baseline("b", 20))
    assert length.chosen is None


@pytest.mark.parametrize("twice", [0.9, 0.9025, 0.85])
def test_seeds_are_asked_when_the_gain_is_small_or_a_loss(twice: float) -> None:
    length = search_of(evidence_of(flat({5: 0.9, 10: twice})))
    assert length.wanted() == (baseline("a", 5, 1), baseline("b", 5, 1))
    assert length.least_wanted() == 2


def test_a_length_is_chosen_when_seeds_differ_by_no_more_than_their_clips() -> None:
    known = flat({5: 0.9, 10: 0.9}) | {("a", 5, 1): 0.9, ("b", 5, 1): 0.8975}
    evidence = evidence_of(known)
    length = search_of(evidence)
    assert (length.chosen, evidence.epochs, length.wanted(), length.is_open) == (5, 5, (), False)
    assert length.looks()[-1].finding is Finding.LONG_ENOUGH
    assert evidence.references("ab") == {"a": 0.9, "b": 0.9}, "the second seed chooses the length, and nothing else"
    assert evidence.only_for_length == 2 + 2
    assert evidence.facts.trained == 6


def test_seeds_that_differ_by_more_than_their_clips_ask_for_twice_the_length() -> None:
    length = search_of(evidence_of(flat({5: 0.9, 10: 0.9}) | {("a", 5, 1): 0.7, ("b", 5, 1): 0.9}))
    assert length.looks()[0].finding is Finding.SEEDS
    spread = length.looks()[0].spreads["a"]
    assert spread.seeds > spread.excess > 0.01
    assert length.wanted() == (baseline("a", 20), baseline("b", 20))


def test_the_longest_length_is_used_when_all_others_are_too_short() -> None:
    length = search_of(evidence_of(flat({epochs: 0.5 + 0.1 * place for place, epochs in enumerate(LENGTHS)})))
    assert (length.chosen, length.wanted()) == (80, ())
    assert [look.finding for look in length.looks()] == [Finding.GAIN] * 4


def test_tasks_at_chance_say_nothing_unless_all_of_them_are() -> None:
    """The most frequent of five classes is right for a fifth of the clips."""
    both = search_of(evidence_of({("a", 5, 0): 0.9, ("a", 10, 0): 0.9, ("b", 5, 0): 0.15, ("b", 10, 0): 0.2}))
    assert both.looks()[0].gains.keys() == {"a"}
    none = search_of(evidence_of(flat({5: 0.2, 10: 0.2})))
    assert none.looks()[0].finding is Finding.NOTHING_LEARNT
    assert none.wanted() == (baseline("a", 20), baseline("b", 20))


def test_a_validation_split_of_one_clip_says_nothing() -> None:
    spec = make_spec(1, **AUTO)
    trials = [
        finished(baseline("a", epochs), Measurement({"a": 1.0}, {"a": outcomes(1.0, 1)}, 100, 80, 1.0, "nowhere:1"))
        for epochs in LENGTHS
    ]
    assert search_of(Evidence(spec, trials, LENGTHS)).chosen == 80


def test_what_a_model_of_several_tasks_was_trained_with_stays_the_length() -> None:
    """A reader may have another threshold, and a budget may have ended the search for the length."""
    evidence = evidence_of(flat({5: 0.8, 10: 0.9, 20: 0.95}))
    assert evidence.epochs == 20
    pair = Training(BranchTree.flat("ab", 8, 8), 0, True, 10)
    said = {task: outcomes(0.9, CLIPS) for task in "ab"}
    evidence.add(finished(pair, Measurement(dict.fromkeys("ab", 0.9), said, 100, 80, 1.0, "nowhere:1")))
    assert (evidence.epochs, search_of(evidence).wanted()) == (10, ())


def test_a_reader_finds_the_lengths_in_the_ledger() -> None:
    known = flat({5: 0.9, 10: 0.9}, repeats=2)
    spec = make_spec("ab", **AUTO)
    reader = Evidence(spec, [finished(baseline(*key), measured(key[0], value)) for key, value in known.items()])
    assert search_of(reader).lengths == LENGTHS
    assert reader.epochs == 5
    assert Evidence(spec).epochs is None


def test_a_study_that_says_its_epochs_searches_for_none() -> None:
    evidence = Evidence(make_spec("ab"))
    assert evidence.length is None
    assert evidence.training(evidence.baseline("a")) == baseline("a", None)
    assert study_lengths(make_spec("ab"), 1000) == ()
    assert study_lengths(make_spec("ab", **AUTO), 1000) == (20, 40, 80, 160, 320)


def test_plain_data_says_what_every_length_showed() -> None:
    found = search_of(evidence_of(flat({5: 0.8, 10: 0.9}))).to_json()
    assert (found["epochs"], found["chosen"]) == (10, False)
    assert found["looks"][0]["finding"] == "gain"
    assert found["looks"][0]["gains"]["a"]["share"] == pytest.approx(1 / 9)
    assert found["looks"][1] == {"epochs": 10, "finding": "open", "gains": {}, "spreads": {}}

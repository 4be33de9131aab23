"""The table of verdicts: what it shows of studies, and how it sums them up."""

from benchmarks.outcome import Outcome
from benchmarks.processes import Usage
from benchmarks.verdicts import Delivered, asked, summary

from benchmarks import verdicts
from taskgraft.search.study.spec import Strategy
from tests.search.corpora import beeps_spec


def delivered(seed: int, verdict: str, ar: float) -> Delivered:
    return Delivered(Strategy.TREES, seed, Outcome(9, 1000, {}, {}, 60_000, ar, verdict), Usage(40.0, 25.0, 1, ()))


def test_a_row_has_the_verdict_in_words_and_ar_as_percent() -> None:
    cells = delivered(2, "not_refuted", 0.0123).cells()
    assert cells[:4] == ("trees", "2", "9", "1,000")
    assert cells[-3:] == ("not refuted", "1.23%", "60,000")
    assert len(cells) == len(verdicts._HEADS)


def test_verdicts_are_counted_and_figures_are_means() -> None:
    found = [delivered(0, "verified", 0.01), delivered(1, "refuted", 0.05), delivered(2, "verified", 0.03)]
    assert summary(Strategy.TREES, found) == (
        "trees: 1 refuted, 2 verified; means of 3: 9.0 trainings, 40 CPU s, AR 3.00%, 60,000 parameters"
    )


def test_each_strategy_is_asked_with_each_seed() -> None:
    studies = list(asked(beeps_spec(seed=5), [Strategy.GROUPS, Strategy.EXHAUSTIVE], 2))
    assert [(spec.strategy, spec.seed) for spec in studies] == [
        ("groups", 5),
        ("groups", 6),
        ("exhaustive", 5),
        ("exhaustive", 6),
    ]
    assert {spec.tasks for spec in studies} == {beeps_spec().tasks}

"""Metrics of tables other than class answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.metrics import METRICS, check_metric, measure, measure_all, metrics_of, score_bins
from taskgraft.evaluators.outcomes import BINS, EVENTS, SCORES, TAGS, VALUES, Outcomes, Table
from taskgraft.evaluators.paired import PairedAnswers, PairedBootstrap
from taskgraft.search.evidence.chance import is_at_chance
from taskgraft.search.statistics.repeats import Repeats

VALUE = st.floats(-1e3, 1e3, width=32)


def of_values(truth: list[float], predicted: list[float]) -> Outcomes:
    numbers = np.arange(len(truth))
    return Outcomes({VALUES: Table.of(numbers, 0 * numbers, truth, predicted, 0 * numbers + 1)})


def of_bins(rows: list[tuple[int, int, int]]) -> Outcomes:
    clips = np.arange(len(rows))
    labels, truth, bins = np.array(rows).reshape(-1, 3).T
    return Outcomes({SCORES: Table.of(clips, labels, truth, bins, 0 * clips + 1)})


def test_known_answers() -> None:
    bins = score_bins(np.array([0.1, 0.4, 0.35, 0.8]))
    said = of_bins([(0, truth, int(one)) for truth, one in zip((0, 0, 1, 1), bins, strict=True)])
    assert measure(said, "roc_auc") == 0.75
    assert measure(of_values([1, 2, 3], [2, 3, 4]), "concordance") == pytest.approx(4 / 7)
    assert measure(of_values([1, 2, 3], [2, 3, 4]), "mean_absolute_error") == 1.0


@pytest.mark.parametrize("metric", metrics_of("tags"))
def test_good_tags_are_better_than_chance_by_every_metric_that_judges_them(metric: str) -> None:
    random, clips = np.random.default_rng(0), np.arange(400)
    truth = random.integers(0, 2, len(clips))
    said = np.where(random.random(len(clips)) < 0.95, truth, 1 - truth)
    bins = score_bins(np.clip(said, 0.1, 0.9))
    tables = {TAGS: Table.of(clips, 0 * clips, truth, said, 0 * clips + 1)}
    tables |= {SCORES: Table.of(clips, 0 * clips, truth, bins, 0 * clips + 1)}
    assert not is_at_chance(metric, Outcomes(tables))


def test_a_yes_to_every_tag_is_no_recall_to_be_judged_by() -> None:
    assert "balanced_accuracy" not in metrics_of("tags")


def test_probabilities_have_bins() -> None:
    assert score_bins(np.array([0.0, 0.5, 0.9999, 1.0], np.float32)).tolist() == [0, BINS // 2, BINS - 1, BINS - 1]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 5)), min_size=1))
def test_auc_is_the_share_of_pairs_that_are_in_order(rows: list[tuple[int, int, int]]) -> None:
    areas = []
    for label in range(3):
        absent, present = ([place for one, there, place in rows if (one, there) == (label, kind)] for kind in (0, 1))
        won = [(high > low) + 0.5 * (high == low) for high in present for low in absent]
        areas += [sum(won) / len(won)] if won else []
    expected = sum(areas) / len(areas) if areas else 0.5
    assert measure(of_bins(rows), "roc_auc") == pytest.approx(expected)


@given(st.lists(st.tuples(VALUE, VALUE), min_size=2))
def test_concordance_is_that_of_its_definition(pairs: list[tuple[float, float]]) -> None:
    x, y = np.array(pairs).T
    apart = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    expected = 2 * np.mean((x - x.mean()) * (y - y.mean())) / apart if apart > 1e-3 else None
    found = measure(of_values(list(x), list(y)), "concordance")
    if expected is not None:
        assert found == pytest.approx(expected, abs=1e-4)


def of_tags(truth: list[list[int]], predicted: list[list[int]], table: str = TAGS) -> Outcomes:
    clips, labels = (places.ravel() for places in np.indices(np.shape(truth)))
    return Outcomes({table: Table.of(clips, labels, np.ravel(truth), np.ravel(predicted), 0 * clips + 1)})


def test_tags_are_judged_by_what_is_present() -> None:
    """By balanced accuracy they are not: a yes to everything would be perfect."""
    said = of_tags([[1, 0], [1, 1], [0, 0], [1, 0]], [[1, 0], [0, 1], [1, 0], [1, 1]])
    assert measure_all(said) == pytest.approx(
        {
            "accuracy": 5 / 8,
            "macro_precision": (2 / 3 + 1 / 2) / 2,
            "macro_f1": (4 / 6 + 2 / 3) / 2,
        }
    )


def test_a_single_tag_is_judged_by_what_is_present_too() -> None:
    assert measure(of_tags([[1], [0], [0]], [[1], [1], [0]]), "macro_f1") == pytest.approx(2 / 3)


def test_every_kind_of_task_has_its_metrics() -> None:
    assert metrics_of("clip") == ("accuracy", "balanced_accuracy", "macro_precision", "macro_f1")
    assert metrics_of("frames") == (*metrics_of("clip"), "roc_auc")
    assert metrics_of("events") == ("event_f1", "segment_f1")
    with pytest.raises(InvalidInput, match="roc_auc does not fit; clip tasks are judged by accuracy, balanced"):
        check_metric("roc_auc", "clip")


@pytest.mark.parametrize("name", METRICS)
def test_made_up_answers_are_above_chance(name: str) -> None:
    said = METRICS[name].nearly_right(100)
    assert measure(said, name) > 0
    assert not is_at_chance(name, said)


def test_constants_are_at_chance() -> None:
    random = np.random.default_rng(0)
    truth = list(random.normal(5, 1, 200))
    assert is_at_chance("concordance", of_values(truth, [5.0] * 200))
    nearly = [5.0 + 0.001 * value for value in truth]  # agrees with the truth in order, and with no value of it
    assert is_at_chance("concordance", of_values(truth, nearly))
    assert is_at_chance("mean_absolute_error", of_values(truth, [float(np.median(truth))] * 200))
    assert is_at_chance("mean_absolute_error", of_values(truth, truth))  # it has no AR: nothing is lost of 0
    assert not is_at_chance("mean_absolute_error", of_values(truth, [one + 0.1 for one in truth]))
    assert is_at_chance("roc_auc", of_bins([(0, number % 2, 7) for number in range(200)]))
    assert is_at_chance("event_f1", of_tags([[1]] * 50, [[0]] * 50, EVENTS))
    rare = [[int(number < 20)] for number in range(100)]
    assert METRICS["macro_f1"].chance(of_tags(rare, rare)) == pytest.approx(2 * 20 / 120)
    assert METRICS["accuracy"].chance(of_tags(rare, rare)) == pytest.approx(0.8)


def drawn(name: str, seed: int, clips: int = 60) -> Outcomes:
    random = np.random.default_rng(seed)
    if name == "roc_auc":
        truth = random.integers(2, size=clips * 5)
        bins = (truth * 300 + random.integers(700, size=clips * 5)).astype(int)
        return Outcomes({SCORES: Table.of(np.arange(clips * 5) // 5, 0 * truth, truth, bins, 0 * truth + 1)})
    if name == "event_f1":
        there = random.integers(2, size=(clips, 2))
        return of_tags(there.tolist(), np.where(random.random(there.shape) < 0.8, there, 1 - there).tolist(), EVENTS)
    values = random.normal(size=clips)
    return of_values(list(values), list(values + random.normal(0, 0.5, clips)))


OTHERS = ("roc_auc", "event_f1", "concordance", "mean_absolute_error")


@pytest.mark.parametrize("name", OTHERS)
def test_influence_is_close_to_what_leaving_a_clip_out_changes(name: str) -> None:
    said = drawn(name, 0)
    found = Repeats.of(name, [said])
    table = METRICS[name].table(said)
    ((key, table),) = said.tables.items()

    def without(clip: int) -> float:
        kept = table.clips != clip
        columns = (table.clips, table.labels, table.truth, table.predicted, table.counts)
        return measure(Outcomes({key: Table.of(*(column[kept] for column in columns))}), name)

    expected = np.array([59 * (measure(said, name) - without(clip)) for clip in range(60)])
    assert found.influence.sum() == pytest.approx(0, abs=1e-6)
    assert found.influence == pytest.approx(expected, abs=0.15 * np.abs(expected).max())


@pytest.mark.parametrize("name", OTHERS)
def test_sampling_variance_is_that_of_metrics_on_other_clips(name: str) -> None:
    said = [Repeats.of(name, [drawn(name, seed)]) for seed in range(300)]
    seen = np.var([one.mean for one in said])
    assert np.mean([one.sampling for one in said]) == pytest.approx(seen, rel=0.3)


def test_errors_do_not_depend_on_their_unit() -> None:
    random = np.random.default_rng(1)
    truth = random.normal(size=100)
    baseline, model = (truth + random.normal(0, spread, 100) for spread in (0.5, 0.6))
    found = []
    for unit in (1.0, 1000.0):
        alone, here = ([of_values(list(unit * truth), list(unit * said))] for said in (baseline, model))
        compared = PairedAnswers("c", "mean_absolute_error", alone, here)
        (bounds,) = PairedBootstrap([compared], 0, 2000).bounds(0.05, 0.05)
        found.append((bounds.reduction, bounds.lower, bounds.upper))
    assert found[0] == pytest.approx(found[1], rel=1e-3)
    assert found[0][0] > 0
    assert found[0][1] < found[0][0] < found[0][2]


def test_an_error_may_more_than_double() -> None:
    truth = list(np.linspace(0, 1, 50))
    baseline, model = (of_values(truth, [one + error for one in truth]) for error in (0.1, 0.5))
    (bounds,) = PairedBootstrap([PairedAnswers("c", "mean_absolute_error", [baseline], [model])]).bounds(0.05, 0.05)
    assert bounds.reduction == pytest.approx(4.0, rel=1e-3)
    assert bounds.upper >= bounds.reduction

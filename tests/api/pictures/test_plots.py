"""Pictures drawn from views of the public API: trade-off, learning curves, confusion."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.api.pictures import TrainedTree, draw_confusion, draw_curves, draw_matrix, draw_tradeoff
from taskgraft.api.pictures.confusion import DARKEST, FAINTEST
from taskgraft.api.pictures.scales import nice_ticks, percent_ticks, root_place
from taskgraft.api.pictures.tradeoff import size_at
from taskgraft.api.schemas import CellView, MatrixView, UnknownView
from taskgraft.api.tree_schemas import TradeoffPointView, TradeoffView
from taskgraft.api.trial_schemas import ConfusionView, TrialDetail
from taskgraft.search.study.result import FinalVerdict
from taskgraft.svg import INK, PAPER, STRONG
from tests.svgs import ODD_NAMES, SVG, blend, contrast, read_picture, texts

NAMES = st.lists(
    st.one_of(st.sampled_from(ODD_NAMES), st.text(min_size=1, max_size=20)), min_size=1, max_size=6, unique=True
)


def tradeoff(*points: tuple[float, int], parameters: bool = True) -> TradeoffView:
    items = [
        TradeoffPointView(
            ar_threshold=ar, digest=f"{ar}", encoder_parameters=size, parameters=size if parameters else None
        )
        for ar, size in points
    ]
    return TradeoffView(items=items, exact=False)


def trial(*tasks: str, curve: list[dict[str, float]], **changes: Any) -> TrialDetail:
    plain = {
        "number": 7, "tasks": tasks, "depth": 8, "tree": {}, "trunk": False, "repeat": 0, "epochs": None,
        "recipe": None, "seed": 7, "state": "complete", "metrics": None, "ar": None, "reductions": None,
        "seconds": 1.0, "worker": "here", "ended_early": False, "patience_ended": False, "error": None,
        "taken_over_from": None, "steps": 20, "best_step": 10, "planned_steps": 20, "curve": curve, "references": {},
        "confusion": {},
    }  # fmt: skip
    return TrialDetail.model_validate(plain | changes)


def count(truth: int, answer: int, number: int, table: str = "classes", label: int = 0) -> ConfusionView:
    return ConfusionView(table=table, label=label, truth=truth, answer=answer, count=number)


def test_the_tradeoff_marks_the_threshold_and_the_size_there() -> None:
    view = tradeoff((0.0, 120_000), (0.01, 60_000), (0.05, 40_000))
    svg = draw_tradeoff(view, mark=0.02, verified=[TrainedTree(0.02, 60_000, FinalVerdict.REFUTED)])
    root = read_picture(svg)
    assert "2 %: 60,000" in texts(svg)
    assert "trained and measured on test: refuted" in texts(svg)
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert "trained for 2 %: 60,000 parameters, refuted" in titles


@pytest.mark.parametrize(("threshold", "size"), [(0.0, 5), (0.0099, 5), (0.01, 4), (0.5, 4)])
def test_a_tree_holds_from_its_threshold_on(threshold: float, size: int) -> None:
    assert size_at(tradeoff((0.0, 5), (0.01, 4)).items, threshold) == size
    assert size_at(tradeoff((0.0, 5), (0.01, 4), parameters=False).items, threshold) == size
    assert size_at([], threshold) is None


@given(st.lists(st.tuples(st.floats(0, 0.99), st.integers(0, 10**9)), max_size=80), st.none() | st.floats(0, 0.99))
def test_any_tradeoff_makes_a_sound_picture(points: list[tuple[float, int]], mark: float | None) -> None:
    for narrow in (False, True):
        svg = read_picture(draw_tradeoff(tradeoff(*sorted(points)), mark=mark, narrow=narrow))
        assert float(svg.get("width", "inf")) <= (370 if narrow else 680)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_ticks_are_round_and_hold_the_figures(low: float, more: float) -> None:
    ticks = nice_ticks(low, low + more)
    assert 2 <= len(ticks) <= 9
    assert ticks == sorted(set(ticks))
    assert ticks[0] <= low + 1e-6 * max(1, abs(low), more)
    assert ticks[-1] >= low + more - 1e-6 * max(1, abs(low + more), more)


@given(st.floats(0.001, 1))
def test_ticks_of_thresholds_do_not_touch(high: float) -> None:
    places = [root_place(tick, high) for tick in percent_ticks(high)]
    assert all(second - first >= 0.05 for first, second in pairwise(places))


def test_curves_stand_beside_those_of_the_baselines() -> None:
    both = trial("a", "b", curve=[{"step": 10, "a": 0.8, "b": 0.5}, {"step": 20, "a": 0.7, "b": 0.6}])
    alone = [
        trial("a", curve=[{"step": 10, "a": 0.9}, {"step": 30, "a": 0.95}]),
        trial("c", curve=[{"step": 1, "c": 0}]),
    ]
    root = read_picture(draw_curves(both.model_copy(update={"references": {"b": 0.65}}), alone))
    dashes = [path.get("stroke-dasharray") for path in root.iter(f"{SVG}path")]
    assert dashes.count("6 4") == 1 + 1  # the baseline of a, and its place in the legend
    assert dashes.count("2 3") == 1 + 1  # the metric of b's
    kept = [title.text for title in root.iter(f"{SVG}title") if (title.text or "").startswith("kept")]
    assert kept == ["kept: step 10, 0.8000", "kept: step 10, 0.5000"]


def test_a_training_without_a_curve_says_so() -> None:
    assert "no learning curve was kept" in texts(draw_curves(trial("a", curve=[])))


@given(NAMES, st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=5))
def test_any_curve_makes_a_sound_picture(names: list[str], values: list[float]) -> None:
    curve = [{"step": float(step)} | dict.fromkeys(names, value) for step, value in enumerate(values)]
    svg = draw_curves(trial(*names, curve=curve), [trial(names[0], curve=curve)])
    read_picture(svg)


def test_confusion_has_every_count_in_its_place() -> None:
    svg = draw_confusion("word", [count(0, 0, 40), count(0, 1, 10), count(1, 1, 1234)], ["yes", "no"])
    titles = [title.text for title in read_picture(svg).iter(f"{SVG}title")]
    assert titles[1:] == [
        "yes, yes: 40 (80 % of the row)", "yes, no: 10 (20 % of the row)",
        "no, yes: 0 (0 % of the row)", "no, no: 1,234 (100 % of the row)",
    ]  # fmt: skip
    assert [words for words in texts(svg) if words.replace(",", "").isdigit()] == ["40", "10", "1,234"]


@pytest.mark.parametrize("side", ["light", "dark"])
def test_every_count_can_be_read_on_its_ground(side: str) -> None:
    strong, paper, ink = (getattr(colour, side) for colour in (STRONG, PAPER, INK))
    for opacity in (FAINTEST, DARKEST):
        assert contrast(ink, blend(strong, paper, opacity)) >= 4.5


def test_questions_have_a_row_for_each_label() -> None:
    counts = [count(1, 1, 3, "events", 2), count(1, 0, 4, "events", 2), count(0, 1, 5, "events", 0)]
    svg = draw_confusion("sounds", counts, ["dog", "cat", "car"])
    read_picture(svg)
    titles = [title.text for title in read_picture(svg).iter(f"{SVG}title")]
    assert "car, missed: 4 (57 % of the row)" in titles
    assert not any((title or "").startswith("cat") for title in titles)


@given(st.sampled_from(ODD_NAMES), NAMES, st.integers(0, 15))
def test_any_names_of_classes_make_a_sound_picture(task: str, labels: list[str], classes: int) -> None:
    read_picture(draw_confusion(task, [count(one, one, 10**one % 997) for one in range(classes)], labels))


def test_the_matrix_is_drawn_from_its_view() -> None:
    cell = CellView(task_a="a", task_b="b", depth=8, ar=0.03, ar_interval=(0.01, 0.05), at_most=False)
    view = MatrixView(
        tasks=("a", "b"), cells=[cell], not_asked=[UnknownView(task_a="a", task_b="b", depths=[4])], trials=3
    )
    assert "breaks the threshold" in texts(draw_matrix(view, ar_threshold=0.02))
    plain = draw_matrix(view)
    read_picture(plain)
    assert "breaks the threshold" not in texts(plain)
    assert {"8 blocks", "4 blocks", "3.0", "1.0 to 5.0"} <= set(texts(plain))

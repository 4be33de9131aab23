"""The picture of the reduction matrix."""

from itertools import combinations
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.space.matrix import Cell, ReductionMatrix
from taskgraft.space.pictures.matrix import draw_reduction_matrix
from taskgraft.svg import BROKEN, KEPT, LINE, OPEN
from tests.svgs import ODD_NAMES, SVG, read_picture, texts


def draw(cells: dict[int, Cell], threshold: float = 0.02) -> str:
    return draw_reduction_matrix(ReductionMatrix(("a", "b"), {("a", "b"): cells}), (4, 6, 8), threshold)


def grounds(svg: str) -> list[str]:
    """The fill of every cell in the table, from left to right, the dots of cells not asked apart."""
    cells = [group for group in ET.fromstring(svg).iter(f"{SVG}g") if group.find(f"{SVG}rect") is not None]
    return [str(rect.get("fill")) for group in cells if (rect := group.find(f"{SVG}rect")) is not None]


@pytest.mark.parametrize(
    ("cell", "colour", "figure"),
    [
        (Cell(0.012, 0.001, 0.02), KEPT, "1.2"),
        (Cell(0.012, 0.001, 0.021), OPEN, "1.2"),
        (Cell(0.012), KEPT, "1.2"),
        (Cell(0.031, 0.01, 0.05), BROKEN, "3.1"),
        (Cell(0.281, 0.0, 0.316, True), BROKEN, "≤ 28.1"),
        (Cell(0.015, 0.0, 0.043, True), OPEN, "≤ 1.5"),
    ],
)
def test_a_cell_says_how_it_stands_to_the_threshold(cell: Cell, colour: object, figure: str) -> None:
    svg = draw({8: cell})
    assert grounds(svg)[0] == colour.light  # type: ignore[attr-defined]
    assert figure in texts(svg)


def test_the_deepest_depth_comes_first() -> None:
    assert [words for words in texts(draw({6: Cell(0.0)})) if words.endswith(" blocks")] == [
        "8 blocks",
        "6 blocks",
        "4 blocks",
    ]


def test_what_was_not_asked_is_a_dot_and_no_figure() -> None:
    svg = draw({8: Cell(0.031)})
    figures = [words for words in texts(svg) if words.replace(".", "").isdigit()]
    assert figures == ["3.1"]
    titles = [title.text for title in ET.fromstring(svg).iter(f"{SVG}title")]
    assert titles[1:] == ["a + b at 8: 3.1 %, breaks the threshold", "a + b at 6: not asked", "a + b at 4: not asked"]


def test_only_bounds_are_hatched() -> None:
    measured, bound = (draw({8: Cell(0.031, is_bound=is_bound)}) for is_bound in (False, True))
    hatched = [
        sum(path.get("stroke") == LINE.light for path in read_picture(svg).iter(f"{SVG}path"))
        for svg in (measured, bound)
    ]
    assert hatched == [0, 2]  # the cell, and its place in the legend


@given(
    st.lists(
        st.one_of(st.sampled_from(ODD_NAMES), st.text(min_size=1, max_size=20)), min_size=1, max_size=12, unique=True
    )
)
def test_any_names_make_a_sound_picture_that_holds_them(names: list[str]) -> None:
    matrix = ReductionMatrix(tuple(names), {pair: {8: Cell(0.01)} for pair in combinations(names, 2)})
    svg = draw_reduction_matrix(matrix, (8,), 0.02)
    read_picture(svg)
    for first, second in combinations(names, 2):
        if (first + second).isprintable():
            assert f"{first} + {second}" in texts(svg)


def test_many_pairs_stand_in_several_columns() -> None:
    matrix = ReductionMatrix(tuple(f"task-{number}" for number in range(20)), {})
    root = read_picture(draw_reduction_matrix(matrix, (4, 8), 0.02))
    assert float(root.get("height", "0")) < 3000

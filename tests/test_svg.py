"""What pictures are made of."""

import re

from hypothesis import given
from hypothesis import strategies as st

from taskgraft.svg import COLOURS, STRONG, add_element, hatching, new_picture, stylesheet, text_width, to_text, wrap
from tests.svgs import contrast


def test_the_style_sheet_has_every_colour_light_and_dark() -> None:
    css = stylesheet()
    for colour in COLOURS:
        assert css.count(f"--tg-{colour.name}:") == 2
        assert f".tg-{colour.name}{{fill:var(--tg-{colour.name})}}" in css
        assert f".tg-{colour.name}-stroke{{stroke:var(--tg-{colour.name})}}" in css


def test_a_colour_is_an_attribute_and_a_class() -> None:
    svg = new_picture(10, 10, "title", "words")
    add_element(svg, "rect", fill=STRONG, stroke=STRONG, stroke_width="2")
    assert f'fill="{STRONG.light}" stroke="{STRONG.light}" stroke-width="2" class="tg-strong tg-strong-stroke"' in (
        to_text(svg)
    )


def test_text_can_be_read_on_its_ground_light_and_dark() -> None:
    named = {colour.name: colour for colour in COLOURS}
    grounds = {"ink": ("paper", "pale", "kept", "open", "broken"), "muted": ("paper",), "warning": ("paper",)}
    pairs = [(ink, ground) for ink, all_of in grounds.items() for ground in all_of] + [("on-strong", "strong")]
    for ink, ground in pairs:
        for side in ("light", "dark"):
            assert contrast(*(getattr(named[name], side) for name in (ink, ground))) >= 4.5, (ink, ground, side)


@given(st.text(), st.floats(1, 500))
def test_wrapping_loses_no_word_and_keeps_the_width(words: str, width: float) -> None:
    lines = wrap(words, 12, width)
    assert " ".join(lines).split() == words.split()
    for line in lines:
        is_one = not re.search(r"(?<!≤)\s(?!%)", line)
        assert is_one or text_width(line, 12, bold=False) <= width


@given(st.integers(1, 200), st.integers(1, 200))
def test_hatching_stays_in_its_rectangle(width: int, height: int) -> None:
    for point in re.findall(r"[ML](\S+) ([^ML]+)", hatching(5, 7, width, height)):
        x, y = map(float, point)
        assert 5 - 1e-3 <= x <= 5 + width + 1e-3
        assert 7 - 1e-3 <= y <= 7 + height + 1e-3

"""Learning curves: a panel for each task of a training, with the baseline beside it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from taskgraft.api.pictures.scales import nice_ticks, write_ticks
from taskgraft.api.schemas import TrialView
from taskgraft.api.trial_schemas import TrialDetail
from taskgraft.svg import (
    MUTED,
    STRONG,
    WARNING,
    add_element,
    add_line,
    add_text,
    new_picture,
    text_width,
    to_text,
    unbreakable,
    widest,
    wrap,
)

_MARGIN, _LEFT, _WIDTH, _HEIGHT, _TOP, _BELOW, _ACROSS = 24, 56, 270, 150, 34, 50, 2
"""Border; of a panel: room for its scale, its plot's width and height, room above and below; panels side by side."""

_LEAST_WIDTH = 480
"""Room for the legend."""
_LETTERS = 7
"""Of a figure on the scale of a panel."""
_LARGEST = 1e100
"""What is beyond it can't be drawn on a scale with other figures."""

Points = Sequence[tuple[float, float]]


def is_baseline_of(trial: TrialView, detail: TrialView) -> bool:
    """Return whether a training is what another is judged by: one of its tasks alone, of its repeat and length."""
    is_same = (trial.repeat, trial.epochs, trial.recipe) == (detail.repeat, detail.epochs, None)
    is_alone = len(trial.tasks) == 1 and not trial.trunk and set(trial.tasks) <= set(detail.tasks)
    return is_same and is_alone and trial.number != detail.number


def draw_curves(detail: TrialDetail, baselines: Iterable[TrialDetail] = ()) -> str:
    """Draw the metric of each task on the validation split by step, beside the curve of its baseline.

    ``baselines`` are trainings of single tasks; those of other tasks are ignored. A task without one has a line at the
    metric of its baseline, if that is known.
    """
    alone = {task: trial for trial in baselines for task in trial.tasks if len(trial.tasks) == 1}
    panels = [_Panel.of(task, detail, alone.get(task)) for task in detail.tasks]
    title = f"Learning curves of training {detail.number}: {', '.join(detail.tasks)}"
    across = min(_ACROSS, len(panels))
    panel = max(_LEFT + _WIDTH, *(text_width(task, 13) + 20 for task in detail.tasks)) + 16
    width = max(2 * _MARGIN + across * panel, _LEAST_WIDTH, 2 * _MARGIN + widest(unbreakable(_heading(detail)), 14))
    head = wrap(_heading(detail), 14, width - 2 * _MARGIN, bold=True)
    top = 20 + len(head) * 19
    rows = math.ceil(len(panels) / across)
    height = top + rows * (_TOP + _HEIGHT + _BELOW) + 54
    svg = new_picture(width, height, title, " ".join(map(_describe, panels)))
    for number, line in enumerate(head):
        add_text(svg, line, _MARGIN, 34 + number * 19, size=14, weight="600")
    for number, drawn in enumerate(panels):
        row, column = divmod(number, across)
        _draw_panel(svg, drawn, _MARGIN + column * panel, top + row * (_TOP + _HEIGHT + _BELOW))
    _draw_legend(svg, height - 44)
    return to_text(svg)


def _heading(detail: TrialDetail) -> str:
    if len(detail.tasks) == 1:
        return f"{detail.tasks[0]} alone"
    shared = f", sharing {detail.depth} block{'' if detail.depth == 1 else 's'}"
    return f"{' + '.join(detail.tasks)}{shared}"


@dataclass(frozen=True, slots=True)
class _Panel:
    """What one panel shows."""

    task: str
    curve: Points
    baseline: Points
    reference: float | None
    """The metric of the baseline that was kept."""
    best_step: int | None
    last: float
    """The last step that is shown."""

    @classmethod
    def of(cls, task: str, detail: TrialDetail, alone: TrialDetail | None) -> "_Panel":
        curve, baseline = _points(task, detail.curve), _points(task, alone.curve if alone else ())
        last = max([step for step, _ in (*curve, *baseline)] + [detail.steps or 0, 1])
        own = None if alone is None or alone.metrics is None else alone.metrics.get(task)
        reference = detail.references.get(task, own)
        if reference is not None and not abs(reference) < _LARGEST:
            reference = None
        return cls(task, curve, baseline, reference, detail.best_step, last)

    @property
    def ticks(self) -> list[float]:
        """The scale of the metric."""
        values = [value for _, value in (*self.curve, *self.baseline)]
        if self.reference is not None:
            values.append(self.reference)
        return nice_ticks(min(values, default=0), max(values, default=1), 5)


def _points(task: str, curve: Iterable[Mapping[str, float]]) -> Points:
    return [(point["step"], point[task]) for point in curve if task in point and abs(point[task]) < _LARGEST]


def _describe(panel: _Panel) -> str:
    if not panel.curve:
        return f"{panel.task}: no learning curve was kept."
    words = f"{panel.task}: from {panel.curve[0][1]:.3f} to {panel.curve[-1][1]:.3f} in {panel.last:,.0f} steps"
    return f"{words}." if panel.reference is None else f"{words}; baseline {panel.reference:.3f}."


def _draw_panel(svg: ET.Element, panel: _Panel, x: float, y: float) -> None:
    left, bottom = x + _LEFT, y + _TOP + _HEIGHT
    ticks = panel.ticks

    def place(step: float, value: float) -> tuple[float, float]:
        share = (value - ticks[0]) / (ticks[-1] - ticks[0])
        return round(left + _WIDTH * step / panel.last, 1), round(bottom - _HEIGHT * share, 1)

    add_text(svg, panel.task, x, y + 22, size=13, weight="600")
    for tick, words in zip(ticks, write_ticks(ticks, _LETTERS), strict=True):
        height = place(0, tick)[1]
        add_line(svg, f"M{left:g} {height}H{left + _WIDTH:g}", width=0.4)
        add_text(svg, words, left - 8, height + 4, size=11, fill=MUTED, anchor="end")
    _draw_steps(svg, panel, left, bottom)
    if panel.reference is not None:
        height = place(0, panel.reference)[1]
        add_line(svg, f"M{left:g} {height}H{left + _WIDTH:g}", stroke=WARNING, width=1.2, dashes="2 3")
    _draw_curve(svg, [place(*point) for point in panel.baseline], dashed=True)
    _draw_curve(svg, [place(*point) for point in panel.curve], dashed=False)
    if not panel.curve:
        words, middle = "no learning curve was kept", left + _WIDTH / 2
        add_text(svg, words, middle, y + _TOP + 18, size=12, fill=MUTED, anchor="middle")
    for step, value in panel.curve:
        if step == panel.best_step:
            cx, cy = place(step, value)
            point = add_element(svg, "circle", cx=f"{cx}", cy=f"{cy}", r="4.5", fill=STRONG)
            add_element(point, "title", f"kept: step {step:,.0f}, {value:.4f}")


def _draw_steps(svg: ET.Element, panel: _Panel, left: float, bottom: float) -> None:
    for tick in nice_ticks(0, panel.last, 4):
        if tick <= panel.last:
            x = left + _WIDTH * tick / panel.last
            add_line(svg, f"M{x:g} {bottom:g}v4", width=1)
            add_text(svg, f"{tick:,g}", x, bottom + 17, size=11, fill=MUTED, anchor="middle")
    add_text(svg, "step", left + _WIDTH, bottom + 33, size=11, fill=MUTED, anchor="end")


def _draw_curve(svg: ET.Element, points: Points, *, dashed: bool) -> None:
    if not points:
        return
    path = "M" + "L".join(f"{x} {y}" for x, y in points)
    if dashed:
        add_line(svg, path, stroke=MUTED, width=1.6, dashes="6 4")
    else:
        add_line(svg, path, stroke=STRONG, width=2.2)
    if len(points) == 1:  # a line of one point is not seen
        cx, cy = points[0]
        add_element(svg, "circle", cx=f"{cx}", cy=f"{cy}", r="3", fill=MUTED if dashed else STRONG)


def _draw_legend(svg: ET.Element, y: float) -> None:
    kinds = (
        ("metric on validation; the dot is the step that was kept", STRONG, 2.2, None),
        ("the task alone: its baseline", MUTED, 1.6, "6 4"),
        ("metric of the baseline that was kept", WARNING, 1.2, "2 3"),
    )
    for number, (words, stroke, width, dashes) in enumerate(kinds):
        height = y + number * 17
        add_line(svg, f"M{_MARGIN} {height - 4:g}h26", stroke=stroke, width=width, dashes=dashes)
        add_text(svg, words, _MARGIN + 34, height, size=12, fill=MUTED)

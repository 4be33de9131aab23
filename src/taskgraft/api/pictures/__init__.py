"""Pictures: each one a standalone SVG, drawn from what the public API returns, without a script or a style.

Their colours: `taskgraft.svg.stylesheet`.
"""

from taskgraft.api.pictures.confusion import draw_confusion
from taskgraft.api.pictures.curves import draw_curves, is_baseline_of
from taskgraft.api.pictures.matrix import draw_matrix
from taskgraft.api.pictures.tradeoff import TrainedTree, draw_tradeoff
from taskgraft.space.pictures.standing import Standing, standing
from taskgraft.space.pictures.tree import draw_tree
from taskgraft.space.pictures.tree_words import costs_of_form

__all__ = [
    "Standing",
    "TrainedTree",
    "costs_of_form",
    "draw_confusion",
    "draw_curves",
    "draw_matrix",
    "draw_tradeoff",
    "draw_tree",
    "is_baseline_of",
    "standing",
]

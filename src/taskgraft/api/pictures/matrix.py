"""The reduction matrix as a picture, drawn from what the public API returns."""

from taskgraft.api.schemas import MatrixView
from taskgraft.space.pictures.matrix import draw_cells


def draw_matrix(matrix: MatrixView, *, ar_threshold: float | None = None) -> str:
    """Draw AR of every pair at every depth; see `draw_cells`. With a threshold every cell has its `Standing`."""
    asked = {depth for unknown in matrix.not_asked for depth in unknown.depths}
    return draw_cells(matrix.tasks, matrix.cells, asked, ar_threshold)

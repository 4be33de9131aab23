"""What the checkpoints of a training said, as facts and tensors of its saved state, and back. Plain numpy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taskgraft.evaluators.measurement import Checkpoint, Outcomes, Table
from taskgraft.evaluators.training_state import BestPoint, Shape, Shapes, Tensors

_PLAIN_COLUMNS, _COLUMNS = 4, 5
"""Of plain outcomes, and of a table."""


def point_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the facts of a checkpoint: those of a `BestPoint`."""
    tables = {task: tuple(said.tables) for task, said in checkpoint.outcomes.items() if not said.is_plain}
    return {"step": checkpoint.step, "metrics": checkpoint.metrics, "tables": tables}


def outcome_tensors(checkpoints: Sequence[Checkpoint]) -> dict[str, NDArray[np.int32]]:
    """Return what checkpoints said: of each and each task one tensor [4, rows], or one [5, rows] for each table."""
    tensors: dict[str, NDArray[np.int32]] = {}
    for place, checkpoint in enumerate(checkpoints):
        for task, said in checkpoint.outcomes.items():
            if said.is_plain:
                tensors[_plain(place, task)] = said.to_plain_array()
            else:
                tensors |= {_table(place, task, name): table.to_array() for name, table in said.tables.items()}
    return tensors


def to_checkpoints(points: Sequence[BestPoint], tensors: Tensors) -> list[Checkpoint]:
    """Return the checkpoints that `outcome_tensors` was given."""
    return [
        Checkpoint(
            best.step,
            best.metrics,
            {task: _to_outcomes(tensors, place, task, best.tables.get(task)) for task in best.metrics},
        )
        for place, best in enumerate(points)
    ]


def outcome_shapes(points: Sequence[BestPoint]) -> Shapes:
    """Return the tensors that `outcome_tensors` gives for checkpoints with these facts."""
    return {
        name: shape
        for place, best in enumerate(points)
        for task in best.metrics
        for name, shape in _shapes(place, task, best.tables.get(task))
    }


def _to_outcomes(tensors: Tensors, place: int, task: str, tables: Sequence[str] | None) -> Outcomes:
    if tables is None:
        return Outcomes.of_classes(*tensors[_plain(place, task)])
    return Outcomes({name: Table.from_array(tensors[_table(place, task, name)]) for name in tables})


def _shapes(place: int, task: str, tables: Sequence[str] | None) -> list[tuple[str, Shape]]:
    if tables is None:
        return [(_plain(place, task), ("I32", (_PLAIN_COLUMNS, None)))]
    return [(_table(place, task, name), ("I32", (_COLUMNS, None))) for name in tables]


def _plain(place: int, task: str) -> str:
    return f"outcomes.{place}.{task}"


def _table(place: int, task: str, name: str) -> str:
    return f"tables.{place}.{name}.{task}"

"""Reduction matrices as bytes, ready to be sent: that of a large study takes a while to write."""

import asyncio
import json
from typing import Literal

from fastapi.concurrency import run_in_threadpool

from taskgraft.api.computing import Computations
from taskgraft.api.schemas import MatrixView
from taskgraft.search.running.answering import MatrixQuestion
from taskgraft.search.running.stored import kept_matrix_trials
from taskgraft.search.store import Store
from taskgraft.search.study.study import Study
from taskgraft.space.matrix import ReductionMatrix

_KEPT = 8

Output = Literal["json", "csv"]
_Key = tuple[str, int, Output]


class Matrices:
    """The matrices of one service. Those asked for last are kept; equal requests have theirs written once."""

    def __init__(self, store: Store, computations: Computations) -> None:
        self._store = store
        self._computations = computations
        self._written: dict[_Key, asyncio.Task[bytes]] = {}

    async def body(self, study: Study, output: Output) -> bytes:
        """Return the matrix of a study as far as it is known.

        Raises:
            Busy: it has to be worked out, and that takes longer than a request may wait.
        """
        matrix = None
        trials = await run_in_threadpool(kept_matrix_trials, self._store, study)
        if trials is None:
            trials = await run_in_threadpool(self._store.trials.count, study.id)
            if (study.id, trials, output) not in self._written:
                matrix, trials = await self._computations.answer(MatrixQuestion(study.id, trials))
        return await self._write(study, output, trials, matrix)

    async def _write(self, study: Study, output: Output, trials: int, matrix: ReductionMatrix | None) -> bytes:
        key = (study.id, trials, output)
        if key not in self._written:
            writing = run_in_threadpool(self._read_and_write, study, output, trials, matrix)
            self._written[key] = asyncio.create_task(writing)
            while len(self._written) > _KEPT:
                del self._written[next(iter(self._written))]
        try:
            return await asyncio.shield(self._written[key])
        except Exception:
            self._written.pop(key, None)
            raise

    def _read_and_write(self, study: Study, output: Output, trials: int, matrix: ReductionMatrix | None) -> bytes:
        if matrix is None:
            found = self._store.findings.matrix(study.id)
            matrix, trials = found or (ReductionMatrix(study.spec.task_names, {}), 0)
        return write_matrix(matrix, study, output, trials)


def write_matrix(matrix: ReductionMatrix, study: Study, output: Output, trials: int) -> bytes:
    """Return the matrix as JSON or CSV."""
    if output == "csv":
        return matrix.to_csv().encode()
    view = MatrixView.of(matrix, study.spec.depths, trials).model_dump(mode="json")
    return json.dumps(view, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()

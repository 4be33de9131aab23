"""The reduction matrix of a running study, worked out beside the search and kept for readers."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from taskgraft.errors import Conflict, NotFound, Unavailable
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.reduction_matrix import matrix_of
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Trial
from taskgraft.space.matrix import ReductionMatrix

_log = logging.getLogger(__name__)

_REST = 20.0
"""How many times as long as it took the keeper rests after it has brought the matrix up to date."""


class MatrixKeeper:
    """Keeps the matrix up to date in a thread of its own, for the time of a ``with`` block.

    ``read_trials`` returns the ledger's trials, and ``keep`` is given the matrix and how many trials it rests on. The
    keeper has an `Evidence` of its own, so that intervals of cells that did not change are not worked out again, and no
    decision waits for it. A matrix that can't be kept now is kept after a later training. At the end of the block the
    matrix is that of the whole ledger.
    """

    def __init__(
        self,
        spec: StudySpec,
        read_trials: Callable[[], Sequence[Trial]],
        keep: Callable[[ReductionMatrix, int], None],
        rest: float = _REST,
    ) -> None:
        self._read_trials = read_trials
        self._keep = keep
        self._rest = rest
        self._evidence = Evidence(spec)
        self._known = self._kept = 0
        self._change = threading.Condition()
        self._has_news = True  # trials of an earlier run
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="matrix", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._change:
            self._is_closing = True
            self._change.notify()
        self._thread.join()

    def notice(self) -> None:
        """Say that a training has ended."""
        with self._change:
            self._has_news = True
            self._change.notify()

    def _run(self) -> None:
        while self._wait_for_news():
            started = time.monotonic()
            try:
                self._update()
            except (Conflict, NotFound, Unavailable) as error:  # a lost lease is noticed at its renewal
                _log.debug("the matrix could not be kept: %s", error)
            except Exception:
                _log.exception("the matrix could not be worked out")
                return
            self._pause(self._rest * (time.monotonic() - started))

    def _wait_for_news(self) -> bool:
        """Return whether there is something to do; False at the end."""
        with self._change:
            self._change.wait_for(lambda: self._has_news or self._is_closing)
            has_news, self._has_news = self._has_news, False
            return has_news

    def _pause(self, seconds: float) -> None:
        with self._change:
            self._change.wait_for(lambda: self._is_closing, timeout=seconds)

    def _update(self) -> None:
        trials = self._read_trials()
        for trial in trials[self._known :]:
            self._evidence.add(trial)
        self._known = len(trials)
        if self._kept != self._known:
            self._keep(matrix_of(self._evidence), self._known)
            self._kept = self._known

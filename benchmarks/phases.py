"""`taskgraft run`, noting the CPU seconds of its own process by phase: ``python -m benchmarks.phases``."""

import argparse
import functools
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from taskgraft.evaluators.memory import without_collector

_PHASES = {
    "prepare": "reading of the study and its corpora",
    "load_data": "features",
    "run_jobs": "Tune's loop",
    "final_report": "reading of test",
    "export_bundle": "export",
}
"""Functions of the pipeline, and what their time is called."""


class Clock:
    """CPU seconds of this process by phase; those within another phase count for the inner one alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {"others": time.process_time()}
        self._open = ["others"]
        self._last = time.process_time()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time of this block for ``name``."""
        self._book()
        self._open.append(name)
        try:
            yield
        finally:
            self._book()
            self._open.pop()

    def _book(self) -> None:
        now = time.process_time()
        self.seconds[self._open[-1]] = self.seconds.get(self._open[-1], 0.0) + now - self._last
        self._last = now

    def around(self, module: Any, name: str, phase: str) -> None:
        """Count what a function of a module takes."""
        function: Callable[..., Any] = vars(module)[name]

        @functools.wraps(function)
        def timed(*arguments: Any, **more: Any) -> Any:
            with self.phase(phase):
                return function(*arguments, **more)

        setattr(module, name, timed)

    def around_session(self, module: Any) -> None:
        """Count the start and the end of Ray."""
        session = vars(module)["ray_session"]

        @contextmanager
        def timed(*arguments: Any, **more: Any) -> Iterator[None]:
            opened = session(*arguments, **more)
            with self.phase("start of Ray"):
                opened.__enter__()
            yield
            with self.phase("end of Ray"):
                opened.__exit__(None, None, None)

        module.ray_session = timed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.phases", description=__doc__)
    parser.add_argument("study", type=Path, help="a study file, its data sets as absolute paths")
    parser.add_argument("out", type=Path, help="folder of the study")
    parser.add_argument("report", type=Path, help="where the phases go, as JSON")
    options = parser.parse_args()
    clock = Clock()
    with clock.phase("imports"):
        from taskgraft.api.cli import main as taskgraft  # noqa: PLC0415

        with without_collector():  # as `taskgraft run` imports it
            from taskgraft.search.running import pipeline  # noqa: PLC0415
    for name, phase in _PHASES.items():
        clock.around(pipeline, name, phase)
    clock.around_session(pipeline)
    sys.argv = ["taskgraft", "run", str(options.study), "--out", str(options.out)]
    with clock.phase("others"), suppress(SystemExit):
        taskgraft()
    options.report.write_text(json.dumps(clock.seconds))


if __name__ == "__main__":
    main()

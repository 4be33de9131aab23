"""Our program: the study through Taskgraft's own pipeline, as `taskgraft run` goes through it."""

import argparse
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.agreement import evidence_depths
from benchmarks.outcome import Outcome
from benchmarks.studies import digest
from taskgraft.evaluators.memory import without_collector
from taskgraft.search.running.lease import LEASE_SECONDS
from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import State
from taskgraft.search.study.study import Study
from taskgraft.search.study.trial import Trial

with without_collector():  # as `taskgraft run` imports it
    from taskgraft.search.running.pipeline import StudyRun

_OWNER = "bench"
_LOOK_SECONDS = 0.5


def run(spec: StudySpec, folder: Path) -> Outcome:
    """Run the study in its folder, or go on with it there; one that has ended is only read.

    Raises:
        RuntimeError: the study did not succeed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with Store(sqlite_url(folder / "taskgraft.db")) as store:
        study, _ = store.create_study(spec, idempotency_key=digest(spec))
        stages: list[tuple[float, str]] = []
        if study.state is not State.SUCCEEDED:
            held = store.acquire_study(study.id, _OWNER, LEASE_SECONDS)
            with _watched(store, study.id, stages):
                study = StudyRun(store, held, folder, base=folder).run()
        trials = store.ledger(study.id).trials()
        return _outcome(study, trials, stages)


def _outcome(study: Study, trials: Sequence[Trial], stages: list[tuple[float, str]]) -> Outcome:
    if study.result is None or study.tree is None:
        raise RuntimeError(f"the study ended {study.state.value}: {study.reason}")
    trained = [trial for trial in trials if not trial.taken_over_from]
    steps = sum(trial.measurement.own_steps for trial in trained if trial.measurement)
    return Outcome(
        len(trained),
        steps,
        evidence_depths(study.spec, trials),
        study.tree["root"],
        study.result.parameters,
        study.result.ar,
        study.result.verdict.value,
        tuple(stages),
    )


@contextmanager
def _watched(store: Store, study_id: str, stages: list[tuple[float, str]]) -> Iterator[None]:
    """Note when each stage begins, and the end of the last."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_LOOK_SECONDS):
            stage = store.get_study(study_id).stage
            if stage and (not stages or stages[-1][1] != stage.value):
                stages.append((time.time(), stage.value))

    watcher = threading.Thread(target=watch, name="stages", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        stages.append((time.time(), "end"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ours", description=__doc__)
    parser.add_argument("study", type=Path, help="the study as JSON, its data sets as absolute paths")
    parser.add_argument("out", type=Path, help="folder of the study, and for outcome.json")
    options = parser.parse_args()
    spec = StudySpec.parse(json.loads(options.study.read_text()))
    run(spec, options.out.absolute()).write(options.out / "outcome.json")


if __name__ == "__main__":
    main()

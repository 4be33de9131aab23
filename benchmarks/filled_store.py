"""A database as it looks after years of work: studies and trials are written in bulk, past the store, for speed."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, islice
from typing import Any

import numpy as np
from sqlalchemy import create_engine, insert, update

from taskgraft.evaluators.measurement import Measurement, Outcomes
from taskgraft.search.store import Store
from taskgraft.search.store.optuna_tables import BASELINES, KEY, MEASUREMENT, OUTCOMES, optuna_name
from taskgraft.search.store.rows import new_id
from taskgraft.search.store.tables import studies
from taskgraft.search.store.urls import parse_url
from taskgraft.search.study.result import FinalVerdict, Result, TaskResult
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage, State
from taskgraft.search.study.trial import Training
from taskgraft.space.document import tree_document
from taskgraft.space.tree import BranchTree

DEPTH = 8
_CLIPS = 200
_CHUNK = 20_000
_SMALL_TASKS = 4
_STATES = (State.SUCCEEDED,) * 7 + (State.FAILED, State.CANCELLED, State.PAUSED)

_COLUMNS = {
    "trials": ("trial_id", "number", "study_id", "state"),
    "trial_user_attributes": ("trial_id", "key", "value_json"),
    "trial_system_attributes": ("trial_id", "key", "value_json"),
    "trial_params": ("trial_id", "param_name", "param_value", "distribution_json"),
    "trial_values": ("trial_id", "objective", "value", "value_type"),
    "trial_intermediate_values": ("trial_id", "step", "intermediate_value", "intermediate_value_type"),
}


def make_spec(tasks: int, name: str) -> StudySpec:
    """Return a study that trains every pair at every depth."""
    columns = [{"name": f"task{number}", "dataset": "speech", "target": f"label{number}"} for number in range(tasks)]
    said = {"name": name, "ar_threshold": 0.02, "tasks": columns, "strategy": "exhaustive", "training": {"epochs": 30}}
    return StudySpec.parse(said)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A trial as it stands in the ledger."""

    key: str
    measurement: str
    outcomes: str
    seed: int


def sweep(spec: StudySpec, seed: int = 0) -> Iterator[Recorded]:
    """Yield the trials of a whole sweep: every baseline, then every pair at every depth."""
    random = np.random.default_rng(seed)
    trees = [BranchTree.flat([task], DEPTH, DEPTH) for task in spec.task_names]
    trees += [BranchTree.flat(pair, depth, DEPTH) for pair in combinations(spec.task_names, 2) for depth in spec.depths]
    for tree in trees:
        lost = 0.0 if len(tree.tasks) == 1 else max(0.0, random.normal(0.005 * tree.root.blocks[1], 0.02))
        yield recorded(Training(tree), 0.9 * (1 - lost), random)


def recorded(training: Training, share: float, random: np.random.Generator) -> Recorded:
    """Return a trial in which each task got about this share of its clips right."""
    said = {task: _outcomes(share, random) for task in training.tasks}
    metrics = {task: float(np.mean(one.classes.truth == one.classes.predicted)) for task, one in said.items()}
    curve = tuple({"step": float(step), **metrics} for step in range(100, 1100, 100))
    measured = Measurement(metrics, said, 1000, 900, 12.5, "host:1", curve)
    plain = measured.to_json()
    outcomes = json.dumps(plain.pop("outcomes"))
    return Recorded(training.key, json.dumps(plain), outcomes, training.repeat)


def _outcomes(share: float, random: np.random.Generator) -> Outcomes:
    clips = np.arange(_CLIPS)
    truth = clips % 5
    predicted = np.where(random.random(_CLIPS) < share, truth, (truth + 1) % 5)
    return Outcomes.of_classes(clips, truth, predicted, np.ones(_CLIPS))


class Filler:
    """Fills the database of a store; the tables must be there."""

    def __init__(self, store: Store, url: str) -> None:
        self._store = store
        self._engine = create_engine(parse_url(url))
        self._next: dict[str, int] = {}

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def fill(self, count: int, trials: int) -> list[str]:
        """Write so many studies with so many trials, all of them together; return their ids."""
        spec = make_spec(_SMALL_TASKS, "small")
        random = np.random.default_rng(1)
        each = max(1, trials // count)
        found = [recorded(training, 0.88, random) for training in islice(_trainings(spec), each)]
        ids = self._write_studies(spec, count)
        named = [(one, f"study-{place}") for place, one in enumerate(ids)]
        for start in range(0, count, max(1, _CHUNK // each)):
            self._write_trials(dict.fromkeys(named[start : start + max(1, _CHUNK // each)], found))
        return ids

    def add(self, spec: StudySpec, trials: Iterable[Recorded], state: State = State.SUCCEEDED) -> str:
        """Write one study with these trials; return its id."""
        study = self._store.create_study(spec)[0].id
        self._write_trials({(study, spec.name): list(trials)})
        with self._engine.begin() as connection:
            connection.execute(update(studies).where(studies.c.id == study).values(_ended(spec, state)))
        return study

    def _write_studies(self, spec: StudySpec, count: int) -> list[str]:
        ids = [new_id() for _ in range(count)]
        plain = spec.to_plain()
        rows = [
            {"id": one, "spec": {**plain, "name": f"study-{place}"}, "busy_seconds": 1.0}
            | _ended(spec, _STATES[place % len(_STATES)])
            for place, one in enumerate(ids)
        ]
        with self._engine.begin() as connection:
            for start in range(0, count, 1000):
                connection.execute(insert(studies), rows[start : start + 1000])
        return ids

    def _write_trials(self, ledgers: dict[tuple[str, str], Sequence[Recorded]]) -> None:
        """Write the ledgers of some studies, each by id and name, as the store would have."""
        first = self._number("studies", "study_id")
        names = [optuna_name(name, study) + part for study, name in ledgers for part in ("", BASELINES)]
        self._copy("studies", ("study_id", "study_name"), list(enumerate(names, first)))
        columns: dict[str, list[tuple[Any, ...]]] = {name: [] for name in _COLUMNS}
        row = self._number("trials", "trial_id")
        for place, trials in enumerate(ledgers.values()):
            numbers = [0, 0]
            for number, trial in enumerate(trials):
                part = int(len(json.loads(trial.key)[0]["tasks"]) == 1)
                columns["trials"].append((row, numbers[part], first + 2 * place + part, "COMPLETE"))
                numbers[part] += 1
                said = {"trial": number, "worker": "host:1", "seconds": 12.5}
                columns["trial_user_attributes"] += [(row, name, json.dumps(value)) for name, value in said.items()]
                kept = {KEY: json.dumps(trial.key), MEASUREMENT: trial.measurement, OUTCOMES: trial.outcomes}
                columns["trial_system_attributes"] += [(row, name, text) for name, text in kept.items()]
                params = {"task_a": 0.0, "task_b": 1.0, "depth": 8.0, "repeat": 0.0, "seed": float(trial.seed)}
                columns["trial_params"] += [(row, name, value, "{}") for name, value in params.items()]
                columns["trial_values"].append((row, 0, 0.01, "FINITE"))
                columns["trial_intermediate_values"] += [(row, step, 0.8, "FINITE") for step in range(100, 1100, 100)]
                row += 1
        self._next |= {"trials": row, "studies": first + len(names)}
        for name, rows in columns.items():
            self._copy(name, _COLUMNS[name], rows)

    def _number(self, table: str, column: str) -> int:
        """Return the next free number of one of Optuna's tables."""
        if table not in self._next:
            with self._engine.connect() as connection:
                largest = connection.exec_driver_sql(f"SELECT max({column}) FROM {table}").scalar()
            self._next[table] = (largest or 0) + 1
        return self._next[table]

    def _copy(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        named = f"{table} ({', '.join(columns)})"
        with self._engine.begin() as connection:
            if self._engine.dialect.name == "sqlite":
                marks = ", ".join("?" * len(columns))
                connection.exec_driver_sql(f"INSERT INTO {named} VALUES ({marks})", list(rows))
                return
            cursor = connection.connection.cursor()
            with cursor.copy(f"COPY {named} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)

    def analyze(self) -> None:
        """Let the database look at its tables, as it does by itself in the course of time."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")


def _trainings(spec: StudySpec) -> Iterator[Training]:
    """Yield as many trainings as one asks for: whole sweeps, repeat by repeat."""
    for repeat in range(10_000):
        for task in spec.task_names:
            yield Training(BranchTree.flat([task], DEPTH, DEPTH), repeat)
        for pair in combinations(spec.task_names, 2):
            yield from (Training(BranchTree.flat(pair, depth, DEPTH), repeat) for depth in spec.depths)


def _ended(spec: StudySpec, state: State) -> dict[str, Any]:
    """Return what a study that has ended holds beside its specification."""
    facts = {"device": "cpu", "datasets": {"speech": 1}, "warnings": ["test tells little"], "fingerprints": {}}
    decided = {"q_min": 0.05, "test_clips": 900, "test_groups": None, "clips_needed": 5000}
    decided |= {"baseline": 0.9, "disagreement": 0.1, "measured": True}
    resolutions = [{"task": name, **decided} for name in spec.task_names]
    values: dict[str, Any] = {
        "state": state,
        "stage": Stage.EXPORT,
        "facts": facts | {"resolution": resolutions},
        "progress": {"trials_done": 34, "trials_planned": 34, "fraction": 1.0},
        "result": None,
        "tree": None,
    }
    if state is State.SUCCEEDED:
        values["result"] = asdict(_result(spec))
        tree = BranchTree.flat(spec.task_names, 4, DEPTH)
        values["tree"] = tree_document(tree, spec.encoder, spec.ar_threshold)
    return values


def _result(spec: StudySpec) -> Result:
    tasks = tuple(
        TaskResult(name, "accuracy", 0.9, 0.89, 900, reduction=0.011, lower=-0.01, upper=0.03)
        for name in spec.task_names
    )
    return Result(FinalVerdict.NOT_REFUTED, 0.011, (0.0, 0.03), 50_000, 120_000, 9_000_000, 0.03, "", tasks)

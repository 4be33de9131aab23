"""Databases that released versions wrote, on every database: nothing of what is in them is lost."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import create_trial
from sqlalchemy import Connection, MetaData, create_engine, text

from taskgraft.search.store import Store
from taskgraft.search.store.entries import to_entry
from taskgraft.search.store.migrate import _config
from taskgraft.search.store.tables import metadata, utc_now
from taskgraft.search.store.trainings import _pack
from taskgraft.search.store.urls import parse_url
from taskgraft.search.study.dataset import DatasetState, Uploaded
from taskgraft.search.study.lease import Lease
from taskgraft.search.study.states import State
from taskgraft.search.study.trial import Trial, TrialState
from tests.search.store.samples import LONG, ME, TASKS, lease_of, make_measurement, make_spec, make_training, record

RELEASED = ("0001", "0002", "0003")
STUDIES = {state: f"0f5w8rrm0y{number:06d}" for number, state in enumerate((*State,))}
DIGEST = "0123456789abcdef" * 4


def study_row(study_id: str, state: State) -> Mapping[str, Any]:
    held = state in {State.RUNNING, State.CANCELLING}
    now = utc_now()
    return {
        "id": study_id,
        "idempotency_key": f"key of {state}",
        "spec": make_spec(state).to_plain(),
        "state": state.value,
        "created_at": now,
        "updated_at": now,
        "reason": "of old" if state is State.FAILED else None,
        "facts": {"fingerprints": {"speech": "00ff"}},
        "owner": "a runner that died" if held else None,
        "lease_until": 1000.0 if held else None,
        "renewed_at": 900.0 if held else None,
        "busy_seconds": 12.5,
    }


def fill(connection: Connection, revision: str) -> None:
    """Rows of a schema as the version of its time wrote them."""
    old = MetaData()
    old.reflect(connection, only=lambda name, _: name.startswith("taskgraft_"))
    tables = {name.removeprefix("taskgraft_"): table for name, table in old.tables.items()}
    rows = [study_row(study_id, state) for state, study_id in STUDIES.items()]
    connection.execute(tables["studies"].insert(), rows)
    connection.execute(tables["runners"].insert().values(owner="a runner that died", seen_at=utc_now()))
    if revision >= "0002":
        source = Uploaded("folder").to_json()
        dataset = {"name": "zoo", "version": 1, "state": "checking", "source": source}
        times = {"created_at": utc_now(), "updated_at": utc_now()}
        connection.execute(tables["datasets"].insert().values({**dataset, **times}))
        uses = {"study_id": STUDIES[State.PAUSED], "name": "zoo", "version": 1}
        connection.execute(tables["study_datasets"].insert().values(uses))
    if revision >= "0003":
        study_id = STUDIES[State.SUCCEEDED]
        kept = {"study_id": study_id, "digest": DIGEST, "origin": study_id, "key": make_training().key}
        measured = {"steps_left": 0, "measurement": _pack(make_measurement())}
        connection.execute(tables["trainings"].insert().values({**kept, **measured}))


def write_trials(url: str) -> None:
    """One trial of the study that runs, which two runners that believed to hold it have recorded."""
    storage = RDBStorage(url.replace("{", "{{").replace("}", "}}"))
    number = storage.create_new_study([StudyDirection.MINIMIZE], f"taskgraft/{STUDIES[State.RUNNING]}")
    for seed in (1, 2):
        trial = Trial(0, make_training(), seed, TrialState.COMPLETE, make_measurement())
        new = to_entry(trial, TASKS, None)
        said = {"key": trial.training.key, "measurement": make_measurement().to_json(), "worker": "host:1234"}
        old = create_trial(value=0.0, params=new.params, distributions=new.distributions, user_attrs=said)
        storage.create_new_trial(number, old)
    storage.remove_session()
    storage.engine.dispose()


@pytest.fixture(params=RELEASED)
def revision(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def old_url(empty_url: str, revision: str) -> str:
    engine = create_engine(parse_url(empty_url))
    with engine.begin() as connection:
        command.upgrade(_config(connection), revision)
        fill(connection, revision)
    engine.dispose()
    write_trials(parse_url(empty_url).render_as_string(hide_password=False))
    return empty_url


@pytest.fixture
def store(old_url: str) -> Iterator[Store]:
    with Store(old_url) as store:
        yield store


def test_the_newest_tables_are_there(store: Store) -> None:
    options = {
        "version_table": "taskgraft_alembic_version",
        "compare_type": True,
        "include_name": lambda name, kind, _: kind != "table" or str(name).startswith("taskgraft_"),
    }
    with store._database.begin() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        version = connection.execute(text("SELECT version_num FROM taskgraft_alembic_version")).scalar_one()
    assert version > max(RELEASED)


def test_what_was_there_is_there(store: Store, revision: str) -> None:
    for state, study_id in STUDIES.items():
        study = store.get_study(study_id)
        assert (study.state, study.spec, study.parent) == (state, make_spec(state), None)
        assert study.facts == {"fingerprints": {"speech": "00ff"}}
        assert store.busy_seconds(study_id) == 12.5
    assert store.get_study(STUDIES[State.FAILED]).reason == "of old"
    (trial,) = store.ledger(STUDIES[State.RUNNING]).trials()
    assert (trial.number, trial.seed, trial.training) == (0, 1, make_training())
    (item,) = store.trials.page(STUDIES[State.RUNNING]).items
    assert (item.number, item.training) == (0, make_training())
    alone, _ = store.trials.get(STUDIES[State.RUNNING], 0)
    assert trial.measurement
    assert alone.measurement
    assert alone.measurement.to_json() == trial.measurement.to_json() == make_measurement().to_json()
    if revision >= "0002":
        assert store.datasets.get("zoo", 1).state is DatasetState.CHECKING
    if revision >= "0003":
        assert [kept.study_id for kept in store.trainings.find(DIGEST)] == [STUDIES[State.SUCCEEDED]]


def test_optunas_studies_have_the_names_of_ours(store: Store) -> None:
    with store._database.begin() as connection:
        names = connection.execute(text("SELECT study_name FROM studies")).scalars().all()
    assert names == [f"{State.RUNNING}/{STUDIES[State.RUNNING]}"]


def test_a_study_that_ran_goes_on_under_the_first_epoch(store: Store) -> None:
    study_id = STUDIES[State.RUNNING]
    held = store.acquire_study(study_id, ME, LONG)
    assert held.lease == Lease(study_id, ME, 1)
    assert record(store, study_id, seed=3).seed == 1  # it was there
    assert record(store, study_id, make_training(1)).number == 2
    assert store.ledger(study_id).trial_count() == 2
    store.finish(lease_of(store, study_id), State.SUCCEEDED)
    store.delete_study(study_id)

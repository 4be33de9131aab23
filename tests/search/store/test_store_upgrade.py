"""Databases that earlier versions wrote."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study.result import FinalVerdict
from tests.search.worlds import make_spec


@pytest.mark.parametrize(
    ("verified", "high", "verdict"),
    [
        ("true", 0.015, FinalVerdict.VERIFIED),
        ("true", 0.105, FinalVerdict.NOT_REFUTED),
        ("false", 0.015, FinalVerdict.NOT_REFUTED),
    ],
)
def test_a_point_estimate_of_old_is_not_called_verified(
    tmp_path: Path, verified: str, high: float, verdict: FinalVerdict
) -> None:
    path = tmp_path / "store.db"
    with Store(sqlite_url(path)) as store:
        study = store.create_study(make_spec(2))[0].id
        result = (
            f'{{"verified": {verified}, "ar": 0.013, "ar_interval": [0.004, {high}], "parameters": 1, '
            '"independent_parameters": 2, "macs_per_second": 3}'
        )
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE taskgraft_studies SET state = 'succeeded', result = ?", (result,))
        found = store.get_study(study).result
    assert found is not None
    assert (found.verdict, found.ar_interval) == (verdict, (0.004, high))

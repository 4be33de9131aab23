"""The health check of a runner's container."""

from pathlib import Path

import pytest

from taskgraft.errors import Unavailable
from taskgraft.search.running import alive
from taskgraft.search.store import Store, sqlite_url


def test_a_runner_of_this_host_is_alive_and_those_of_others_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = sqlite_url(tmp_path / "store.db")
    monkeypatch.setenv("TASKGRAFT_DATABASE_URL", url)
    monkeypatch.setattr("socket.gethostname", lambda: "c0_1")
    with Store(url) as store:
        for other in ("c0_12:1:aa", "c001:1:aa"):  # an underscore is no wildcard
            store.record_heartbeat(other)
        assert alive.main() == 1
        assert capsys.readouterr().out == "no runner on c0_1 has shown itself yet\n"
        store.record_heartbeat("c0_1:7:ab")
        assert alive.main() == 0
        monkeypatch.setattr(alive, "_SILENCE", 0 * alive._SILENCE)
        with pytest.raises(Unavailable, match=r"the runner on c0_1 has been silent for \d+ s"):
            alive.check_alive(url, "c0_1")


def test_a_database_that_is_away_is_not_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKGRAFT_DATABASE_URL", sqlite_url(tmp_path / "nowhere" / "store.db"))
    assert alive.main() == 1

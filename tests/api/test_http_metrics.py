"""`GET /metrics`: what Prometheus reads."""

import re
from pathlib import Path

import httpx

from taskgraft.api.app import create_app
from taskgraft.api.settings import Settings
from taskgraft.search.store import Store
from tests.api.conftest import Api, serving

LINE = re.compile(r'(\w+)(?:\{((?:\w+="[^"]*",?)*)\})? (\S+)')


def read(http: httpx.Client) -> dict[str, float]:
    """Every number by its name and labels; each line has the form that Prometheus asks for."""
    answer = http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = {}
    for line in answer.text.splitlines():
        if not line.startswith("# "):
            match = LINE.fullmatch(line)
            assert match, line
            found[line.rpartition(" ")[0]] = float(match[3])
    return found


def test_what_the_database_holds(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with (
        serving(create_app(settings)) as url,
        Store(settings.database_url) as store,
        httpx.Client(base_url=url) as http,
    ):
        before = read(http)
        assert before["taskgraft_queue_length"] == 0
        assert before['taskgraft_studies{state="running"}'] == 0
        assert before['taskgraft_trials{state="complete"}'] == 0
        assert before["taskgraft_runners"] == 0
        assert "taskgraft_runner_silence_seconds" not in before
        store.record_heartbeat("runner")
        assert read(http)["taskgraft_runners"] == 0  # asked a moment ago
    with serving(create_app(settings)) as url, httpx.Client(base_url=url) as http:
        found = read(http)
        assert found["taskgraft_runners"] == 1
        assert 0 <= found["taskgraft_runner_silence_seconds"] < 60
        assert found["taskgraft_takeovers"] == 0


def test_requests_count_by_the_template_of_their_route(api: Api) -> None:
    study = api.post(name="counted")
    for path in (f"/v1/studies/{study}", "/v1/studies/0000000000000000", "/elsewhere/a", "/elsewhere/b"):
        api.http.get(path)
    api.http.request("BREW", "/elsewhere/c")
    api.http.post("/v1/studies", content=bytes(2 << 20))
    found = read(api.http)

    def count(method: str, route: str, status: int) -> float:
        return found[f'taskgraft_request_seconds_count{{method="{method}",route="{route}",status="{status}"}}']

    assert count("GET", "/v1/studies/{study_id}", 200) >= 1
    assert count("GET", "/v1/studies/{study_id}", 404) >= 1
    assert count("GET", "unknown", 404) >= 2
    assert count("unknown", "unknown", 404) >= 1
    assert count("POST", "unknown", 413) >= 1  # refused before any route
    assert not any(study in name or "elsewhere" in name for name in found)
    whole = 'method="GET",route="/v1/studies/{study_id}",status="200"'
    assert found[f'taskgraft_request_seconds_bucket{{le="+Inf",{whole}}}'] == count(
        "GET", "/v1/studies/{study_id}", 200
    )

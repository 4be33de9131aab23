"""Templates, liveness, readiness."""

import tempfile
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from taskgraft.api.app import create_app
from taskgraft.api.settings import Settings
from taskgraft.search.store import Store
from taskgraft.space.templates.registry import get_template
from tests.api.conftest import Api, serving
from tests.postgres import postgres_server


def test_templates_tell_what_can_be_asked_for(api: Api) -> None:
    items = {item["name"]: item for item in api.http.get("/v1/templates").json()["items"]}
    cnn8 = get_template("cnn8")
    assert items["cnn8"] == {
        "name": "cnn8",
        "summary": cnn8.summary,
        "blocks": 8,
        "default_depths": [4, 5, 6, 7, 8],
        "kinds": ["clip", "frames", "events", "tags", "value"],
        "encoder_parameters": sum(block.parameters for block in cnn8.blocks),
        "encoder_macs_per_second": 4_949_100,
        "sample_rate": 16_000,
    }


def test_a_service_that_answers_is_alive(api: Api) -> None:
    answer = api.http.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def unready(url: str) -> str:
    """Why the service is not ready, once it is checked to say so."""
    answer = httpx.get(f"{url}/readyz")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    return str(answer.json()["detail"])


def test_a_service_is_ready_while_its_runner_shows_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path)
    with serving(create_app(settings)) as url, Store(settings.database_url) as store:
        assert unready(url) == "no runner has shown itself yet"
        store.record_heartbeat("runner")
        assert httpx.get(f"{url}/readyz").json() == {"status": "ok"}
        monkeypatch.setattr("taskgraft.api.routes.service.RUNNER_SILENCE", timedelta(0))
        assert "silent" in unready(url)


def test_a_service_whose_database_is_gone_lives_but_is_not_ready() -> None:
    with postgres_server() as server, tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), database_url=server.get_uri())
        with serving(create_app(settings)) as url:
            assert httpx.get(f"{url}/v1/studies").status_code == 200
            server.cleanup()
            assert "database" in unready(url)
            assert httpx.get(f"{url}/v1/studies").status_code == 503
            assert httpx.get(f"{url}/healthz").status_code == 200
